"""What is said of a candidate in numbers: each objective with its interval and its margin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.engine.objectives import Objective
from scenarios.models.estimates import Estimate, difference, estimate
from scenarios.planner.certainty import prediction
from scenarios.planner.search import Candidate, Space
from scenarios.planner.trials import Overrides, Trials

STEP_RUNS = 10
"""Of a neighbour, for its difference: as few as Student's interval is believed for."""
Rows = Sequence[tuple[float, ...]]
"""A run's values, one for each objective."""


@dataclass(frozen=True, slots=True)
class Figure:
    """An objective's values over the runs: their mean with Student's interval, and what the next
    run keeps with the plan's confidence (``limit``). ``margin``: from there to the bound.

    Where machines were left unserved, all of these may be infinite.
    """

    objective: Objective
    mean: Estimate
    limit: float
    missed: int
    """Runs that do not keep it."""

    @property
    def margin(self) -> float:
        return self.objective.margin(self.limit)


def figures(objectives: Sequence[Objective], rows: Rows, confidence: float) -> list[Figure]:
    """Raises TooFewRuns."""
    found = []
    for objective, values in zip(objectives, zip(*rows, strict=True), strict=True):
        limit = prediction(values, confidence, upward=objective.upward)
        missed = sum(not objective.holds(value) for value in values)
        found.append(Figure(objective, mean_of(values), limit, missed))
    return found


def mean_of(values: Sequence[float]) -> Estimate:
    """Also of values some of which are infinite, or not there: then the mean is the worst."""
    if all(map(math.isfinite, values)):
        return estimate(values)
    worst = math.inf if any(map(math.isinf, values)) else math.nan
    return Estimate(worst, math.nan, len(values))


@dataclass(frozen=True, slots=True)
class Step:
    """A neighbour on one axis: what it costs less or more, and by how much each objective's value
    changes in the mean, run for run. ``missed``: the first objective that it does not keep."""

    axis: str
    value: str
    chosen: str
    cost: float
    changes: tuple[Estimate, ...]
    missed: Objective | None


def sensitivity(space: Space, trials: Trials, best: Candidate) -> list[Step]:
    """One step down and one up on each axis, or each other choice."""
    seeds = trials.seeds[:STEP_RUNS]
    base = trials.measure(space.overrides(best), seeds)
    found = []
    for number, axis in enumerate(space.axes):
        at = best[number]
        near = (at - 1, at + 1) if axis.ordered else range(len(axis.values))
        for other in near:
            if other == at or not 0 <= other < len(axis.values):
                continue
            candidate = (*best[:number], other, *best[number + 1 :])
            overrides = space.overrides(candidate)
            rows = trials.measure(overrides, seeds)
            found.append(
                Step(
                    axis.name,
                    axis.values[other],
                    axis.values[at],
                    space.cost(candidate) - space.cost(best),
                    changes(base, rows),
                    trials.judge(overrides).missed,
                )
            )
    return found


def changes(base: Rows, rows: Rows) -> tuple[Estimate, ...]:
    """For each objective, the mean of the differences run for run."""
    found = []
    for before, after in zip(zip(*base, strict=True), zip(*rows, strict=True), strict=True):
        pairs = [*before, *after]
        if all(map(math.isfinite, pairs)):
            found.append(difference(before, after))
        else:
            found.append(mean_of([b - a for a, b in zip(before, after, strict=True)]))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stress:
    """A change of the world, not of the configuration: the least that breaks the plan.

    ``change``: in words; None where nothing that was tried does. ``tried``: the greatest.
    """

    what: str
    change: str | None
    tried: str
    missed: Objective | None


GROWTH = (1.01, 1.02, 1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 2.0, 3.0)
"""Times as much: of what may become more than was thought."""


def stresses(
    trials: Trials, best: Overrides, world: Sequence[tuple[str, str, float]]
) -> list[Stress]:
    """``world``: (what, the path that sets it, its value) of each thing that may grow."""
    return [_stress(trials, best, *each) for each in world]


def _stress(trials: Trials, best: Overrides, what: str, path: str, value: float) -> Stress:
    # One machine more may be the one too many, however small a share of all it is.
    rows = [str(int(value) + 1)] if path == "load.machines" else []
    for growth in GROWTH:
        more = value * growth
        text = f"{math.ceil(more - 1e-9)}" if path == "load.machines" else f"{more:.6g}"
        if not rows or rows[-1] != text:
            rows.append(text)
    told = [f"{float(text) / value - 1:+.0%}" for text in rows]
    if path == "load.machines":
        told = [f"{int(text) - int(value):+d}" for text in rows]
    low, high = -1, len(rows)
    missed = None
    while high - low > 1:
        # From below: what breaks is known after a run or two.
        middle = (low + high) // 2
        judged = trials.judge((*best, f"{path}={rows[middle]}"))
        if judged.kept:
            low = middle
        else:
            high, missed = middle, judged.missed
    return Stress(what, told[high] if high < len(rows) else None, told[-1], missed)
