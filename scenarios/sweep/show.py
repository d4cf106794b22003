"""A sweep's results on the terminal, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from scenarios.engine.checks import format_value
from scenarios.engine.measure_names import MEASURES
from scenarios.models.estimates import Estimate
from scenarios.sweep.curves import Factor, point_names
from scenarios.sweep.design import Design
from scenarios.sweep.runs import Key, Run
from scenarios.sweep.summary import Row

SHOWN_ERRORS = 10
WIDTH = 160
"""Columns of a table that goes to no terminal."""


def tables_console() -> Console:
    """For standard output: as wide as the terminal, and wide enough where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def to_table(factors: Sequence[Factor], rows: Sequence[Row], measures: Sequence[str]) -> Table:
    """A row for each point; each measure with its 95 % interval over the seeds."""
    heads = [Column(factor.label) for factor in factors]
    heads += [Column(name, justify="right") for name in measures]
    table = Table(*heads, Column("runs", justify="right"), box=None, header_style="bold")
    for row in rows:
        cells: list[str | Text] = list(point_names(factors, row.point.number))
        cells += [interval_text(row.estimates.get(name), name) for name in measures]
        bad = row.broken + row.lost
        runs = f"{row.runs}, {bad} fell short" if bad else str(row.runs)
        table.add_row(*cells, Text(runs, style="bold red" if bad else ""))
    return table


def interval_text(estimate: Estimate | None, measure: str) -> str:
    """``12.3s ± 0.4s``; of one run there is no interval."""
    if estimate is None:
        return "-"
    unit = MEASURES[measure].unit
    mean = format_value(estimate.mean, unit)
    if math.isinf(estimate.half):
        return mean
    return f"{mean} \N{PLUS-MINUS SIGN} {format_value(estimate.half, unit)}"


def error_lines(design: Design, runs: Mapping[Key, Run]) -> list[str]:
    """A line for each run that broke a promise or gave no result."""
    return [
        f"{design.points[run.point]}, seed {run.seed}: {run.error or '; '.join(run.shortfalls)}"
        for _, run in sorted(runs.items())
        if run.error or run.shortfalls
    ]


def to_json(design: Design, rows: Sequence[Row], ending: str) -> dict[str, Any]:
    """Half-widths are of the 95 % interval of the mean over seeds; null for a single run."""
    return {
        "ending": ending,
        "scenario": design.source,
        "fidelity": design.fidelity,
        "seeds": [design.seeds[0], design.seeds[-1]],
        "points": [
            {
                "settings": row.point.values,
                "runs": row.runs,
                "fell_short": row.broken + row.lost,
                "measures": {
                    name: {
                        "mean": each.mean,
                        "half_width": each.half if math.isfinite(each.half) else None,
                        "runs": each.count,
                    }
                    for name, each in row.estimates.items()
                },
            }
            for row in rows
        ],
    }
