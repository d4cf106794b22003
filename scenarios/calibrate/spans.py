"""What a run's logs say of the model's times: the spans between what the world saw.

Only from machines that had the managers to themselves where a span would hold a wait for something
else: a machine comes *alone* if no other was between its creation and its claim at the same time,
and goes alone if no other was between its deletion and its host's cleaning.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.controllers.cleaning import CLEAN_POLL
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import cooldowns
from scenarios.engine.history import MANAGER_AGENT, phase
from scenarios.engine.invariants.operations import Operation, group_all
from scenarios.engine.machinetimes import MachineTimes, machine_times

SPANS: Mapping[str, str] = {
    "call": "from one write of a reconcile of a machine to the next: a call to the API",
    "watch": "from a machine's creation to a manager's first write of it: a watch, and half a call",
    "create": "from one machine of a batch to the next",
    "bmc_request": "from a BMC's answer to the next request of the same operation",
    "seen": "from a machine's deletion to the first request of its host's deprovisioning",
    "handoff": "from a claim to the first request of the provisioning",
    "told": "from an operation's last answer to the next look at the host, without the wait that "
    "is meant, or to its state Available",
    "finish": "from the last look's answer to the machine's phase Provisioned",
    "batch_claim": "from a machine's creation to its claim, of those that come many at once",
}
"""What is measured, all in seconds."""


@dataclass(frozen=True, slots=True)
class _Logs:
    """``writes``: the managers', by object's name. ``operations``: by host, in order of time."""

    writes: Mapping[str, list[WriteRecord]]
    operations: Mapping[str, list[Operation]]


def spans(evidence: Evidence, boot_poll: float) -> dict[str, list[float]]:
    """The samples of each of :data:`SPANS`. ``boot_poll``: seconds between two looks at a boot."""
    found: dict[str, list[float]] = {name: [] for name in SPANS}
    rows = machine_times(evidence)
    logs = _Logs(_manager_writes(evidence), group_all(evidence.requests))
    coming = alone({row.name: (row.created, row.claimed) for row in rows})
    cleaning = {row.name: _cleaning(row, logs) for row in rows}
    going = alone(
        {
            row.name: (row.deletion, None if cleans is None else cleans.touched)
            for row, cleans in zip(rows, cleaning.values(), strict=True)
        }
    )
    rests = cooldowns(evidence.scenario)
    for row in rows:
        if row.name in coming:
            _coming(row, logs, boot_poll, found)
        if row.name in going and (cleans := cleaning[row.name]) is not None:
            _going(row, cleans, logs, rests.get(row.host, 0.0), found)
    for operations in logs.operations.values():
        for operation in operations:
            found["bmc_request"] += [
                max(0.0, later.start - one.end) for one, later in pairwise(operation.requests)
            ]
    batch = batch_numbers(evidence)
    times = {row.name: row for row in rows}
    created = [times[name].created for name in batch if name in times]
    found["create"] = [b - a for a, b in pairwise(created) if b - a < GAP]
    found["batch_claim"] = [
        row.claimed - row.eligible
        for row in rows
        if row.name in batch and row.claimed is not None and row.eligible is not None
    ]
    return found


GAP = 1.0
"""Seconds between two machines that are not of one batch."""
BATCH = 5
"""Machines that come at once, to be called many."""


def batch_numbers(evidence: Evidence) -> list[str]:
    """The names of the machines that were created many at once, in their order."""
    names = []
    for incident in evidence.incidents:
        count = incident.detail.partition(" ")[0]
        if incident.kind == "create" and int(count) >= BATCH:
            first = int(incident.subject.partition(" ")[0].removeprefix("machine-"))
            names += [f"machine-{number:03d}" for number in range(first, first + int(count))]
    return names


def _manager_writes(evidence: Evidence) -> dict[str, list[WriteRecord]]:
    """Those that took effect, by the name of the object."""
    found: defaultdict[str, list[WriteRecord]] = defaultdict(list)
    for record in evidence.history.writes:
        if record.outcome == "ok" and record.client.startswith(MANAGER_AGENT):
            found[record.name].append(record)
    return found


def alone(stretches: Mapping[str, tuple[float | None, float | None]]) -> set[str]:
    """The names of those whose stretch overlaps no other's."""
    known = sorted(
        (start, end, name)
        for name, (start, end) in stretches.items()
        if start is not None and end is not None
    )
    found = set()
    latest = float("-inf")
    for number, (start, end, name) in enumerate(known):
        after = known[number + 1][0] if number + 1 < len(known) else float("inf")
        if latest < start and end < after:
            found.add(name)
        latest = max(latest, end)
    return found


def _coming(
    row: MachineTimes, logs: _Logs, boot_poll: float, found: dict[str, list[float]]
) -> None:
    """What a machine shows that came alone."""
    claimed = row.claimed
    assert claimed is not None, "who is alone was claimed"
    own = [w for w in logs.writes.get(row.name, ()) if w.kind == BESKAR7_MACHINE.kind]
    first = next((write for write in own if write.time <= claimed), None)
    if first is not None:
        found["watch"].append(first.time - row.created)
        found["call"].append(claimed - first.time)
    mine = [o for o in logs.operations.get(row.host, ()) if o.header.consumer == row.uid]
    provision = next((o for o in mine if o.header.kind == "provision"), None)
    if provision is None:
        return
    found["handoff"].append(provision.touched - claimed)
    looks = [o for o in mine if o.header.kind == "verify" and o.touched >= provision.left]
    if row.provisioned is not None:
        looks = [look for look in looks if look.left <= row.provisioned]
    for before, after in pairwise([provision, *looks]):
        _keep(found["told"], after.touched - before.left - boot_poll)
    if row.provisioned is None or not looks:
        return
    found["finish"].append(row.provisioned - looks[-1].left)
    own = [write for write in own if looks[-1].left < write.time <= row.provisioned]
    if len(own) == 2 and phase(own[1].object) == "Provisioned":
        found["call"].append(own[1].time - own[0].time)


def _cleaning(row: MachineTimes, logs: _Logs) -> Operation | None:
    """The operation that cleans a deleted machine's host."""
    if row.deletion is None or row.released is None:
        return None
    return next(
        (
            operation
            for operation in logs.operations.get(row.host, ())
            if operation.header.kind == "deprovision"
            and row.deletion <= operation.touched <= row.released
        ),
        None,
    )


def _going(
    row: MachineTimes, cleaning: Operation, logs: _Logs, rest: float, found: dict[str, list[float]]
) -> None:
    """What a machine shows that went alone. ``rest``: seconds of its BMC's cooldown."""
    assert row.deletion is not None
    assert row.released is not None
    on_host = logs.operations[row.host]
    ends = [o.end for o in on_host if o.writes and o.end <= cleaning.touched]
    if not ends or row.deletion >= max(ends) + rest:
        found["seen"].append(cleaning.touched - row.deletion)
    looks = [
        operation
        for operation in on_host
        if operation.header.kind == "verify"
        and cleaning.left <= operation.touched
        and operation.left <= row.released
    ]
    for before, after in pairwise([cleaning, *looks]):
        _keep(found["told"], after.touched - before.left - CLEAN_POLL)
    if looks:
        found["told"].append(row.released - looks[-1].left)


def _keep(samples: list[float], seconds: float) -> None:
    """A span that is below zero was not what it was taken for."""
    if seconds >= 0.0:
        samples.append(seconds)
