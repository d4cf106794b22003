"""The page of a load on a cluster: what its clients saw, for there is nothing else to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.lifecycle import TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE
from loadtest.shapes import Shape
from scenarios.pages.content import Cell, Figure, Page, Section, Table, Value, Verdict

MEASURES = (TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE)
STATISTICS = ("p50", "p95", "p99", "max")
NOTE = "one run: its error is not known"


def load_page(made: Shape, found: Mapping[str, Any], command: str) -> Page:
    """``found``: see :func:`loadtest.report.summary`."""
    served = found["measures"][TIME_TO_PROVISIONED]["count"]
    words = str(found["verdict"])
    return Page(
        title="Load",
        question=f"What do the owners of machines see, when {made.description}?",
        answer=f"{served} machines were Provisioned; {words}.{_busy(found)}",
        verdict=Verdict("held", "good") if found["passed"] else Verdict(words, "bad"),
        seed="live: none",
        command=command,
        figures=tuple(
            Figure(
                f"{name}, P95",
                found["measures"][name].get("p95"),
                "live: none",
                command,
                "seconds",
                note=NOTE,
            )
            for name in MEASURES
        ),
        sections=(
            Section(
                "Times",
                "A client counts from its request to its own news.",
                tables=(measures_table(found),),
            ),
            Section("What happened", tables=tuple(_others(found))),
        ),
    )


def measures_table(found: Mapping[str, Any]) -> Table:
    rows: list[list[Cell]] = []
    for name, row in found["measures"].items():
        times: list[Cell] = [Value(row.get(each), "seconds") for each in STATISTICS]
        rows.append([name, row["count"], row["failed"], *times])
    return Table(["measure", "count", "promises broken", *STATISTICS], rows)


def _busy(found: Mapping[str, Any]) -> str:
    if not found["saturated"]:
        return ""
    return " The load generator itself was too busy: its times are upper bounds."


def _others(found: Mapping[str, Any]) -> list[Table]:
    rows: list[list[Cell]] = [["claim attempts", "unknown"]]
    if found["claim_attempts"] is not None:
        rows = [[f"claim attempts: {name}", n] for name, n in found["claim_attempts"].items()]
    rows += [[name, count] for name, count in found["outcomes"].items()]
    rows += [[f"broken: {text}", count] for text, count in found["broken_promises"].items()]
    tables = [Table(["outcome", "count"], rows)]
    if judged := found.get("thresholds"):
        cells: list[list[Cell]] = [
            [row["measure"], row["bound"], row["value"], row["outcome"]] for row in judged
        ]
        tables.append(Table(["threshold", "bound", "value", "outcome"], cells))
    return tables
