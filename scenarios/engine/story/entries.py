"""Everything that was logged, merged in the order of time, one entry for each thing done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from beskar7.api.kinds import BESKAR7_MACHINE, EVENT, HOST_CLAIM, LEASE, PHYSICAL_HOST
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.evidence import FaultWindow
from scenarios.engine.history import History, consumer_name, dig
from scenarios.engine.invariants.operations import Header
from scenarios.engine.story.changes import change
from scenarios.engine.story.recording import Recording, fault_hits, who

Source = Literal["act", "fault", "write", "request", "event"]
ORDER: tuple[Source, ...] = ("act", "fault", "write", "request", "event")
"""Which comes first at one instant: what may be a cause before what may be its effect."""
LETTERS: Mapping[Source, str] = {"write": "w", "request": "r", "event": "e"}


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody did something. ``seq`` is the number in the log of ``source``, 0 where it has none.

    ``end`` is when it was over, ``time`` for what takes no time. ``hosts`` and ``machines`` are
    the names of those whom it concerns; ``everyone``: the whole world. ``bad``: it failed.
    ``quiet``: routine, to be told only where somebody refers to it. ``group``: reads of one
    operation, which may be told together. ``text`` is what came of it; of a write the ``record``
    says it.
    """

    time: float
    end: float
    source: Source
    seq: int
    who: str
    did: str
    result: str
    text: str = ""
    fault: str = ""
    hosts: tuple[str, ...] = ()
    machines: tuple[str, ...] = ()
    everyone: bool = False
    bad: bool = False
    quiet: bool = False
    group: str = ""
    record: WriteRecord | None = None

    @property
    def note(self) -> str:
        """What came of it. To compare two objects takes time, and most entries are not told."""
        return self.text if self.record is None else change(self.record)

    @property
    def ref(self) -> str:
        """The number with the letter of its log, as in ``w17``; empty where it has none."""
        return f"{LETTERS[self.source]}{self.seq}" if self.source in LETTERS else ""

    def concerns(self, hosts: frozenset[str], machines: frozenset[str]) -> bool:
        return self.everyone or not (
            hosts.isdisjoint(self.hosts) and machines.isdisjoint(self.machines)
        )


def entries(recording: Recording) -> list[Entry]:
    """All of them, by time."""
    kinds = {id: kind for window in recording.faults for id, kind in window.kinds.items()}
    found = [*_acts(recording), *_faults(recording)]
    found += [_write(record) for record in recording.history.writes]
    found += [_request(record, recording.history, kinds) for record in recording.requests]
    found += [_event(event, recording.history, kinds) for event in recording.events]
    rank = {source: index for index, source in enumerate(ORDER)}
    return sorted(found, key=lambda entry: (entry.time, rank[entry.source], entry.seq))


def _acts(recording: Recording) -> Iterator[Entry]:
    for incident in recording.incidents:
        if incident.kind == "add-fault":
            continue  # its window is told instead
        said = " ".join(part for part in (incident.subject, incident.detail) if part)
        at = incident.time
        yield Entry(at, at, "act", 0, "scenario", incident.kind, "", said, everyone=True)


def _faults(recording: Recording) -> Iterator[Entry]:
    hits = fault_hits(recording)
    for window in recording.faults:
        told = describe_fault(window)
        struck = set().union(*(hits.get(id, set()) for id in window.kinds))
        # The API has no log of what its faults hit, and everybody is its client.
        api = window.fault.get("target") == "api"
        for time, what in ((window.start, "begins"), (window.end, "ends")):
            if time is not None and time <= recording.ended:
                yield Entry(
                    *(time, time, "fault", 0, "fault", f"{told} {what}", "", ""),
                    hosts=tuple(sorted(struck)),
                    everyone=api,
                )


def describe_fault(window: FaultWindow) -> str:
    """``slow (latency)``, and whether it is the API's."""
    where = " of the API" if window.fault.get("target") == "api" else ""
    return f"{window.fault['id']} ({window.fault['kind']}{where})"


def _write(record: WriteRecord) -> Entry:
    hosts, machines = subjects(record)
    before, after = record.previous, record.object
    quiet = False
    if record.kind == LEASE.kind:
        path = ("spec", "holderIdentity")
        quiet = record.outcome == "ok" and dig(before, *path) == dig(after, *path)
    bad = record.outcome != "ok"
    return Entry(
        time=record.time,
        end=record.time,
        source="write",
        seq=record.seq,
        who=who(record.client),
        did=f"{record.verb} {record.kind} {record.name}" if record.kind != EVENT.kind else "event",
        result=record.outcome,
        hosts=hosts,
        machines=machines,
        everyone=record.kind == LEASE.kind,
        bad=bad,
        quiet=quiet,
        record=record,
    )


def subjects(record: WriteRecord) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the hosts and of the machines that a write concerns."""
    before, after = record.previous, record.object
    match record.kind:
        case PHYSICAL_HOST.kind:
            owners = {consumer_name(before), consumer_name(after)} - {""}
            return (record.name,), tuple(sorted(owners))
        case BESKAR7_MACHINE.kind:
            return (), (record.name,)
        case HOST_CLAIM.kind:
            named = {dig(obj, "status", "hostRef", "name") for obj in (before, after)} - {None, ""}
            machine = dig(after or before, "spec", "machineRef", "name") or record.name
            return tuple(sorted(str(name) for name in named)), (str(machine),)
        case EVENT.kind:
            kind = dig(after or before, "involvedObject", "kind")
            name = str(dig(after or before, "involvedObject", "name") or "")
            if kind == PHYSICAL_HOST.kind:
                return (name,), ()
            if kind == BESKAR7_MACHINE.kind:
                return (), (name,)
    return (), ()


def _request(record: BmcRecord, history: History, kinds: Mapping[str, str]) -> Entry:
    header = Header.parse(record.operation)
    machine = history.machine_name(header.consumer) or header.consumer
    ok = 200 <= record.status < 300
    what = record.action or f"{record.method} {record.path.removeprefix('/redfish/v1')}"
    took = f"{(record.end - record.start) * 1000:.0f} ms"
    note = f"{header.kind} {header.nonce[:8]}" if header.kind else "of no operation"
    if machine:
        note += f" for {machine}"
    if record.action and not record.performed:
        note += ", without effect"
    elif record.action and not ok:
        note += ", took effect"
    return Entry(
        time=record.start,
        end=record.end,
        source="request",
        seq=record.seq,
        who=who(record.agent),
        did=f"BMC {what or 'connection'}",
        result=f"{record.status or 'no answer'} in {took}",
        text=note,
        fault=_named(record.fault, kinds),
        hosts=(record.host,),
        machines=(machine,) if machine else (),
        bad=not ok,
        group="" if record.action or not ok or record.fault else record.operation,
    )


def _event(event: BmcEvent, history: History, kinds: Mapping[str, str]) -> Entry:
    track = history.host_named(event.host, event.time)
    owner = consumer_name(track.at(event.time)) if track else ""
    return Entry(
        time=event.time,
        end=event.time,
        source="event",
        seq=event.seq,
        who=event.host,
        did=event.type,
        result="",
        text=event.detail,
        fault=_named(event.fault, kinds),
        hosts=(event.host,),
        machines=(owner,) if owner else (),
        bad=event.type == "boot-failed",
    )


def _named(fault: str, kinds: Mapping[str, str]) -> str:
    return f"{fault} ({kinds[fault]})" if fault in kinds else fault
