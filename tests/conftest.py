"""How all tests run: generated ones without a limit per example, CI repeatably, logs on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# A busy machine is no defect, so an example has no deadline; pytest-timeout bounds the test.
# CI repeats itself, so that a change is judged by the change; people's runs go on exploring.
settings.register_profile("explore", deadline=None, print_blob=True)
settings.register_profile("repeat", deadline=None, print_blob=True, derandomize=True)
settings.load_profile("repeat" if os.environ.get("CI") == "true" else "explore")


@pytest.fixture(autouse=True)
def _logging_is_left_on() -> Iterator[None]:
    """Commands that play thousands of runs switch it off; the tests after them are to hear it."""
    yield
    logging.disable(logging.NOTSET)
