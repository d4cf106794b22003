"""The numbers behind a plot, as a table: for readers without a picture, and for copying."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.engine.measure_names import Unit
from scenarios.engine.measures import percentile
from scenarios.pages.content import Cell, Plot, Series, Table, Value
from scenarios.pages.grids import names
from scenarios.pages.units import named

SHARES = (0.5, 0.9, 0.95, 0.99, 1.0)
ROWS = 100
"""Rows shown of one plot; who wants more wants the data, not a page."""


def table(plot: Plot) -> Table:
    """Each value with its interval; of samples their quantiles."""
    if plot.kind in ("ecdf", "distribution"):
        head = ["", "samples", *("max" if s == 1 else f"P{s * 100:g}" for s in SHARES)]
        return Table(head, [_quantiles(plot, series) for series in plot.series])
    unit = (plot.value or plot.y).unit
    if plot.kind in ("bars", "heat") or not plot.series:
        keys: list[str] = names(plot)
        cells = [
            dict(zip((named(x, plot.x.unit) for x in s.xs), _values(s, unit), strict=True))
            for s in plot.series
        ]
        rows: list[list[Cell]] = [[k, *(found.get(k) for found in cells)] for k in keys]
    else:
        places = sorted({float(x) for series in plot.series for x in series.xs})
        found = [dict(zip(map(float, s.xs), _values(s, unit), strict=True)) for s in plot.series]
        rows = [[Value(at, plot.x.unit), *(each.get(at) for each in found)] for at in places]
    every = max(1, -(-len(rows) // ROWS))
    note = f"One of {every} rows, of {len(rows)}." if every > 1 else ""
    return Table([plot.x.label, *(series.name for series in plot.series)], rows[::every], note)


def _values(series: Series, unit: Unit) -> Sequence[Value]:
    return [
        Value(
            value,
            unit,
            series.low[number] if series.low else None,
            series.high[number] if series.high else None,
        )
        for number, value in enumerate(series.ys)
    ]


def _quantiles(plot: Plot, series: Series) -> list[Cell]:
    samples = [float(x) for x in series.xs]
    if not samples:
        return [series.name, 0, *([None] * len(SHARES))]
    found = [Value(percentile(samples, share), plot.x.unit) for share in SHARES]
    return [series.name, len(samples), *found]
