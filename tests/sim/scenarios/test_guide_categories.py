"""The guide's issue categories: each cause shows its symptom, each remedy cures, and it alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scenarios.engine import trial
from scenarios.engine.loader import load
from scenarios.engine.rehearsal.alarms import promtool
from scenarios.engine.rehearsal.record import Part
from scenarios.engine.result import Result

pytestmark = [
    pytest.mark.sim,
    pytest.mark.skipif(
        promtool() is None, reason="promtool is not installed; ci/interop-tools brings it"
    ),
]

NAMES = (
    "claim-conflicts",
    "host-shortage",
    "queue-overload",
    "slow-bmcs",
    "bmc-overload",
    "unstable-leaders",
    "slow-reconciles",
    "bmc-timeouts",
    "bmc-authentication",
    "bmc-network",
    "bmc-inconsistent",
    "rack-outage",
)
SEED = 7


def part(result: Result, name: str) -> Part:
    (found,) = [each for each in result.evidence.parts if each.name == name]
    return found


def test_every_category_of_the_guide_has_one() -> None:
    headings = {load(name).guide[:2] for name in NAMES}
    assert headings == {"1.", "2.", "3.", "4.", "5."}


@pytest.mark.parametrize("name", NAMES)
def test_from_the_cause_to_the_symptom_and_back(name: str) -> None:
    result = trial.play(load(name), SEED)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    steps = [*part(result, "symptom").steps, *part(result, "recovery").steps]
    assert {step.outcome for step in steps} == {"came"}


@pytest.mark.parametrize("name", NAMES)
def test_it_does_not_mend_itself(name: str) -> None:
    """All is as before, and nobody does anything for as long as the recovery may take."""
    scenario = load(name)
    assert scenario.rehearsal is not None
    left_alone = replace(scenario, rehearsal=replace(scenario.rehearsal, remedy=()))
    result = trial.play(left_alone, SEED)
    assert {step.outcome for step in part(result, "symptom").steps} == {"came"}
    assert "missed" in {step.outcome for step in part(result, "recovery").steps}
    assert "the recovery was missed" in result.evidence.reason
