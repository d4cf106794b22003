"""What tests of real processes share."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from beskar7.runtime import LiveRuntime


@pytest.fixture
def group_ends() -> Callable[[int, float], bool]:
    """Whether no process of the group is left, within so many seconds: who tracks the resources
    of joblib's workers ends when the last pipe to it does."""

    def ends(group: int, seconds: float) -> bool:
        runtime = LiveRuntime()
        deadline = runtime.now() + seconds
        while runtime.now() < deadline:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return True
            runtime.sleep(0.05)
        return False

    return ends
