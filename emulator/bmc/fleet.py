"""The fleet's synchronous core: which BMC, how long, what answer, and what is written down.

A transport calls :meth:`Fleet.admit`, waits as the plan says, calls :meth:`Fleet.perform` where the
plan lets the request through, and :meth:`Fleet.finish` once it knows what the client got. The fleet
never waits and never locks. A BMC works on one action at a time, in the order in which they came:
a plan says how long its request waits for those before it. The log shows such requests overlap,
as its times are those of arrival and answer. Reads are answered beside.
Not thread-safe; it belongs to one event loop or to one world in virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from typing import Any

from beskar7.runtime import Runtime
from emulator.bmc.application import install
from emulator.bmc.bmc import Bmc
from emulator.bmc.faults.plans import concerns, plan
from emulator.bmc.faults.rehearsal import rehearsal
from emulator.bmc.faults.spans import Spans
from emulator.bmc.log import (
    EVENTS_KEPT,
    RECORDS_KEPT,
    BmcEvent,
    BmcRecord,
    LogPage,
    Ring,
    page,
)
from emulator.bmc.plan import ORDINARY, Plan
from emulator.bmc.redfish import JSON, Request, Response
from emulator.bmc.service import Service
from emulator.bmc.services import happened
from emulator.bmc.services.messages import envelope, message
from emulator.bmc.spec import Credentials, FleetSpec, HostSpec
from emulator.faults import FaultSet
from emulator.faultspec import Target

Deliver = Callable[[str, Mapping[str, str], bytes], None]
"""Sends an event to a subscriber: URL, headers, body."""

Observe = Callable[[str, BmcRecord], None]


class Fleet:
    """All BMCs of one world."""

    def __init__(
        self,
        spec: FleetSpec,
        runtime: Runtime,
        credentials: Credentials,
        records_kept: int = RECORDS_KEPT,
        events_kept: int = EVENTS_KEPT,
        serves: Callable[[HostSpec], bool] = lambda host: True,
    ) -> None:
        """``serves`` says which hosts are made; the others count where faults are chosen."""
        self.spec = spec
        self.runtime = runtime
        self.records: Ring[BmcRecord] = Ring(records_kept)
        self.events: Ring[BmcEvent] = Ring(events_kept)
        self.in_flight = 0
        self.deliver: Deliver = lambda url, headers, body: None
        """Set by the transport that can; see :mod:`emulator.bmc.services.events`."""
        self.observe: Observe = lambda operation, record: None
        """Called with each request at its end; set by who counts."""
        self.service = Service(install())
        self.updated: dict[str, str] = {}
        """Firmware of other shards' hosts that came with another."""
        self._later: list[tuple[float, int, Bmc, Callable[[float], None]]] = []
        self._due: list[tuple[float, int, Bmc]] = []
        self._due_count = 0
        self.bmcs = {
            host.name: Bmc(self, index, host, credentials.token(host.name))
            for index, host in enumerate(spec.hosts)
            if serves(host)
        }
        self._by_address = {bmc.spec.address: bmc for bmc in self.bmcs.values()}
        self._held: dict[str, set[Callable[[], None]]] = {}
        self.spans = Spans(self)
        self.faults = FaultSet(runtime, spec.seed, lambda: [*map(self._target, spec.hosts)])
        self.faults.subscribe(
            before=self.settle, added=self.spans.added, cleared=self.spans.cleared
        )
        self.faults.subscribe(cleared=lambda removed: self._let_go())
        for fault in spec.faults:
            self.faults.add(fault)

    def _target(self, host: HostSpec) -> Target:
        """As faults select it. All hosts of the spec count, whoever serves them."""
        bmc = self.bmcs.get(host.name)
        return host.target(bmc.firmware if bmc else self.updated.get(host.name, host.firmware))

    def by_address(self, address: str) -> Bmc | None:
        return self._by_address.get(address)

    def connect(self, bmc: Bmc) -> str:
        """What a new connection meets: the kind of fault that turns it away, or nothing."""
        now = self.runtime.now()
        self.settle(now)
        if now < bmc.down_until:
            kind, fault = "refused", bmc.down_by
        elif struck := self.faults.strike(bmc.name, "connection", now):
            kind, fault = struck[0].fault.kind, struck[0].fault.id
        else:
            return ""
        self.records.append(
            BmcRecord(
                *(self.records.next_seq, bmc.name, now, now, "", "", 0, "", "", "", False, fault)
            )
        )
        return kind

    def admit(self, bmc: Bmc, request: Request) -> Plan:
        """Draw this request's latency and faults."""
        now = self.runtime.now()
        self.in_flight += 1
        bmc.in_flight += 1
        self.settle(now)
        if now < bmc.down_until:
            return Plan(now, 0.0, 0.0, "reset", False, bmc.down_by)
        limits = bmc.personality.limits
        if limits.requests and bmc.in_flight > limits.requests:
            return Plan(now, 0.0, 0.0, "error", False, refusal=_busy(limits.retry_after))
        hit = self.faults.match(
            *(bmc.name, request.method, request.path, now, partial(concerns, request)),
            client=request.headers.get("User-Agent") or "",
        )
        meaning = request.meaning
        delay = bmc.timing.answer(meaning.operation) + hit.delay
        begins = max(now, bmc.busy_until) if meaning.action else now
        # The effect falls in the middle: a client may give up before it, or after it.
        before, after = begins - now + delay / 2, delay / 2
        ordinary = Plan(now, before, after, "proceed", True, hit.id, hit.ends, rate=hit.rate)
        planned = ordinary if hit.fault is None else plan(bmc, request, hit.fault, ordinary)
        if meaning.action and planned.outcome != "hang":
            bmc.busy_until = begins + delay
        return planned

    def perform(self, bmc: Bmc, request: Request, plan: Plan = ORDINARY) -> Response:
        """Carry the request out, now or as the plan says."""
        now = self.runtime.now()
        self.settle(now)
        if plan.effect in ("never", "late"):
            with rehearsal(bmc):
                answer = self._answer(bmc, request, now)
        else:
            answer = self._answer(bmc, request, now)
        if plan.effect in ("late", "twice") and answer.status < 300:
            self.later(bmc, now + plan.delay, partial(self._catch_up, bmc, request, plan.fault))
        self.watch(bmc)
        return answer

    def _answer(self, bmc: Bmc, request: Request, at: float) -> Response:
        wall = self.runtime.wall() - (self.runtime.now() - at)
        return self.service.answer(bmc, request, at, wall + bmc.clock_ahead)

    def _catch_up(self, bmc: Bmc, request: Request, fault: str, at: float) -> None:
        """What a fault put off, or does again."""
        with bmc.machine.caused_by(fault):
            self._answer(bmc, request, at)
        self.watch(bmc)

    def later(self, bmc: Bmc, at: float, action: Callable[[float], None]) -> None:
        """Call ``action`` with its time once the fleet gets to it, in the order of time.

        What is to come of something that is only rehearsed never happens.
        """
        if bmc.machine.rehearsing:
            return
        self._due_count += 1
        heappush(self._later, (at, self._due_count, bmc, action))

    def finish(
        self,
        bmc: Bmc,
        request: Request,
        plan: Plan,
        sent: Response | None,
        acted: Response | None = None,
    ) -> BmcRecord:
        """Write the request down. ``sent`` is what the client got, ``acted`` what was performed."""
        self.in_flight -= 1
        bmc.in_flight -= 1
        meaning = request.meaning
        record = BmcRecord(
            seq=self.records.next_seq,
            host=bmc.name,
            start=plan.start,
            end=self.runtime.now(),
            method=request.method,
            path=request.path,
            status=sent.status if sent else 0,
            agent=request.headers.get("User-Agent") or "",
            operation=request.headers.get("X-Beskar7-Operation") or "",
            action=meaning.action,
            performed=bool(meaning.action and acted and acted.status < 300)
            and plan.effect != "never",
            fault=plan.fault,
        )
        self.records.append(record)
        self.observe(meaning.operation, record)
        return record

    def on_release(self, fault_id: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back once the fault is cleared, to let a hanging request go; returns the undo."""
        held = self._held.setdefault(fault_id, set())
        held.add(callback)
        return lambda: held.discard(callback)

    def _let_go(self) -> None:
        for fault_id in [name for name in self._held if not self.faults.holds(name)]:
            for callback in self._held.pop(fault_id):
                callback()

    def settle(self, now: float | None = None) -> None:
        """Let every machine do what is due by ``now``, in the order of time."""
        until = self.runtime.now() if now is None else now
        while (due := self.next_due) is not None and due <= until:
            if self._later and self._later[0][0] == due:
                _, _, bmc, action = heappop(self._later)
                bmc.version += 1
                action(due)
                continue
            _, _, bmc = heappop(self._due)
            if bmc.watched == due:
                bmc.watched = None
            # An entry of a change that was called off advances the machine to no effect.
            bmc.machine.advance(due)
            self.watch(bmc)

    @property
    def next_due(self) -> float | None:
        """When something happens next without a request; None: never."""
        if not self._later:
            return self._due[0][0] if self._due else None
        later = self._later[0][0]
        return min(later, self._due[0][0]) if self._due else later

    def watch(self, bmc: Bmc) -> None:
        """Take note of when this machine does something next by itself."""
        due = bmc.machine.next_due
        if due is not None and (bmc.watched is None or due < bmc.watched):
            bmc.watched = due
            self._due_count += 1
            heappush(self._due, (due, self._due_count, bmc))

    def note(self, host: str, time: float, kind: str, detail: str) -> None:
        """Write down what a machine did."""
        bmc = self.bmcs[host]
        bmc.version += 1
        if kind in ("power-on", "power-off"):
            bmc.powers.append((time, "On" if kind == "power-on" else "Off"))
        cause = bmc.machine.cause
        event = BmcEvent(self.events.next_seq, host, time, kind, detail, cause)
        self.events.append(event)
        wall = self.runtime.wall() - (self.runtime.now() - time)
        happened(bmc, event, wall + bmc.clock_ahead)

    def log(self, after_records: int = 0, after_events: int = 0, limit: int = 10_000) -> LogPage:
        """Both logs after the given numbers, at most ``limit`` entries of each."""
        now = self.runtime.now()
        self.settle(now)
        return page(now, self.records, self.events, after_records, after_events, limit)

    def state(self) -> dict[str, dict[str, Any]]:
        """Every machine as it is now, by host name."""
        now = self.runtime.now()
        self.settle(now)
        return {name: _state(bmc, now) for name, bmc in self.bmcs.items()}


def _state(bmc: Bmc, now: float) -> dict[str, Any]:
    machine = bmc.machine
    return {
        "address": bmc.spec.address,
        "uuid": bmc.uuid,
        "vendor": bmc.spec.vendor,
        "firmware": bmc.firmware,
        "system": f"/redfish/v1/Systems/{bmc.system_id}",
        "power": machine.power,
        "pending": machine.pending.to if machine.pending else "",
        "boot_progress": machine.progress(now)[0],
        "booted": machine.boot.detail if machine.boot else "",
        "boot_override": {
            "target": machine.override_target,
            "enabled": machine.override_enabled,
        },
        "media": dict(machine.media),
    }


def _busy(retry_after: int) -> Response:
    """More requests at one time than this BMC takes. ``retry_after`` 0: it does not say when."""
    entry = message("ServiceTemporarilyUnavailable", retry_after or "some")
    headers = {"Retry-After": str(retry_after)} if retry_after else {}
    return Response(503, {"Content-Type": JSON, **headers}, envelope([entry]))
