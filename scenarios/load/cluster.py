"""The result of a load on a cluster that we only see from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loadtest.lifecycle import TIME_TO_CLAIM, TIME_TO_PROVISIONED, TIME_TO_RELEASE
from loadtest.shapes import Shape

NAMES = {
    TIME_TO_CLAIM: "claim_seconds",
    TIME_TO_PROVISIONED: "ready_seconds",
    TIME_TO_RELEASE: "release_seconds",
}
"""A client's measures by the names that scenarios have for them. A client counts from its own
request to its own news, so its times are longer by both ways."""
STATISTICS = ("count", "mean", "p50", "p95", "p99", "max")


def result_of(
    made: Shape, found: Mapping[str, Any], wall_seconds: float, *, interrupted: bool = False
) -> dict[str, Any]:
    """``result.json`` as a scenario has it, as far as a client can tell: no invariants, no logs."""
    metrics: dict[str, float | None] = {}
    for name, known in NAMES.items():
        row = found["measures"].get(name, {})
        metrics.update({f"{known}.{key}": row.get(key) for key in STATISTICS})
    attempts = found["claim_attempts"]
    if attempts is not None:
        total = sum(attempts.values())
        metrics["claim_attempts"] = total
        metrics["conflicts"] = attempts.get("conflict", 0)
        metrics["conflict_ratio"] = metrics["conflicts"] / total if total else None
    return {
        "scenario": f"load-{made.name}",
        "clock": "live",
        "passed": found["passed"],
        "ending": "interrupted" if interrupted else "settled",
        "shortfalls": [] if found["passed"] else [found["verdict"]],
        "checks": found.get("thresholds", []),
        "metrics": metrics,
        "wall_seconds": round(wall_seconds, 3),
        "client": dict(found),
    }
