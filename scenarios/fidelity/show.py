"""The errors as tables: for a terminal, and for a page of Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from scenarios.fidelity.columns import COLUMNS, GOAL
from scenarios.fidelity.compare import Cell, Pair, Row

WIDE = 1000
"""Columns that a table may have."""
SEEN = "*"
"""Behind the name of a scenario that the model was tuned on."""
LEGEND = (
    f"{SEEN} the model was tuned on it. Errors are of the first level where the second is true, "
    "with the 95 % interval of their mean over the seeds: of times and the queue as a share, of "
    "conflicts and utilisation in points."
)


def cell_text(cell: Cell | None) -> str:
    """``+3.1 ±0.8``, in percent or points."""
    if cell is None:
        return "-"
    half = f" ±{100 * cell.error.half:.1f}" if math.isfinite(cell.error.half) else ""
    return f"{100 * cell.error.mean:+.1f}{half}"


def name_of(row: Row) -> str:
    return f"{row.scenario}{SEEN if row.seen else ''}"


def verdict(pair: Pair) -> str:
    """One line on the goal."""
    found = pair.median(GOAL)
    name = f"{pair.one.capitalize()} against {pair.other}"
    if found is None:
        return f"{name}: nothing was compared"
    unseen = pair.median(GOAL, unseen=True)
    said = f"{name}: median absolute error of ready P95 {found:.1%}"
    if unseen is not None:
        said += f", {unseen:.1%} of those that tuned nothing"
    if pair.goal is not None:
        said += f"; the goal is below {pair.goal:.0%}: {'held' if pair.held else 'MISSED'}"
    return said


def medians(pair: Pair, *, unseen: bool) -> list[str]:
    found = [pair.median(column.measure, unseen=unseen) for column in COLUMNS]
    return ["-" if value is None else f"{100 * value:.1f}" for value in found]


def tell(pairs: Sequence[Pair], console: Console) -> None:
    for pair in pairs:
        title = f"{pair.one} against {pair.other}, errors in %"
        table = Table("scenario", box=None, header_style="bold", title=title, title_justify="left")
        for column in COLUMNS:
            table.add_column(column.title, justify="right", no_wrap=True)
        for row in pair.rows:
            cells = (row.cells.get(column.measure) for column in COLUMNS)
            table.add_row(Text(name_of(row)), *map(cell_text, cells))
        table.add_row(Text("median", "bold"), *medians(pair, unseen=False))
        table.add_row(Text("median, unseen", "bold"), *medians(pair, unseen=True))
        # Whole numbers, however narrow the terminal: a cut one is another number.
        options = console.options.update(max_width=WIDE)
        wanted = Measurement.get(console, options, table).maximum
        console.width = max(console.width, wanted)
        console.print(table)
        for row in pair.rows:
            for remark in row.remarks:
                console.print(Text(f"{row.scenario}: {remark}", "yellow"), soft_wrap=True)
        console.print()
    if any(row.seen for pair in pairs for row in pair.rows):
        console.print(LEGEND, soft_wrap=True)
    for pair in pairs:
        style = {True: "bold green", False: "bold red", None: "yellow"}[pair.held]
        console.print(Text(verdict(pair), style), soft_wrap=True)


def markdown(pairs: Sequence[Pair]) -> Iterator[str]:
    """Lines of the published page."""
    for pair in pairs:
        yield f"### {pair.one.capitalize()} against {pair.other}"
        yield ""
        yield f"{verdict(pair)}."
        yield ""
        yield "| scenario | " + " | ".join(column.title for column in COLUMNS) + " | seeds |"
        yield "|---" * (len(COLUMNS) + 2) + "|"
        for row in pair.rows:
            cells = (cell_text(row.cells.get(column.measure)) for column in COLUMNS)
            yield f"| {name_of(row)} | {' | '.join(cells)} | {len(row.seeds)} |"
        yield f"| **median** | {' | '.join(medians(pair, unseen=False))} | |"
        yield f"| **median, unseen** | {' | '.join(medians(pair, unseen=True))} | |"
        yield ""
        remarks = [f"- {row.scenario}: {said}" for row in pair.rows for said in row.remarks]
        if remarks:
            yield from [*remarks, ""]
    yield LEGEND.replace(SEEN, "\\" + SEEN, 1)
