"""Measures of a run, computed from what the world saw and from nothing else.

:mod:`scenarios.engine.measure_names` says what each of them means.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.backlog import queue_measures
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import (
    MANAGER_AGENT,
    consumer_uid,
)
from scenarios.engine.invariants.operations import Operation, group
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.managerlives import killed_at, pod_lives
from scenarios.engine.measure_names import DISTRIBUTIONS, STATISTICS
from scenarios.engine.rehearsal.record import seconds_of

HOUR = 3600.0


def percentile(samples: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest sample that at least ``share`` of all do not exceed.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("no samples")
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered) - 1e-9) - 1)]


def summarize(samples: Sequence[float]) -> dict[str, float | None]:
    """``count`` and the statistics; these are None without samples."""
    if not samples:
        return {"count": 0.0, **dict.fromkeys(STATISTICS)}
    return {
        "count": float(len(samples)),
        "p50": percentile(samples, 0.50),
        "p95": percentile(samples, 0.95),
        "p99": percentile(samples, 0.99),
        "max": max(samples),
        "mean": math.fsum(samples) / len(samples),
    }


def sets_owner(record: WriteRecord) -> bool:
    """Whether a write, refused or not, was one to give a host an owner that it did not have.

    For a refused write the log holds what was sent, and what was there instead: a status that was
    refused as the host was just released still names its owner, but could never have set it.
    """
    if record.kind != PHYSICAL_HOST.kind or record.verb not in ("update", "patch"):
        return False
    wanted = consumer_uid(record.object)
    return bool(wanted) and wanted != consumer_uid(record.previous)


def samples(evidence: Evidence) -> dict[str, list[float]]:
    """The samples of every distribution in :data:`DISTRIBUTIONS`."""
    rows = machine_times(evidence)
    operations = [o for several in group(evidence.requests).values() for o in several]
    first_write: dict[str, float] = {}
    for operation in operations:
        header = operation.header
        if header.kind == "provision":
            known = first_write.get(header.consumer, math.inf)
            first_write[header.consumer] = min(known, operation.start)
    found: dict[str, list[float]] = {name: [] for name in DISTRIBUTIONS}
    for row in rows:
        if row.claimed is not None and row.eligible is not None:
            name = "waited_claim_seconds" if row.waited else "claim_seconds"
            found[name].append(row.claimed - row.eligible)
            if row.uid in first_write:
                found["queue_seconds"].append(max(0.0, first_write[row.uid] - row.claimed))
            if row.provisioned is not None:
                found["provision_seconds"].append(row.provisioned - row.claimed)
        if row.claimed is not None:
            found["total_claim_seconds"].append(row.claimed - row.created)
        if row.provisioned is not None:
            found["total_ready_seconds"].append(row.provisioned - row.created)
            if not row.waited:
                found["ready_seconds"].append(row.provisioned - row.created)
        if row.deletion is not None and row.released is not None:
            found["release_seconds"].append(row.released - row.deletion)
    for operation in operations:
        if operation.header.kind:
            end = max(request.end for request in operation.requests)
            found["bmc_operation_seconds"].append(end - operation.requests[0].start)
    found["failover_seconds"] = _failovers(evidence)
    found["handover_seconds"] = _handovers(evidence)
    return found


def _failovers(evidence: Evidence) -> list[float]:
    """For each holder of the lease that was killed or failed: until somebody else holds it."""
    found = []
    for identity, end in sorted(killed_at(evidence).items(), key=lambda item: item[1]):
        hold = evidence.history.lease_at(end)
        if hold is None or hold.holder != identity:
            continue
        for later in evidence.history.leases:
            if later.time >= end and later.holder not in ("", identity):
                found.append(later.time - end)
                break
    return found


def _handovers(evidence: Evidence) -> list[float]:
    """For each time that the lease was let go since the load began: until somebody holds it."""
    found = []
    free: float | None = None
    for hold in evidence.history.leases:
        if hold.holder and free is not None:
            found.append(hold.time - free)
        free = None if hold.holder or hold.time < evidence.origin else hold.time
    return found


def _false_elections(evidence: Evidence) -> int:
    """Whoever ended, killed or stopped, was followed and not displaced."""
    lives = pod_lives(evidence.history.writes)
    ends = {life.identity: life.end for life in lives if life.end is not None}
    ends |= killed_at(evidence)
    holder = ""
    count = 0
    for hold in evidence.history.leases:
        if not hold.holder:
            continue
        lived = holder and ends.get(holder, math.inf) > hold.time
        count += bool(lived) and hold.holder != holder and hold.time >= evidence.origin
        holder = hold.holder
    return count


def output(machines: Iterable[tuple[float, float | None]]) -> dict[str, float | None]:
    """``makespan_seconds`` and ``throughput`` of machines by creation and provisioning, in
    seconds; None where nothing was Provisioned."""
    times = list(machines)
    ends = [end for _, end in times if end is not None]
    span = max(ends) - min(start for start, _ in times) if ends else 0.0
    if span <= 0.0:
        return {"makespan_seconds": None, "throughput": None}
    return {"makespan_seconds": span, "throughput": len(ends) / span * HOUR}


def concurrency_max(operations: Iterable[Operation]) -> int:
    """The most operations that were under way at one moment, from first to last write of each."""
    edges = sorted(edge for o in operations for edge in ((o.start, 1), (max(o.end, o.start), -1)))
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def measure(evidence: Evidence) -> dict[str, float | None]:
    """Every measure by name; None where there was nothing to measure."""
    history = evidence.history
    rows = machine_times(evidence)
    operations = [o for several in group(evidence.requests).values() for o in several]
    named = [operation for operation in operations if operation.header.kind]
    attempts = [r for r in history.writes if sets_owner(r) and r.outcome in ("ok", "Conflict")]
    conflicts = sum(record.outcome == "Conflict" for record in attempts)
    claimed = sum(row.claimed is not None for row in rows)
    kinds = (PHYSICAL_HOST.kind, BESKAR7_MACHINE.kind)
    writes = sum(
        record.kind in kinds
        and record.client.startswith(MANAGER_AGENT)
        and record.time >= evidence.origin
        for record in history.writes
    )
    values: dict[str, float | None] = {
        "machines_created": float(len(rows)),
        "machines_deleted": float(sum(row.deletion is not None for row in rows)),
        "claimed": float(claimed),
        "provisioned": float(sum(row.provisioned is not None for row in rows)),
        "released": float(sum(row.released is not None for row in rows)),
        "waiting": float(sum(row.claimed is None and row.gone is None for row in rows)),
        "unserved": float(sum(row.provisioned is None and row.deletion is None for row in rows)),
        "claim_attempts": float(len(attempts)),
        "conflicts": float(conflicts),
        "conflict_ratio": conflicts / len(attempts) if attempts else None,
        "writes_per_claim": writes / claimed if claimed else None,
        "bmc_requests": float(len(evidence.requests)),
        "bmc_operations": float(len(named)),
        "bmc_requests_per_operation": (
            sum(len(operation.requests) for operation in named) / len(named) if named else None
        ),
        "bmc_concurrent_operations_max": float(concurrency_max(operations)),
        "bmc_faulted_requests": float(sum(bool(request.fault) for request in evidence.requests)),
        "managers_failed": float(sum(life.failed for life in pod_lives(history.writes))),
        "false_elections": float(_false_elections(evidence)),
        "managers_killed": float(sum(i.kind == "kill-manager" for i in evidence.incidents)),
    }
    values.update(queue_measures(evidence, rows))
    values.update(output((row.created, row.provisioned) for row in rows))
    for part in ("symptom", "remedy", "recovery"):
        values[f"{part}_seconds"] = seconds_of(evidence.parts, part)
    for name, found in samples(evidence).items():
        values.update({f"{name}.{key}": value for key, value in summarize(found).items()})
    return values
