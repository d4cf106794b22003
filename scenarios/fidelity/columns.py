"""What levels are compared in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """``floor``: what a relative error is of at least, in the measure's unit; below it a
    difference means nothing. None: the error is a plain difference, of a ratio."""

    measure: str
    title: str
    floor: float | None

    def error(self, one: float, other: float) -> float:
        """Of ``one``, where ``other`` is taken for true: a share of it, or points of a ratio."""
        if self.floor is None:
            return one - other
        return (one - other) / max(abs(other), self.floor)


COLUMNS = (
    Column("total_claim_seconds.p50", "claim P50", 0.001),
    Column("total_claim_seconds.p95", "claim P95", 0.001),
    Column("total_claim_seconds.p99", "claim P99", 0.001),
    Column("total_ready_seconds.p50", "ready P50", 0.001),
    Column("total_ready_seconds.p95", "ready P95", 0.001),
    Column("total_ready_seconds.p99", "ready P99", 0.001),
    Column("conflict_ratio", "conflicts", None),
    Column("queue_length", "queue", 1.0),
    Column("utilisation", "utilisation", None),
)
GOAL = "total_ready_seconds.p95"
GOALS = {("model", "code"): 0.10, ("code", "live"): 0.15}
"""The median absolute error of GOAL over all scenarios is to stay below this."""
COUNTS = ("machines_created", "claimed", "provisioned", "released", "unserved", "rejections")
"""Kept beside the columns: runs that did not do the same have no times to compare."""
KEPT = frozenset((*(column.measure for column in COLUMNS), *COUNTS))
