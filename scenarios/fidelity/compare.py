"""The error of each level against the next truer one, from runs with the same seeds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

from scenarios.engine.clocks import LEVELS, Fidelity
from scenarios.fidelity.columns import COLUMNS, GOAL, GOALS, Column
from scenarios.fidelity.runs import Kept
from scenarios.fidelity.scenarioset import tuned
from scenarios.models.estimates import Estimate, estimate


@dataclass(frozen=True, slots=True)
class Cell:
    """``error`` is the mean over the seeds of each pair of runs, with Student's interval; ``one``
    and ``other`` are the means of the measure at the two levels."""

    error: Estimate
    one: float
    other: float


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario. ``cells`` by measure, without those that no pair of runs has.

    ``remarks``: what was refused, fell short or was too slow, in words.
    """

    scenario: str
    seen: bool
    seeds: tuple[int, ...]
    cells: Mapping[str, Cell]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pair:
    """All scenarios at one level, against the next."""

    one: Fidelity
    other: Fidelity
    rows: Sequence[Row]

    def median(self, measure: str, *, unseen: bool = False) -> float | None:
        """Of the absolute errors over the scenarios; ``unseen``: those that tuned nothing."""
        errors = [
            abs(row.cells[measure].error.mean)
            for row in self.rows
            if measure in row.cells and not (unseen and row.seen)
        ]
        return median(errors) if errors else None

    @property
    def goal(self) -> float | None:
        return GOALS.get((self.one, self.other))

    @property
    def held(self) -> bool | None:
        """Whether the goal is reached; None: there is none, or nothing was compared."""
        found = self.median(GOAL)
        return None if found is None or self.goal is None else found < self.goal


def pairs(runs: Iterable[Kept], levels: Sequence[Fidelity]) -> list[Pair]:
    """Each of ``levels`` with the next of them, from the fastest on."""
    found = list(runs)
    names = list(dict.fromkeys(run.scenario for run in found))
    ordered = sorted(levels, key=LEVELS.index)
    return [
        Pair(one, other, [_row(name, found, one, other) for name in names])
        for one, other in pairwise(ordered)
    ]


def _row(name: str, runs: Iterable[Kept], one: Fidelity, other: Fidelity) -> Row:
    own = [run for run in runs if run.scenario == name]
    # As everywhere: what the harness could not keep up with says nothing on speed.
    fit = [run for run in own if not (run.disturbed or run.bottleneck)]
    left = {run.seed: run for run in fit if run.level == one}
    right = {run.seed: run for run in fit if run.level == other}
    seeds = tuple(sorted(left.keys() & right.keys()))
    both = [(left[seed], right[seed]) for seed in seeds]
    cells = {
        column.measure: cell for column in COLUMNS if (cell := _cell(column, both)) is not None
    }
    remarks = [remark for run in own if run.level in (one, other) for remark in _remarks(run)]
    return Row(name, tuned(name), seeds, cells, tuple(dict.fromkeys(remarks)))


def _cell(column: Column, both: Iterable[tuple[Kept, Kept]]) -> Cell | None:
    values = [
        (left.metrics.get(column.measure), right.metrics.get(column.measure))
        for left, right in both
    ]
    known = [(a, b) for a, b in values if a is not None and b is not None]
    if not known:
        return None
    return Cell(
        estimate([column.error(a, b) for a, b in known]),
        math.fsum(a for a, _ in known) / len(known),
        math.fsum(b for _, b in known) / len(known),
    )


def _remarks(run: Kept) -> Iterable[str]:
    if run.refused:
        yield f"{run.level}: {run.refused}"
    for said in run.shortfalls:
        yield f"{run.level}, seed {run.seed}: {said}"
    if run.disturbed:
        did = f"the machine did other work, load {run.load:g} a core"
        yield f"{run.level}, seed {run.seed}: not compared, {did}"
    if run.bottleneck:
        did = f"the harness was the bottleneck: {run.bottleneck}"
        yield f"{run.level}, seed {run.seed}: not compared, {did}"


def to_json(found: Sequence[Pair]) -> list[dict[str, Any]]:
    return [
        {
            "level": pair.one,
            "against": pair.other,
            "goal": pair.goal,
            "held": pair.held,
            "median": {c.measure: pair.median(c.measure) for c in COLUMNS},
            "median_unseen": {c.measure: pair.median(c.measure, unseen=True) for c in COLUMNS},
            "scenarios": [_row_json(row) for row in pair.rows],
        }
        for pair in found
    ]


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "scenario": row.scenario,
        "tuned_the_model": row.seen,
        "seeds": row.seeds,
        "errors": {
            measure: {
                "mean": cell.error.mean,
                "half_width": cell.error.half if math.isfinite(cell.error.half) else None,
                "level": cell.one,
                "against": cell.other,
            }
            for measure, cell in row.cells.items()
        },
        "remarks": row.remarks,
    }
