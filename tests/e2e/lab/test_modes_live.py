"""The scenarios of boot modes and of requirements on real sockets."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import load

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.mark.parametrize("name", ["boot-modes", "requirements"])
def test_it_holds_live_too(play_live, name: str) -> None:
    result = play_live(load(name), 1)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
