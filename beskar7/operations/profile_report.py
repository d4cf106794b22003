"""The growth of the managers' counters as figures: shares, means and percentiles, by subject."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from beskar7.operations.profile_counters import Counters
from beskar7.operations.series import Managers

Lasted = dict[str, float | int | None]
"""``count``, ``mean``, ``p50``, ``p95``, and ``max`` where single values are known; seconds."""


def lasted(seconds: Sequence[float]) -> Lasted:
    """Of single values; percentiles by nearest rank."""
    if not seconds:
        return {"count": 0, "mean": None, "p50": None, "p95": None, "max": None}
    half, most = numpy.percentile(seconds, [50, 95], method="inverted_cdf")
    return {
        "count": len(seconds),
        "mean": float(numpy.mean(seconds)),
        "p50": float(half),
        "p95": float(most),
        "max": max(seconds),
    }


def spread(managers: Managers, name: str, **labels: str) -> Lasted:
    """Of a histogram's growth: the mean is exact, percentiles lie within their bucket."""
    count = managers.total(f"{name}_count", **labels)
    mean = managers.total(f"{name}_sum", **labels) / count if count else None
    return {
        "count": round(count),
        "mean": mean,
        "p50": managers.quantile(0.50, name, **labels),
        "p95": managers.quantile(0.95, name, **labels),
    }


def counted(counters: Counters) -> dict[str, Any]:
    """All that ``beskar7 profile`` tells of the managers, as plain data."""
    grown = counters.managers_series()

    def total(name: str) -> int:
        return round(grown.total(f"{name}_total"))

    def by(name: str, label: str, **labels: str) -> dict[str, int]:
        sums = grown.by(f"{name}_total", label, **labels)
        return {value: round(count) for value, count in sums.items() if count}

    attempts = total("beskar7_host_claim_attempts")
    outcomes = by("beskar7_host_claim_attempts", "outcome")
    tried = outcomes.get("success", 0) + outcomes.get("conflict", 0)
    return {
        "claims": {
            "attempts": attempts,
            "by_outcome": outcomes,
            "conflicts_by_reason": by(
                "beskar7_host_claim_attempts", "conflict_reason", outcome="conflict"
            ),
            "conflict_share": outcomes.get("conflict", 0) / tried if tried else None,
            "retries": total("beskar7_host_claim_retries"),
            "without_a_leader": total("beskar7_host_claim_optimistic"),
            "duration": spread(grown, "beskar7_host_claim_duration_seconds", outcome="success"),
            "selection": spread(grown, "beskar7_host_selection_duration_seconds"),
            "coordinator": spread(grown, "beskar7_claim_coordinator_processing_duration_seconds"),
        },
        "queue": {
            "most": {word: round(value) for word, value in counters.most.items()},
            "rejections": total("beskar7_provisioning_queue_rejections"),
            "cooldown_waits": total("beskar7_bmc_cooldown_waits"),
            "circuits": by("beskar7_bmc_circuit_changes", "state"),
        },
        "operations": {
            kind: {"by_outcome": _outcomes(grown, kind)}
            | spread(grown, "beskar7_bmc_operation_duration_seconds", operation=kind)
            for kind in by("beskar7_concurrent_provisioning_operations", "operation_type")
        },
        "requests_by_vendor": {
            vendor: spread(grown, "beskar7_bmc_request_duration_seconds", vendor=vendor)
            | {"failed": _failed(grown, vendor)}
            for vendor, count in grown.by(
                "beskar7_bmc_request_duration_seconds_count", "vendor"
            ).items()
            if count
        },
        "reconciles": {
            name: {
                "by_outcome": by("beskar7_controller_reconciliation", "outcome", controller=name)
            }
            | spread(grown, "beskar7_controller_reconciliation_duration_seconds", controller=name)
            for name in by("beskar7_controller_reconciliation", "controller")
        },
        "provisioning": spread(
            grown, "beskar7_controller_beskar7machine_provisioning_duration_seconds"
        ),
        "managers": {
            "names": sorted(counters.managers),
            "restarts": counters.resets,
            "first_seen_late": sorted(counters.late),
            "looks": counters.looks,
        },
    }


def _outcomes(grown: Managers, kind: str) -> dict[str, int]:
    sums = grown.by(
        "beskar7_concurrent_provisioning_operations_total", "outcome", operation_type=kind
    )
    return {outcome: round(count) for outcome, count in sums.items() if count}


def _failed(grown: Managers, vendor: str) -> int:
    name = "beskar7_bmc_request_duration_seconds_count"
    by_outcome = grown.by(name, "outcome", vendor=vendor)
    return round(sum(count for outcome, count in by_outcome.items() if outcome != "success"))
