"""A category of the guide on real processes: wrong credentials, and kubectl puts them right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenarios.engine import trial
from scenarios.engine.loader import load
from scenarios.engine.rehearsal.conditions import AlarmFires, Condition

pytestmark = pytest.mark.e2e


def without_alarms(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """They have to last for a quarter of a minute, and other tests wait for them."""
    return tuple(each for each in conditions if not isinstance(each.what, AlarmFires))


def test_a_secret_is_spoilt_and_repaired() -> None:
    scenario = load("bmc-authentication")
    script = scenario.rehearsal
    assert script is not None
    quick = replace(
        script, symptom=without_alarms(script.symptom), recovery=without_alarms(script.recovery)
    )
    result = trial.play(replace(scenario, rehearsal=quick), 1, "live")
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    assert [part.name for part in result.evidence.parts][-1] == "recovery"
