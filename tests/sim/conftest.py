"""Scenarios in virtual time, as tests play them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.engine.clocks import run_on
from scenarios.engine.expand import cooldowns, elects_leader
from scenarios.engine.invariants import Rules
from scenarios.engine.loader import load, loads
from scenarios.engine.result import Result, conclude
from scenarios.engine.runner import Run
from scenarios.engine.schema import Scenario

Play = Callable[..., Result]


@pytest.fixture
def play() -> Play:
    """Plays a scenario (a name, YAML text, or a Scenario) in virtual time and judges it."""

    def run(source: str | Scenario, *, seed: int = 7, overrides: tuple[str, ...] = ()) -> Result:
        if isinstance(source, Scenario):
            scenario = source
        elif "\n" in source:
            scenario = loads(source, overrides=overrides)
        else:
            scenario = load(source, overrides)
        attempt = Run(scenario, clock="virtual", seed=seed)
        run_on("virtual", scenario, seed, attempt.body)
        rules = Rules(cooldowns(scenario), leader_election=elects_leader(scenario))
        return conclude(attempt.evidence, rules, 0.0)

    return run
