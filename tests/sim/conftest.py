"""Scenarios in virtual time, as tests play them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scenarios.engine import trial
from scenarios.engine.loader import load, loads
from scenarios.engine.result import Result
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
        return trial.play(scenario, seed)

    return run
