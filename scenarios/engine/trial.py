"""One run from a scenario to its verdict: what commands, swarms and tests play scenarios with."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.runtime import LiveRuntime
from scenarios.engine.clocks import Clock, run_on
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import cooldowns, elects_leader
from scenarios.engine.invariants import Rules
from scenarios.engine.progress import Progress
from scenarios.engine.result import Result, conclude
from scenarios.engine.runner import Load, Run
from scenarios.engine.schema import Scenario
from scenarios.engine.world import World

Prepare = Callable[[World], None]
"""Gets the world before it starts, to hang something on it."""


def play(
    scenario: Scenario,
    seed: int,
    clock: Clock = "virtual",
    *,
    progress: Progress | None = None,
    prepare: Prepare | None = None,
    load: Load | None = None,
) -> Result:
    """Run ``scenario`` in a world of its own and judge it; ``load`` as in :class:`Run`.

    What goes wrong in the run is in the result. KeyboardInterrupt passes through.
    """
    stopwatch = LiveRuntime().now
    began = stopwatch()
    attempt = Run(scenario, clock=clock, seed=seed, progress=progress, load=load)

    def body(world: World) -> None:
        if prepare is not None:
            prepare(world)
        attempt.body(world)

    run_on(clock, scenario, seed, body)
    return verdict(attempt.evidence, stopwatch() - began)


def verdict(evidence: Evidence, wall_seconds: float) -> Result:
    """Judge a run by the rules that its own scenario sets."""
    return conclude(evidence, rules_of(evidence.scenario), wall_seconds)


def rules_of(scenario: Scenario) -> Rules:
    """What a scenario's own settings make of the invariants."""
    return Rules(cooldowns(scenario), leader_election=elects_leader(scenario))
