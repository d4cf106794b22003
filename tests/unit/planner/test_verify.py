"""What a run says of a plan, and what it cannot say."""

from __future__ import annotations

import math

import pytest

from scenarios.engine.loader import loads
from scenarios.engine.objectives import parse_objective
from scenarios.fidelity.levels import Played
from scenarios.parallel.jobs import Crew
from scenarios.planner import verify as verifying
from scenarios.planner.verify import Verification, verify

pytestmark = pytest.mark.unit

SCENARIO = loads("name: a\nworld: {hosts: {count: 1}}\nload: {machines: 1}\n")
OBJECTIVE = parse_objective("p95(time_to_provisioned)<20s")


def judged(monkeypatch: pytest.MonkeyPatch, seconds: float, bottleneck: str) -> Verification:
    def play_at(fidelity: str, scenario: object, seed: int) -> Played:
        metrics = {"total_ready_seconds.p95": seconds}
        return Played("live", seed, metrics, 1.0, (), bottleneck)

    monkeypatch.setattr(verifying, "play_at", play_at)
    return verify("live", SCENARIO, (OBJECTIVE,), [7], [(10.0,)], Crew())


def test_a_miss_is_told_with_its_seed_and_the_models_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found = judged(monkeypatch, 25.0, "")
    assert not found.held
    assert found.missed == ("seed 7: p95(time_to_provisioned)<20s: it was 25s",)
    assert found.errors[0].worst == pytest.approx(-0.6)
    assert judged(monkeypatch, 19.0, "").held


def test_times_of_a_harness_that_was_too_slow_are_not_the_controllers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = judged(monkeypatch, 25.0, "fleet was at its limit")
    assert found.missed[0].endswith("but the harness was the bottleneck: fleet was at its limit")
    assert math.isnan(found.errors[0].worst)
    # Who keeps the objective nevertheless, keeps it.
    assert judged(monkeypatch, 19.0, "fleet was at its limit").held
