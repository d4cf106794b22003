"""All runs of a sweep as one table: CSV always, Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from scenarios.sweep.design import Design
from scenarios.sweep.runs import Key, Run

Cell = str | float | int | None


def columns(design: Design, runs: Mapping[Key, Run]) -> dict[str, list[Cell]]:
    """The table by its columns, a row a run, by point and seed.

    The grid's paths are texts as they were given; a measure is empty where there was none.
    """
    ordered = [runs[key] for key in sorted(runs)]
    points = [design.points[run.point] for run in ordered]
    table: dict[str, list[Cell]] = {
        "point": [run.point for run in ordered],
        "seed": [run.seed for run in ordered],
    }
    for axis in design.axes:
        table[axis.path] = [point.values[axis.path] for point in points]
    for name in _names(ordered):
        table[name] = [run.metrics.get(name) for run in ordered]
    table["wall_seconds"] = [run.wall_seconds for run in ordered]
    table["shortfalls"] = ["; ".join(run.shortfalls) for run in ordered]
    table["error"] = [run.error for run in ordered]
    return table


def _names(runs: Iterable[Run]) -> list[str]:
    names: dict[str, None] = {}
    for run in runs:
        names.update(dict.fromkeys(run.metrics))
    return list(names)


def save(table: Mapping[str, list[Cell]], folder: Path) -> list[Path]:
    """Writes ``runs.csv``, and ``runs.parquet`` if it can. Raises OSError."""
    path = folder / "runs.csv"
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        # A number's shortest text that reads back as the same: what csv writes of a float.
        writer.writerows(zip(*table.values(), strict=True))
    os.replace(part, path)
    if find_spec("pyarrow") is None:
        return [path]
    return [path, _save_parquet(table, folder / "runs.parquet")]


def _save_parquet(table: Mapping[str, list[Cell]], path: Path) -> Path:
    import pyarrow
    from pyarrow import parquet

    numbers = {"point": pyarrow.int64(), "seed": pyarrow.uint64()}
    arrays = {
        name: pyarrow.array(cells, type=numbers.get(name) or _type(cells, pyarrow))
        for name, cells in table.items()
    }
    part = path.with_suffix(".part")
    parquet.write_table(pyarrow.table(arrays), part)
    os.replace(part, path)
    return path


def _type(cells: Iterable[Cell], pyarrow: object) -> object:
    """Texts are texts; all else is a measure, also where no run had it."""
    make = "string" if any(isinstance(cell, str) for cell in cells) else "float64"
    return getattr(pyarrow, make)()
