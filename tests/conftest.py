"""How generated tests run: without a limit per example, and the same in CI every time."""

from __future__ import annotations

import os

from hypothesis import settings

# A busy machine is no defect, so an example has no deadline; pytest-timeout bounds the test.
# CI repeats itself, so that a change is judged by the change; people's runs go on exploring.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.register_profile("repeat", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") == "true" else "explore")
