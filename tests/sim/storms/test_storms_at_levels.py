"""A storm on a slow API lasts as long by the model as by the controller in virtual time."""

from __future__ import annotations

from statistics import fmean

import pytest

from emulator.kube.inprocess import LatencyModel
from scenarios.models.claimstorm import Mode
from scenarios.storms.play import play_storm
from scenarios.storms.storm import Storm

pytestmark = pytest.mark.sim

SLOW = LatencyModel(0.05, 0.1, 0.5)


@pytest.mark.parametrize("mode", ["standard", "leader"])
def test_claims_on_a_slow_api_take_as_long_as_by_the_code(mode: Mode) -> None:
    storm = Storm(24, managers=2, mode=mode, api=SLOW)
    code = [play_storm("code", storm, seed).metrics for seed in (1, 2)]
    model = [play_storm("model", storm, seed).metrics for seed in range(1, 11)]
    assert {run["claimed"] for run in code + model} == {24.0}
    assert {run["conflicts"] for run in code + model} == {0.0}
    for name in ("claim_seconds.p50", "claim_seconds.p95"):
        said, true = fmean(run[name] for run in model), fmean(run[name] for run in code)
        assert said == pytest.approx(true, rel=0.2), name


def test_machines_of_one_instant_wait_for_each_other() -> None:
    """Ten workers of the manager that claims serve so many in a call's time, and no more."""
    one, many = (
        play_storm("model", Storm(machines, api=SLOW), 1).metrics["claim_seconds.p95"] or 0.0
        for machines in (5, 100)
    )
    assert many > 4 * one
