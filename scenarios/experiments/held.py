"""How far the level of an experiment is from another one, at the points of its check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median

from scenarios.engine.measure_names import MEASURES
from scenarios.experiments.files import Experiment
from scenarios.pages.content import Cell, Table
from scenarios.pages.units import said
from scenarios.sweep.curves import point_names
from scenarios.sweep.design import Design, Point
from scenarios.sweep.runs import Key, Run

HELD_TITLE = "Is the model right there?"
Played = tuple[Design, Mapping[Key, Run]]


@dataclass(frozen=True, slots=True)
class Held:
    """``errors`` by measure, of each point that has both: shares of the other level's value, and
    differences for a measure that is a ratio itself."""

    text: str
    table: Table
    errors: Mapping[str, tuple[float, ...]]


def compare(experiment: Experiment, own: Played, other: Played) -> Held:
    """Means over the seeds of the check, point by point; the other level is taken for true."""
    assert experiment.check is not None, experiment.name
    (design, runs), (other_design, other_runs) = own, other
    errors: dict[str, list[float]] = {name: [] for name in experiment.measures}
    rows: list[list[Cell]] = []
    for point in design.points:
        row: list[Cell] = list(point_names(experiment.check.factors, point.number))
        for name in experiment.measures:
            mine, true = _mean(point, runs, name), _mean(point, other_runs, name)
            row.append(_cell(name, mine, true))
            if mine is not None and true is not None and (true or _is_ratio(name)):
                errors[name].append(_error(name, mine, true))
        rows.append(row)
    heads = [*(each.label for each in experiment.check.factors), *experiment.measures]
    kept = {name: tuple(found) for name, found in errors.items() if found}
    told = [
        f"of {name} the median absolute error is {_share(name, median(map(abs, found)))}, "
        f"the largest {_share(name, max(map(abs, found)))}"
        for name, found in kept.items()
    ]
    seeds = other_design.seeds
    text = (
        f"{len(design.points)} points, played at the level `{design.fidelity}` and, for true, at "
        f"`{other_design.fidelity}`, seeds {seeds[0]}..{seeds[-1]} both: {'; '.join(told)}. "
        f"Cells: `{design.fidelity}` / `{other_design.fidelity}`, and the error."
    )
    if experiment.check.overrides:
        text += f" At all of them {', '.join(experiment.check.overrides)}."
    return Held(text, Table(heads, rows), kept)


def _mean(point: Point, runs: Mapping[Key, Run], measure: str) -> float | None:
    values = [run.metrics.get(measure) for (at, _), run in runs.items() if at == point.number]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _is_ratio(measure: str) -> bool:
    return MEASURES[measure].unit == "ratio"


def _error(measure: str, mine: float, true: float) -> float:
    return mine - true if _is_ratio(measure) else (mine - true) / true


def _share(measure: str, error: float) -> str:
    return f"{100 * error:.1f}{' points' if _is_ratio(measure) else ' %'}"


def _cell(measure: str, mine: float | None, true: float | None) -> str:
    unit = MEASURES[measure].unit
    text = f"{said(mine, unit)} / {said(true, unit)}"
    if mine is None or true is None or not (true or _is_ratio(measure)):
        return text
    error = _error(measure, mine, true)
    return f"{text}: {'+' if error >= 0 else ''}{_share(measure, error)}"
