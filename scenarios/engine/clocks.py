"""The two ways to run a scenario: in real time on real sockets, and in virtual time.

Imported late: a virtual run needs nothing of the live lab, and the other way round.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Literal, TypeVar, cast

from scenarios.engine.schema import Scenario
from scenarios.engine.world import World

T = TypeVar("T")
Clock = Literal["live", "virtual"]
Fidelity = Literal["model", "code", "live"]
LEVELS: tuple[Fidelity, ...] = ("model", "code", "live")
"""From the fastest to the truest. ``code`` is the controller in virtual time."""
CLOCKS: dict[Fidelity, Clock] = {"code": "virtual", "live": "live"}


def run_live(scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    """Call ``body`` with a world of real processes, which it starts and stops itself."""
    module = import_module("scenarios.engine.live")
    return body(cast("World", module.open_world(scenario, seed)))


def run_virtual(scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    """Call ``body`` as the first task of a virtual runtime, with a world in that runtime."""
    module = import_module("scenarios.engine.virtual")
    run = cast("Callable[[Scenario, int, Callable[[World], T]], T]", module.run_virtual)
    return run(scenario, seed, body)


def run_on(clock: Clock, scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    return (run_live if clock == "live" else run_virtual)(scenario, seed, body)
