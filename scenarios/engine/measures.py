"""Measures of a run, computed from what the world saw and from nothing else.

:mod:`scenarios.engine.measure_names` says what each of them means.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import fits, requirements
from scenarios.engine.history import (
    MANAGER_AGENT,
    History,
    Object,
    Ownership,
    Track,
    consumer_uid,
    phase,
    state,
)
from scenarios.engine.invariants.operations import Operation, group
from scenarios.engine.measure_names import DISTRIBUTIONS, STATISTICS


@dataclass(frozen=True, slots=True)
class MachineTimes:
    """When a machine got how far (``runtime.now()``), None for not at all.

    ``eligible`` is the moment from which its claim is timed: its creation, or, when it met an
    empty pool, the moment from which on the pool always held a free host until the claim.
    """

    name: str
    uid: str
    created: float
    claimed: float | None = None
    host: str = ""
    eligible: float | None = None
    waited: bool = False
    provisioned: float | None = None
    deletion: float | None = None
    released: float | None = None
    gone: float | None = None


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


class Pool:
    """The free hosts over time: Available, nobody's, and such as would do for a machine."""

    def __init__(self, history: History, does: Callable[[Object | None], bool]) -> None:
        changes: list[tuple[int, float, int]] = []
        for track in history.hosts.values():
            was = False
            for version in track.versions:
                free = (
                    state(version.object) == "Available"
                    and not consumer_uid(version.object)
                    and does(version.object)
                )
                if free != was:
                    changes.append((version.seq, version.time, 1 if free else -1))
                was = free
        self._seqs: list[int] = []
        self._times: list[float] = []
        self._sizes: list[int] = []
        size = 0
        for seq, time, step in sorted(changes):
            size += step
            self._seqs.append(seq)
            self._times.append(time)
            self._sizes.append(size)

    def eligible(self, created_seq: int, created: float, claim_seq: int) -> tuple[float, bool]:
        """From when on a host was always free until write ``claim_seq``; whether none was before.

        That write itself does not count: who takes the last free host did not wait for one.
        """
        first = bisect_right(self._seqs, created_seq)
        last = bisect_left(self._seqs, claim_seq)
        size = self._sizes[first - 1] if first else 0
        start, waited = created, size == 0
        for index in range(first, last):
            if size == 0 and self._sizes[index] > 0:
                start = self._times[index]
            size = self._sizes[index]
            waited = waited or size == 0
        return start, waited


def machine_times(evidence: Evidence) -> list[MachineTimes]:
    """One row a machine, by creation."""
    history = evidence.history
    pools: dict[str, Pool] = {}

    def pool(track: Track) -> Pool:
        """Machines that require the same share one."""
        wanted = requirements(track.versions[0].object)
        key = repr(wanted)
        if key not in pools:
            pools[key] = Pool(history, fits(wanted, evidence.hardware))
        return pools[key]

    first: dict[str, Ownership] = {}
    for ownership in history.ownerships():
        first.setdefault(ownership.owner, ownership)
    hosts = {(track.name): track for track in history.hosts.values()}
    rows = [
        _machine_times(track, first.get(track.uid), pool(track), hosts)
        for track in history.machines.values()
    ]
    return sorted(rows, key=lambda row: (row.created, row.name))


def _machine_times(
    track: Track, held: Ownership | None, pool: Pool, hosts: dict[str, Track]
) -> MachineTimes:
    provisioned = next((v.time for v in track.versions if phase(v.object) == "Provisioned"), None)
    deletion = track.deletion
    gone = track.versions[-1].time if track.gone else None
    asked = deletion.time if deletion else None
    if held is None:
        return MachineTimes(
            track.name,
            track.uid,
            track.created,
            None,
            "",
            None,
            False,
            provisioned,
            asked,
            gone=gone,
        )
    eligible, waited = pool.eligible(track.versions[0].seq, track.created, held.start_seq)
    released = None
    if deletion is not None:
        released = _available_again(hosts.get(held.host), held, deletion.seq)
    return MachineTimes(
        name=track.name,
        uid=track.uid,
        created=track.created,
        claimed=held.start,
        host=held.host,
        eligible=eligible,
        waited=waited,
        provisioned=provisioned,
        deletion=asked,
        released=released,
        gone=gone,
    )


def _available_again(host: Track | None, held: Ownership, after_seq: int) -> float | None:
    for version in host.versions if host else []:
        if version.seq <= max(after_seq, held.start_seq):
            continue
        owner = consumer_uid(version.object)
        if state(version.object) == "Available" and owner != held.owner:
            return version.time
    return None


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
        if row.provisioned is not None and not row.waited:
            found["ready_seconds"].append(row.provisioned - row.created)
        if row.deletion is not None and row.released is not None:
            found["release_seconds"].append(row.released - row.deletion)
    for operation in operations:
        if operation.header.kind:
            end = max(request.end for request in operation.requests)
            found["bmc_operation_seconds"].append(end - operation.requests[0].start)
    found["failover_seconds"] = _failovers(evidence)
    return found


def _failovers(evidence: Evidence) -> list[float]:
    """For each kill of the lease's holder: until somebody else holds it."""
    found = []
    for incident in evidence.incidents:
        if incident.kind != "kill-manager":
            continue
        hold = evidence.history.lease_at(incident.time)
        if hold is None or hold.holder != incident.subject:
            continue
        for later in evidence.history.leases:
            if later.time >= incident.time and later.holder not in ("", incident.subject):
                found.append(later.time - incident.time)
                break
    return found


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
        "managers_killed": float(sum(i.kind == "kill-manager" for i in evidence.incidents)),
    }
    for name, found in samples(evidence).items():
        values.update({f"{name}.{key}": value for key, value in summarize(found).items()})
    return values
