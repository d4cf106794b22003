"""All that a run leaves behind to be judged: what the world saw, and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.faultkinds import KINDS
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.fitness import Inventory, inventory
from scenarios.engine.history import History
from scenarios.engine.inside import Look
from scenarios.engine.rehearsal.record import Part
from scenarios.engine.schema import Scenario

Ending = Literal["settled", "timeout", "unmet", "not enrolled", "interrupted", "failed"]
"""``unmet``: a symptom or recovery did not come in its time, or the remedy failed."""
BROKEN_OFF: tuple[Ending, ...] = ("unmet", "not enrolled", "interrupted", "failed")
"""Such a run did not get to its end, so that its last state says nothing."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that the scenario did to the world.

    ``kind``: load, create, delete, kill-manager, start-manager, add-fault, clear-fault, configure,
    settled, kubectl, recover; and of a rehearsal the begin of each of its acts, by its name.
    ``subject``: a manager's identity or a fault's id. ``time`` is ``runtime.now()``.
    """

    time: float
    kind: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault as it was put in force; ``end`` None: it never ended by itself or by an act."""

    fault: Mapping[str, Any]
    start: float
    end: float | None

    def active_at(self, time: float) -> bool:
        return self.start <= time and (self.end is None or time < self.end)

    @property
    def blocking(self) -> bool:
        """Whether it can keep a BMC from doing its work; a slow BMC still does it."""
        kind = KINDS.get(str(self.fault["kind"]))
        return kind is None or not kind.adds

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of fault by the id that logs have: its own, and those of its symptoms."""
        id = str(self.fault["id"])
        symptoms = enumerate(self.fault.get("symptoms", ()))
        return {id: str(self.fault["kind"])} | {
            f"{id}#{index + 1}": str(symptom["kind"]) for index, symptom in symptoms
        }


def ends(fault: Mapping[str, Any], start: float) -> float | None:
    """When a fault that starts at ``start`` is over for good; None: not by itself."""
    every, times = fault.get("every") or 0.0, fault.get("times")
    if fault["duration"] is None or (every and times is None):
        return None
    return start + float(fault["duration"]) + ((times or 1) - 1) * float(every)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The world a while after the run had come to rest: ``look`` into the managers, and what was
    logged between."""

    look: Look
    writes: list[WriteRecord]
    requests: list[BmcRecord]


@dataclass(slots=True)
class Evidence:
    """Times are ``runtime.now()`` of the world. The ``lost`` counts are of log entries."""

    scenario: Scenario
    clock: str
    seed: int
    history: History = field(default_factory=History)
    requests: list[BmcRecord] = field(default_factory=list)
    events: list[BmcEvent] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    """The acts of its rehearsal, as far as they came."""
    hints: int | None = None
    """How many the operator was given; None: the remedy was the scenario's own."""
    faults: list[FaultWindow] = field(default_factory=list)
    lost_writes: int = 0
    lost_requests: int = 0
    lost_events: int = 0
    last_request: int = 0
    last_event: int = 0
    began: float = 0.0
    load_began: float | None = None
    ended: float = 0.0
    ending: Ending = "failed"
    reason: str = ""
    saturation: dict[str, list[float]] = field(default_factory=dict)
    manager_metrics: dict[str, str] = field(default_factory=dict)
    trace_hash: str | None = None
    fault_hits: dict[str, set[str]] = field(default_factory=dict)
    """Hosts that each fault has hit, by its id."""
    client: Mapping[str, Any] | None = None
    """What the load generator itself measured, where a client did that puts on the load: its
    findings as :func:`loadtest.report.summary` makes them."""
    complete: bool = False
    """The logs were read to their end after the last thing happened."""
    baseline: Look | None = None
    """The managers when the load began; None in wall time, as below."""
    aftermath: Aftermath | None = None
    hardware: Inventory = field(init=False)

    def __post_init__(self) -> None:
        self.hardware = inventory(self.scenario.world.hosts)

    @property
    def last_write(self) -> int:
        return self.history.writes[-1].seq if self.history.writes else 0

    @property
    def origin(self) -> float:
        """Second zero of what people read: the load's start, or the world's without a load."""
        return self.began if self.load_began is None else self.load_began

    def add_writes(self, writes: list[WriteRecord]) -> None:
        """Take in the next piece of the write log and count what is missing before it."""
        for record in writes:
            self.lost_writes += max(0, record.seq - self.last_write - 1)
            self.history.add(record)

    def add_bmc(self, requests: list[BmcRecord], events: list[BmcEvent]) -> None:
        for request in requests:
            self.lost_requests += max(0, request.seq - self.last_request - 1)
            self.last_request = request.seq
            if request.fault:
                self.fault_hits.setdefault(request.fault, set()).add(request.host)
        for event in events:
            if event.fault:
                self.fault_hits.setdefault(event.fault, set()).add(event.host)
            self.lost_events += max(0, event.seq - self.last_event - 1)
            self.last_event = event.seq
        self.requests.extend(requests)
        self.events.extend(events)

    def blocked_hosts(self, time: float) -> set[str]:
        """Hosts that a fault still in force at ``time`` has hit and can keep from working."""
        blocking = [w for w in self.faults if w.blocking and w.active_at(time)]
        ids = {id for window in blocking for id in window.kinds}
        return set().union(*(self.fault_hits.get(id, set()) for id in ids))

    def next_fault_change(self, time: float) -> float | None:
        """When the next fault begins or is over, after ``time``; None: none will by itself."""
        edges = (edge for window in self.faults for edge in (window.start, window.end))
        return min((edge for edge in edges if edge is not None and edge > time), default=None)

    def faults_over(self, time: float) -> bool:
        """Whether no fault is still to come or to end by itself."""
        return all(w.active_at(time) if w.end is None else w.end <= time for w in self.faults)
