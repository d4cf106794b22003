"""Whether the claims of each host could have happened one at a time, as their clients saw them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from beskar7.api.kinds import PHYSICAL_HOST
from beskar7.kube.objects import version_number
from emulator.kube.store.writelog import WriteRecord
from emulator.linearizability import UNKNOWN, Operation, Undecided, linearizable
from scenarios.engine.calls import CLAIMED_BY, Call
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import consumer_uid, dig
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

BUDGET = 200_000
"""Steps of the search for one host: a tenth of a second. Histories of claims take some dozens."""
OLD_READS = ("stale-list", "stale-read")
"""Kinds of fault by which the API shows the past: what is read is no longer the newest."""
REFUSED = ("Conflict", "NotFound")

Owner = tuple[str, str]
"""The owner's uid, and its key as the claim annotated it; both empty for a free host."""
FREE: Owner = ("", "")


@dataclass(frozen=True, slots=True)
class Put:
    """A write that leaves the host to ``owner``; a free one for ``key`` lets go of that one."""

    owner: str
    key: str


class Register:
    """A host as claims see it: free, or somebody's."""

    def initial(self) -> Owner:
        return FREE

    def step(self, state: Owner, operation: Operation) -> tuple[bool, Owner]:
        put = operation.input
        if put is None:
            return operation.output == state[0], state
        if put.owner:
            return state[0] in ("", put.owner), (put.owner, put.key)
        return state == FREE or state[1] == put.key, FREE


def claim_history(evidence: Evidence, rules: Rules) -> Judged:
    """Each host is a linearizable register: claimed when free, released by its owner only.

    A claim whose answer was lost counts if it was carried out, at any moment after its call. A
    refused one asks nothing of the host: a conflict may be about another field.
    """
    if evidence.aftermath is None:
        return Judged()
    look = evidence.aftermath.look
    kinds = {kind for window in evidence.faults for kind in window.kinds.values()}
    reads = kinds.isdisjoint(OLD_READS)
    effects = unheard([*evidence.history.writes, *evidence.aftermath.writes], look.calls)
    hosts = _operations(look.calls, effects, reads=reads)
    found: list[Violation] = []
    for (name, _), operations in hosts.items():
        try:
            held = linearizable(operations, Register(), BUDGET)
        except Undecided:
            return Judged(found, len(hosts), f"the claims of {name} are too entangled to judge")
        if not held:
            found.append(_first(name, operations, evidence))
    return Judged(found, sum(map(len, hosts.values())))


NEWS = 2.0
"""Seconds after which a manager has heard of a write, unless its watch is kept from telling."""

Deed = tuple[str, str, str]
"""Host, the owner that a write leaves, and whose claim it says was the last."""
Effects = dict[Deed, list[WriteRecord]]
"""Such writes that were carried out, and whose client was not told so."""


def unheard(writes: Iterable[WriteRecord], calls: Iterable[Call]) -> Effects:
    """What was done to owners, where no call had it for an answer."""
    heard = {call.version for call in calls if call.verb == "update" and call.outcome == "ok"}
    found: Effects = {}
    for record in writes:
        if record.kind != PHYSICAL_HOST.kind or record.verb != "update":
            continue  # the status says nothing about the owner
        if record.outcome == "ok" and record.object and record.resource_version not in heard:
            by = str(dig(record.object, "metadata", "annotations", CLAIMED_BY) or "")
            found.setdefault((record.name, consumer_uid(record.object), by), []).append(record)
    return found


def _deed(call: Call) -> Deed:
    return call.name, call.owner, call.claimed_by


def belied(call: Call, effects: Effects) -> bool:
    """Whether this claim was refused, and its machine has the host all the same: by this claim, or
    by a dead manager's that was under way at the same time, or so shortly before that its manager
    named an older version. Who reads anew cannot tell these."""
    if call.kind != PHYSICAL_HOST.kind or call.verb != "update" or not call.owner:
        return False
    if call.outcome not in REFUSED:
        return False
    done = effects.get(_deed(call), ())
    sent = version_number(call.sent)
    return any(
        call.start - NEWS <= record.time <= call.end
        and (sent or 0) < (version_number(record.resource_version) or 0)
        for record in done
    )


def _operations(
    calls: Iterable[Call], effects: Effects, *, reads: bool
) -> dict[tuple[str, str], list[Operation]]:
    """What clients asked of each host, by its name and uid."""
    hosts: dict[tuple[str, str], list[Operation]] = {}
    lost: dict[tuple[str, Deed], list[Call]] = {}
    for call in calls:
        if call.kind != PHYSICAL_HOST.kind or call.verb not in ("get", "update"):
            continue
        operations = hosts.setdefault((call.name, call.uid), [])
        put = Put(call.owner, call.claimed_by) if call.verb == "update" else None
        if call.outcome != "ok":
            if put is not None:
                lost.setdefault((call.client, _deed(call)), []).append(call)
        elif put is not None:
            operations.append(Operation(call.client, call.start, call.end, put, None))
        elif reads:
            operations.append(Operation(call.client, call.start, call.end, None, call.owner))
    for (client, deed), tries in lost.items():
        for record in effects.get(deed, ()):
            # Whose of several like calls it was makes no difference but when it may have been.
            possible = [call for call in tries if call.start <= record.time]
            if possible and record.client == client:
                call = min(possible, key=lambda call: call.start)
                put = Put(call.owner, call.claimed_by)
                hosts[call.name, call.uid].append(Operation(client, call.start, UNKNOWN, put, None))
    return hosts


def _first(name: str, operations: list[Operation], evidence: Evidence) -> Violation:
    """The answer up to which the history still could be explained."""
    answered = sorted((o for o in operations if o.end != UNKNOWN), key=lambda o: o.end)
    low, high = 0, len(answered) - 1
    while low < high:  # the shortest prefix that cannot be explained
        middle = (low + high) // 2
        until = answered[middle].end
        part = [
            o if o.end <= until else Operation(o.client, o.start, UNKNOWN, o.input, o.output)
            for o in operations
            if o.start <= until and (o.end <= until or o.input is not None)
        ]
        if linearizable(part, Register(), BUDGET):
            low = middle + 1
        else:
            high = middle
    last = answered[low]
    owner = last.input.owner if last.input is not None else last.output
    machine = evidence.history.machine_name(owner)
    what = "was answered that it read" if last.input is None else "was answered that it wrote"
    return Violation(
        "claim-history",
        name,
        machine,
        last.end,
        f"{last.client} {what} owner {machine or owner or 'nobody'}, and no order of the claims "
        "explains that",
        writes=tuple(
            record.seq
            for record in evidence.history.writes
            if record.kind == PHYSICAL_HOST.kind
            and record.name == name
            and record.client == last.client
            and last.start <= record.time <= last.end
        ),
    )
