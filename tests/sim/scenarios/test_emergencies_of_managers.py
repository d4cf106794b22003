"""The emergencies end to end: each cause shows its symptom, and the remedy mends it."""

from __future__ import annotations

import pytest

from scenarios.engine import trial
from scenarios.engine.loader import load
from scenarios.engine.rehearsal.alarms import promtool

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(
        promtool() is None, reason="promtool is not installed; ci/interop-tools brings it"
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        "split-brain",
        "queue-reset",
        "host-recovery",
        "thundering-restart",
        "rolling-upgrade",
        "control-plane-outage",
        "resource-shortage",
        "memory-leak",
    ],
)
def test_an_emergency_comes_and_goes(name: str) -> None:
    result = trial.play(load(name), 7)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    steps = [step for part in result.evidence.parts for step in part.steps]
    assert {step.outcome for step in steps} == {"came", "done"}
