"""``fidelity.html``: the errors as one page, the answer first."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence

from scenarios.engine.measure_names import MEASURES
from scenarios.fidelity.columns import COLUMNS, GOAL, Column
from scenarios.fidelity.compare import Cell as Compared
from scenarios.fidelity.compare import Pair, Row
from scenarios.fidelity.show import LEGEND, name_of, verdict
from scenarios.pages.content import (
    Axis,
    Cell,
    Figure,
    Mark,
    Page,
    Plot,
    Section,
    Series,
    Table,
    Value,
    Verdict,
)


def page(pairs: Sequence[Pair], seed: str, command: str, made: str) -> Page:
    """``seed`` and ``command`` tell how to get the same; ``made`` when and on what."""
    held = [pair.held for pair in pairs]
    return Page(
        title="Fidelity",
        question=f"How far is {' from '.join(_levels(pairs))}?",
        answer=". ".join(map(verdict, pairs)) + ".",
        verdict=_verdict(held),
        seed=seed,
        command=command,
        figures=[figure for pair in pairs for figure in _figures(pair, seed, command)],
        sections=[_section(pair) for pair in pairs],
        made=made,
    )


def machine() -> str:
    """On what it was played: times of live runs are this machine's."""
    cores, python = os.cpu_count(), platform.python_version()
    return f"on {cores} cores, {platform.system()}, Python {python}"


def _levels(pairs: Sequence[Pair]) -> list[str]:
    return [*(pair.one for pair in pairs), pairs[-1].other]


def _verdict(held: Sequence[bool | None]) -> Verdict:
    if False in held:
        return Verdict("goal missed", "bad")
    return Verdict("goal held", "good") if True in held else Verdict("no goal", "plain")


def _figures(pair: Pair, seed: str, command: str) -> list[Figure]:
    """The median of the goal's measure, over all and over what tuned nothing."""
    name = f"{pair.one.capitalize()} against {pair.other}"
    found = []
    for unseen in (False, True):
        rows = [r for r in pair.rows if GOAL in r.cells and not (unseen and r.seen)]
        label = f"{name}: ready P95, median error" + (", unseen" if unseen else "")
        note = f"median of {len(rows)} scenarios"
        value = pair.median(GOAL, unseen=unseen)
        found.append(Figure(label, value, seed, command, "ratio", note=note))
    return found


def _section(pair: Pair) -> Section:
    rows = [row for row in pair.rows if row.cells]
    remarks = [f"`{row.scenario}`: {said}" for row in pair.rows for said in row.remarks]
    return Section(
        f"{pair.one.capitalize()} against {pair.other}",
        "\n\n".join([f"{verdict(pair)}. {LEGEND}", *remarks]),
        plots=[_errors(pair, rows), _values(pair, rows)] if rows else [],
        tables=[
            Table(
                ["scenario", *(column.title for column in COLUMNS), "seeds"],
                [_row(row) for row in pair.rows],
                title=f"Error of {pair.one}, where {pair.other} is true",
            )
        ],
    )


def _row(row: Row) -> list[Cell]:
    cells = [_value(row.cells.get(column.measure)) for column in COLUMNS]
    return [name_of(row), *cells, len(row.seeds)]


def _value(cell: Compared | None) -> Value | None:
    if cell is None:
        return None
    low, high = _ends(cell)
    return Value(cell.error.mean, "ratio", low, high)


def _ends(cell: Compared) -> tuple[float | None, float | None]:
    known = math.isfinite(cell.error.half)
    return (cell.error.low, cell.error.high) if known else (None, None)


def _errors(pair: Pair, rows: Sequence[Row]) -> Plot:
    """The goal's measure, scenario by scenario."""
    own = [row for row in rows if GOAL in row.cells]
    ends = [_ends(row.cells[GOAL]) for row in own]
    marks = []
    if pair.goal is not None:
        marks = [Mark(at, f"goal {at:+.0%}") for at in (-pair.goal, pair.goal)]
    return Plot(
        f"Error of {pair.one} in the P95 of the time to Provisioned",
        Axis("scenario"),
        Axis("error", "ratio"),
        [
            Series(
                "error",
                [name_of(row) for row in own],
                [row.cells[GOAL].error.mean for row in own],
                [low for low, _ in ends],
                [high for _, high in ends],
                [row.cells[GOAL].error.count for row in own],
            )
        ],
        kind="bars",
        marks=marks,
    )


def _values(pair: Pair, rows: Sequence[Row]) -> Plot:
    """Both levels' times beside each other: a scenario on the diagonal has no error."""
    column = next(column for column in COLUMNS if column.measure == GOAL)
    return Plot(
        f"{column.title} at both levels",
        Axis("scenario"),
        Axis(column.title, MEASURES[GOAL].unit),
        [_level(column, rows, pair.one, first=True), _level(column, rows, pair.other, first=False)],
        kind="bars",
    )


def _level(column: Column, rows: Sequence[Row], name: str, *, first: bool) -> Series:
    own = [row for row in rows if column.measure in row.cells]
    cells = [row.cells[column.measure] for row in own]
    return Series(name, [name_of(row) for row in own], [c.one if first else c.other for c in cells])
