"""Why nothing keeps an objective: what is missed by how much, and what would have to be different.

Each cause is one counterfactual world, played by the model with the most capable configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from beskar7.config import Tuning
from scenarios.engine.objectives import Objective
from scenarios.engine.schema import Scenario
from scenarios.models.estimates import Estimate
from scenarios.planner.figures import mean_of
from scenarios.planner.trials import Overrides, Trials

RUNS = 10
UNHURRIED = 0.02
"""Machines a second, so few that none waits for another: one in 50 s."""
LONGEST = 80_000.0
"""Seconds in which all of them have to come: the model's runs end after a day."""


@dataclass(frozen=True, slots=True)
class Cause:
    """``if_``: what would be otherwise, in words. ``mean``: of the objective's value then.

    ``kept``: in all runs."""

    if_: str
    mean: Estimate
    kept: bool


@dataclass(frozen=True, slots=True)
class Missed:
    """An objective that even the most capable configuration does not keep.

    ``over``: by how much its mean is beyond the bound, in its unit; below 0 where only some runs
    are. ``words``: what bounds it.
    """

    objective: Objective
    mean: Estimate
    runs: int
    missed: int
    over: float
    causes: tuple[Cause, ...]
    words: str


def explain(
    scenario: Scenario, tuning: Tuning, trials: Trials, top: Overrides, say: Callable[[str], None]
) -> list[Missed]:
    """For each objective that ``top``, the most capable configuration, does not keep."""
    say("nothing keeps the objectives; looking for what bounds them")
    seeds = trials.seeds[:RUNS]
    rows = trials.measure(top, seeds)
    worlds = [
        (words, trials.measure((*top, *more), seeds)) for words, more in _worlds(scenario, tuning)
    ]
    found = []
    for number, objective in enumerate(trials.objectives):
        values = [row[number] for row in rows]
        missed = sum(not objective.holds(value) for value in values)
        if not missed:
            continue
        causes = tuple(
            Cause(
                words,
                mean_of([row[number] for row in other]),
                all(objective.holds(row[number]) for row in other),
            )
            for words, other in worlds
        )
        mean = mean_of(values)
        over = -objective.margin(mean.mean)
        found.append(Missed(objective, mean, RUNS, missed, over, causes, _words(objective, causes)))
    return found


def _worlds(scenario: Scenario, tuning: Tuning) -> Iterator[tuple[str, Overrides]]:
    hosts = scenario.world.hosts
    if scenario.faults:
        yield ("nothing were faulty", ("faults=[]",))
    yield ("there were twice as many hosts", (f"world.hosts.count={2 * hosts.count}",))
    limited = sorted(name for name, most in tuning.concurrent_ops_by_vendor().items() if most < 50)
    if limited:
        yield (
            "no vendor limited its BMCs' writing operations",
            tuple(f"world.config.bmc.vendor.{name}.maxConcurrentOps='50'" for name in limited),
        )
    rate = max(UNHURRIED, scenario.load.machines / LONGEST)
    yield (
        "no machine waited for another (they came one by one)",
        (
            f"load.arrivals={{constant: {rate:.6g}/s}}",
            f"world.hosts.count={max(hosts.count, min(10_000, scenario.load.machines))}",
            "limits.timeout=168h",
        ),
    )


def _words(objective: Objective, causes: tuple[Cause, ...]) -> str:
    """The verdict: what a lone machine takes decides first, then what alone would do."""
    alone = causes[-1]
    if not alone.kept:
        return "it takes a lone machine longer than that: boots and the BMCs' answers alone"
    enough = [cause.if_ for cause in causes[:-1] if cause.kept]
    if enough:
        return f"it would be kept if {' or if '.join(enough)}"
    best = min(causes[:-1], key=lambda cause: -objective.margin(cause.mean.mean))
    return f"too much comes at once; it helps most if {best.if_}, but not enough"
