"""What can be measured, in which unit, and what each name means. :mod:`measures` computes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["seconds", "count", "ratio", "number"]

STATISTICS = ("p50", "p95", "p99", "max", "mean")
"""Percentiles are by nearest rank: the smallest sample with at least that share at or below."""


@dataclass(frozen=True, slots=True)
class Measure:
    """``speed`` marks what a saturated harness would spoil."""

    unit: Unit
    meaning: str
    speed: bool = False


# A machine's pool are the free hosts that satisfy its requirements.
DISTRIBUTIONS: dict[str, str] = {
    "claim_seconds": (
        "machine created -> host's consumerRef set, for machines that never met an empty pool"
    ),
    "waited_claim_seconds": (
        "pool no longer empty -> consumerRef set, for machines that met an empty pool first"
    ),
    "provision_seconds": "consumerRef set -> machine Provisioned",
    "ready_seconds": "machine created -> Provisioned, for machines that never met an empty pool",
    "total_claim_seconds": (
        "machine created -> host's consumerRef set, the wait for a free host included"
    ),
    "total_ready_seconds": "machine created -> Provisioned, the wait for a free host included",
    "release_seconds": "machine's deletion asked for -> its host Available and unowned again",
    "queue_seconds": "consumerRef set -> first BMC write of the provision operation",
    "bmc_operation_seconds": "first -> last request of an operation, as its BMC saw it",
    "failover_seconds": "leader killed, or its pod's process failed -> another holds the lease",
    "handover_seconds": "leader let go of its lease -> somebody holds it",
}

SCALARS: dict[str, Measure] = {
    "machines_created": Measure("count", "machines created by the load and the acts"),
    "machines_deleted": Measure("count", "machines whose deletion was asked for"),
    "claimed": Measure("count", "machines that owned a host at some time"),
    "provisioned": Measure("count", "machines that were Provisioned at some time"),
    "released": Measure("count", "hosts that came back to Available after an owner"),
    "waiting": Measure("count", "machines without a host at the end"),
    "unserved": Measure(
        "count", "machines that were never Provisioned, and whose deletion nobody asked for"
    ),
    "makespan_seconds": Measure(
        "seconds", "first machine created -> last one Provisioned", speed=True
    ),
    "throughput": Measure(
        "number", "machines Provisioned per hour of makespan_seconds", speed=True
    ),
    "false_elections": Measure(
        "count", "times since the load began that the managers' lease went from a holder that lived"
    ),
    "claim_attempts": Measure(
        "count", "PhysicalHost writes that set a consumerRef, refused or not"
    ),
    "conflicts": Measure("count", "claim attempts that the API refused with Conflict"),
    "conflict_ratio": Measure("ratio", "conflicts / claim_attempts"),
    "writes_per_claim": Measure(
        "number", "managers' writes of hosts and machines, refused or not, per claimed machine"
    ),
    "queue_length": Measure(
        "number",
        "hosts that wait for the provisioning queue, on average from the load's start to the last "
        "change of a machine: claimed -> first request of its provision operation, and deletion "
        "asked for -> first request of the deprovision operation",
        speed=True,
    ),
    "queue_max": Measure("count", "hosts that wait so at one time, at most", speed=True),
    "rejections": Measure("count", "operations that the full queue turned away, by Events"),
    "utilisation": Measure(
        "ratio",
        "BMC operations' time, first -> last request, / (provisioning.workerCount x the time of "
        "queue_length); above 1 where silent BMCs are waited for beside the workers",
        speed=True,
    ),
    "bmc_requests": Measure("count", "requests that the BMCs got"),
    "bmc_operations": Measure("count", "operations, by their operation header"),
    "bmc_requests_per_operation": Measure("number", "requests with an operation header, per one"),
    "bmc_concurrent_operations_max": Measure(
        "count", "operations between their first and last BMC write at one time, at most"
    ),
    "bmc_faulted_requests": Measure("count", "requests that a fault hit"),
    "managers_failed": Measure(
        "count", "processes of managers' pods that ended with an exit code other than 0"
    ),
    "managers_killed": Measure("count", "managers ended by an act"),
    "symptom_seconds": Measure("seconds", "the cause played -> every symptom came", speed=True),
    "remedy_seconds": Measure("seconds", "every symptom came -> the remedy was done", speed=True),
    "recovery_seconds": Measure(
        "seconds", "the remedy done -> every condition of the recovery held", speed=True
    ),
}

MEASURES: dict[str, Measure] = {
    **SCALARS,
    **{
        f"{name}.count": Measure("count", f"samples: {text}")
        for name, text in DISTRIBUTIONS.items()
    },
    **{
        f"{name}.{statistic}": Measure("seconds", f"{statistic} of {text}", speed=True)
        for name, text in DISTRIBUTIONS.items()
        for statistic in STATISTICS
    },
}
