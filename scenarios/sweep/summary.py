"""What the runs of a sweep tell: means with intervals at each point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from beskar7.api.problems import DocumentError, Problem, Where, closest
from scenarios.engine.measure_names import MEASURES
from scenarios.models.estimates import Estimate, estimate
from scenarios.sweep.design import Design, Point
from scenarios.sweep.runs import Key, Run

USUAL = (
    "total_claim_seconds.p95",
    "total_ready_seconds.p95",
    "queue_seconds.p95",
    "utilisation",
    "conflict_ratio",
)
"""Shown when nothing is asked for, if there is anything of them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One point. ``estimates`` lacks what no run measured. ``broken``: runs with a broken promise;
    ``lost``: runs that gave no metrics."""

    point: Point
    runs: int
    estimates: Mapping[str, Estimate]
    broken: int
    lost: int


def read_measures(text: str, flag: str = "--measures") -> tuple[str, ...]:
    """Names between commas. Raises DocumentError with the nearest for one that does not exist."""
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in MEASURES:
            message = f"no measure of this name; {closest(name, MEASURES)}"
            raise DocumentError([Problem(Where(f"{flag} {name}"[:200]), "", message)])
    return names


def values(runs: Iterable[Run], measure: str) -> list[float]:
    """What the runs measured, by seed; those that had nothing to measure are left out."""
    found = [run.metrics.get(measure) for run in sorted(runs, key=lambda run: run.seed)]
    return [value for value in found if value is not None]


def summary(
    design: Design, runs: Mapping[Key, Run], measures: Sequence[str], confidence: float = 0.95
) -> list[Row]:
    """A row for each point, in the grid's order."""
    by_point: dict[int, list[Run]] = {}
    for run in runs.values():
        by_point.setdefault(run.point, []).append(run)
    rows = []
    for point in design.points:
        found = by_point.get(point.number, [])
        estimates = {
            name: estimate(measured, confidence)
            for name in measures
            if (measured := values(found, name))
        }
        broken = sum(bool(run.shortfalls) for run in found)
        lost = sum(bool(run.error) for run in found)
        rows.append(Row(point, len(found), estimates, broken, lost))
    return rows


def usual_measures(runs: Iterable[Run]) -> tuple[str, ...]:
    """Those of :data:`USUAL` that some run has."""
    known = {name for run in runs for name, value in run.metrics.items() if value is not None}
    return tuple(name for name in USUAL if name in known)
