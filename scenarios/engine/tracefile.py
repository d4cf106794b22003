"""Arrivals from a CSV file: which machines came when, as they were recorded somewhere.

Its first line names the columns: ``seconds`` after the load's start, or a ``timestamp`` in ISO
8601 (UTC where it names no zone; the first is the load's start); and, where wanted, ``variant``
(position in ``load.mix``, from 1) and ``lifetime_seconds``. An empty cell of these two says
nothing.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from beskar7.api.problems import DocumentError, Problem, Problems, Where, closest
from scenarios.engine.act_fields import MAX_MACHINES
from scenarios.engine.schema import Coming

MAX_BYTES = 8 * 1024 * 1024
"""Eighty bytes for each of the machines that a load may have."""
MAX_RECORDED = 366 * 86_400.0
"""Seconds from the first to the last arrival."""
MAX_VARIANT = 50
TIMES = ("seconds", "timestamp")
COLUMNS = (*TIMES, "variant", "lifetime_seconds")
SHOWN = 40
"""Characters of a bad cell in a message."""


def read_trace(path: Path) -> tuple[Coming, ...]:
    """The arrivals in order of time; those of one moment as they stand in the file.

    Raises :class:`DocumentError` with file, line and column of everything that is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _error(Where(str(path)), f"cannot read it: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise _error(Where(str(path)), f"is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(Where(str(path), line), "is not UTF-8 text") from None
    return parse_trace(text, str(path))


def parse_trace(text: str, source: str) -> tuple[Coming, ...]:
    """As :func:`read_trace`, of a text; ``source`` names it in errors."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    problems = Problems()
    columns: list[str] | None = None
    rows: list[Coming] = []
    try:
        for cells in reader:
            where = Where(source, reader.line_num)
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _columns(cells, where)
            elif len(cells) != len(columns):
                said = f"has {len(cells)} cells, but the first line names {len(columns)} columns"
                problems.add(where, "", said)
            elif len(rows) == MAX_MACHINES:
                raise _error(where, f"more than {MAX_MACHINES} arrivals")
            else:
                rows.append(_row(dict(zip(columns, cells, strict=True)), where, problems))
    except csv.Error as error:
        raise _error(Where(source, reader.line_num), f"not valid CSV: {error}") from None
    problems.raise_if_any()
    if columns is None or not rows:
        raise _error(Where(source, 1), "holds no arrivals; the first line names the columns")
    rows.sort(key=lambda row: row.at)
    first = rows[0].at if "timestamp" in columns else 0.0
    if rows[-1].at - first > MAX_RECORDED:
        days = f"{(rows[-1].at - first) / 86_400.0:.4g}"
        raise _error(Where(source), f"its arrivals span {days} days; the limit is a year")
    return tuple(replace(row, at=row.at - first) for row in rows)


def _columns(cells: list[str], where: Where) -> list[str]:
    names = [cell.strip() for cell in cells]
    problems = Problems()
    for name in names:
        if name not in COLUMNS:
            problems.add(where, name[:SHOWN], f"unknown column; {closest(name[:SHOWN], COLUMNS)}")
        elif names.count(name) > 1:
            problems.add(where, name, "stands twice")
    if not problems.found and sum(name in TIMES for name in names) != 1:
        problems.add(where, "", "needs one of the columns seconds and timestamp")
    problems.raise_if_any()
    return names


def _row(cells: Mapping[str, str], where: Where, problems: Problems) -> Coming:
    """The arrival; what is wrong with it goes to ``problems``."""

    def wrong(column: str, message: str) -> None:
        problems.add(where, column, f'"{cells[column].strip()[:SHOWN]}" {message}')

    def number(column: str, low: float) -> float | None:
        try:
            value = float(cells[column])
        except ValueError:
            value = math.nan
        if low <= value <= MAX_RECORDED:
            return value
        wrong(column, f"is not a number of seconds from {low:g} to {MAX_RECORDED:g}")
        return None

    at = 0.0
    if "seconds" in cells:
        at = number("seconds", 0.0) or 0.0
    else:
        try:
            moment = datetime.fromisoformat(cells["timestamp"].strip())
            at = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            wrong("timestamp", "is not a time such as 2026-03-02T09:00:00Z")
    variant = lifetime = None
    if text := cells.get("variant", "").strip():
        if text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= MAX_VARIANT:
            variant = int(text) - 1
        else:
            wrong("variant", f"is not a position in load.mix, from 1 to {MAX_VARIANT}")
    if cells.get("lifetime_seconds", "").strip():
        lifetime = number("lifetime_seconds", 0.001)
    return Coming(at, variant, lifetime)


def _error(where: Where, message: str) -> DocumentError:
    return DocumentError([Problem(where, "", message)])
