"""A sweep's page: where each measure is least and most, the curves, and every figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scenarios.engine.measure_names import MEASURES
from scenarios.models.estimates import Estimate, Shown
from scenarios.pages.content import Cell, Figure, Page, Section, Table, Value, Verdict
from scenarios.pages.units import said, span
from scenarios.sweep.curves import Factor, factor, main_factor, plots, point_names
from scenarios.sweep.design import Design
from scenarios.sweep.runs import Key, Run
from scenarios.sweep.summary import Row, summary

FIGURES = 4
"""Fit on the first screen of a phone."""


def sweep_page(
    design: Design, runs: Mapping[Key, Run], measures: Sequence[str], command: str
) -> Page:
    factors = [factor(group) for group in design.groups]
    rows = summary(design, runs, measures)
    fell = sum(bool(run.error or run.shortfalls) for run in runs.values())
    seeds = f"seeds {design.seeds[0]}..{design.seeds[-1]}"
    told = [text for name in measures if (text := _extremes(factors, rows, name))]
    x = main_factor(factors)
    pictures = [plot for name in measures for plot in plots(factors, runs, name, x)]
    varied = ", ".join(each.label for each in factors)
    left = design.count - len(runs)
    missing = f" {left} of {design.count} runs were not played yet." if left else ""
    return Page(
        title="Sweep",
        question=f"What does {varied} do to {design.source}?",
        answer="\n\n".join(told) or "Nothing was measured.",
        verdict=Verdict(f"{fell} runs fell short", "bad") if fell else Verdict("all runs held"),
        seed=seeds,
        command=command,
        figures=_figures(factors, rows, measures, seeds, command),
        sections=(
            Section("Measures", "Each point is a mean over the seeds.", plots=pictures),
            Section(
                "All points",
                f"{len(runs)} runs at the level `{design.fidelity}`.{missing}",
                tables=(to_page_table(factors, rows, measures),),
            ),
        ),
    )


def to_page_table(factors: Sequence[Factor], rows: Sequence[Row], measures: Sequence[str]) -> Table:
    """A row for each point, with intervals."""
    cells: list[list[Cell]] = []
    for row in rows:
        found: list[Cell] = list(point_names(factors, row.point.number))
        for name in measures:
            each = row.estimates.get(name)
            found.append(None if each is None else Value.of(Shown.of(each), MEASURES[name].unit))
        cells.append([*found, row.runs])
    note = "Means over the runs, with the 95 % interval of the mean (Student)."
    return Table([*(each.label for each in factors), *measures, "runs"], cells, note)


def _ranked(rows: Sequence[Row], measure: str) -> list[tuple[Estimate, Row]]:
    """The points that have the measure, the least mean first."""
    found = [(each, row) for row in rows if (each := row.estimates.get(measure)) is not None]
    return sorted(found, key=lambda pair: (pair[0].mean, pair[1].point.number))


def _extremes(factors: Sequence[Factor], rows: Sequence[Row], measure: str) -> str:
    ranked = _ranked(rows, measure)
    if not ranked:
        return ""
    (low, least), (high, most) = ranked[0], ranked[-1]
    if low.mean == high.mean:
        return f"`{measure}` is {_text(low, measure)} at every point."
    return (
        f"`{measure}` is least, {_text(low, measure)}, at {_where(factors, least)}, and most, "
        f"{_text(high, measure)}, at {_where(factors, most)}."
    )


def _where(factors: Sequence[Factor], row: Row) -> str:
    names = point_names(factors, row.point.number)
    return ", ".join(f"{each.label} {name}" for each, name in zip(factors, names, strict=True))


def _text(estimate: Estimate, measure: str) -> str:
    unit, each = MEASURES[measure].unit, Shown.of(estimate)
    within = span(each.low, each.high, unit)
    return said(each.mean, unit) + (f" ({within})" if within else "")


def _figures(
    factors: Sequence[Factor],
    rows: Sequence[Row],
    measures: Sequence[str],
    seeds: str,
    command: str,
) -> list[Figure]:
    found = []
    for name in measures[:FIGURES]:
        for estimate, row in _ranked(rows, name)[:1]:
            label = f"least {name}, at {_where(factors, row)}"
            found.append(Figure.of(label, Shown.of(estimate), seeds, command, MEASURES[name].unit))
    return found
