"""The three emergencies are not over without their remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenarios.engine import trial
from scenarios.engine.loader import load
from scenarios.engine.rehearsal.conditions import AlarmFires, DoctorFinds
from scenarios.engine.rehearsal.remedies import Recover
from scenarios.engine.schema import Scenario

pytestmark = pytest.mark.sim

SLOW = (AlarmFires, DoctorFinds)
"""What takes a program, or many reads, at each look."""


def without_recovery(name: str) -> Scenario:
    """The scenario as it goes when nobody runs ``beskar7 recover``; soon known."""
    scenario = load(name)
    script = scenario.rehearsal
    assert script is not None
    remedy = tuple(step for step in script.remedy if not isinstance(step, Recover))
    assert len(remedy) < len(script.remedy)
    symptom = tuple(each for each in script.symptom if not isinstance(each.what, SLOW))
    recovery = tuple(
        replace(each, within=min(each.within, 6.0))
        for each in script.recovery
        if not isinstance(each.what, SLOW)
    )
    return replace(
        scenario,
        rehearsal=replace(script, symptom=symptom, remedy=remedy, recovery=recovery),
    )


@pytest.mark.parametrize("name", ["split-brain", "queue-reset", "host-recovery"])
def test_without_its_remedy_it_goes_on(name: str) -> None:
    result = trial.play(without_recovery(name), seed=1)
    assert not result.passed
    assert "the recovery was missed" in result.evidence.reason
