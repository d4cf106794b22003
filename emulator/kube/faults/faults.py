"""The faults of the Kubernetes API that are in force, and what they do to each request and watch.

One :class:`ApiFaults` serves the HTTP server and the in-process form alike, so a scenario means
the same on either clock. Every draw comes from a stream of its own by fault and client: one
client's requests never shift another's luck.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from beskar7.runtime import Random, Runtime
from beskar7.runtime.skew import SkewWindow
from emulator import faultbase
from emulator.faultbase import MAX_FAULTS, Direction
from emulator.fields import FieldError
from emulator.kube.faults.faultspec import OF_PROCESSES, ApiFault, Asked

Active = faultbase.Active[ApiFault]


@dataclass(frozen=True, slots=True)
class Effect:
    """What the faults do to one request: ``delay`` seconds more, and the fault that decides it.

    ``age`` is in seconds; ``ends`` is when ``fault`` ends by itself (None: when it is cleared).
    ``there`` and ``back`` are seconds that the call and its answer are on their way. ``perform``:
    the request takes effect, whatever its client gets to hear.
    """

    delay: float = 0.0
    fault: ApiFault | None = None
    ends: float | None = None
    age: float = 0.0
    perform: bool = True
    there: float = 0.0
    back: float = 0.0

    @property
    def outcome(self) -> str:
        """proceed, error, hang, loss or reset."""
        if self.fault is None:
            return "proceed"
        return {"partition": "hang", "restart": "reset"}.get(self.fault.kind, self.fault.kind)


NONE = Effect()
MIB = 2.0**20
_NOT_OF_REQUESTS = ("drop-watch", "lose-event", *OF_PROCESSES)


class ApiFaults:
    """The faults of one API server. Not thread-safe: its owner calls it from one thread.

    ``forget`` is called once when a fault of kind ``restart`` begins: the history goes.
    """

    def __init__(self, runtime: Runtime, forget: Callable[[], object]) -> None:
        self.runtime = runtime
        self._forget = forget
        self._active: dict[str, Active] = {}
        self._restarted: set[str] = set()
        self._added = 0
        self._on_change: list[Callable[[], None]] = []
        self.acted_out: set[str] = set()
        """Kinds of :data:`OF_PROCESSES` that somebody carries out on the clients."""

    def __bool__(self) -> bool:
        return bool(self._active)

    def add(self, fault: ApiFault, origin: float | None = None) -> Active:
        """Put ``fault`` in force; its ``start`` counts from ``origin`` (default: now).

        Raises:
            FieldError: the id is taken, or there are too many.
        """
        if fault.id in self._active:
            raise FieldError(f"fault.id: {fault.id!r} is in force already; clear it first")
        if len(self._active) >= MAX_FAULTS:
            raise FieldError(f"fault: at most {MAX_FAULTS} at a time; clear some first")
        begun = self.runtime.now() if origin is None else origin
        active = self._active[fault.id] = Active(fault, begun)
        self._added += 1
        self._tell()
        return active

    def next_id(self) -> str:
        """An id that is free, for a fault that came without one."""
        number = self._added + 1
        while f"api-fault-{number}" in self._active:
            number += 1
        return f"api-fault-{number}"

    def list(self) -> list[Active]:
        return [*self._active.values()]

    def holds(self, fault_id: str) -> bool:
        """Whether the fault is in the set and its time, of several this one, is not over."""
        active = self._active.get(fault_id)
        now = self.runtime.now()
        ends = active.until(now) if active else None
        return active is not None and (ends is None or now < ends)

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault, or all of them; says how many that were."""
        gone = [fault_id] if fault_id is not None else [*self._active]
        removed = [name for name in gone if self._active.pop(name, None)]
        self._restarted.difference_update(removed)
        self._tell()
        return len(removed)

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call back after every addition and clearing; what is returned ends that."""
        self._on_change.append(callback)
        return lambda: self._on_change.remove(callback)

    def next_change(self, now: float) -> float | None:
        """When the next fault begins or ends by itself, after ``now``."""
        times = [active.next_change(now) for active in self._active.values()]
        return min((time for time in times if time is not None), default=None)

    def on_request(self, asked: Asked) -> Effect:
        """What hits this request. Delays add up; the first fault that refuses decides."""
        if not self._active:
            return NONE
        delay, age, there, back, decider = 0.0, 0.0, 0.0, 0.0, None
        for active in self._in_scope(asked):
            fault = active.fault
            if fault.kind in _NOT_OF_REQUESTS or (fault.latency is None and decider is not None):
                continue
            if fault.kind == "stale-list" and asked.verb != "list":
                continue
            if not self._strikes(active, asked.client):
                continue
            if fault.kind == "delay":
                there += self._travel(fault, asked.client, "calls")
                back += self._travel(fault, asked.client, "answers")
            elif fault.latency is not None:
                delay += fault.latency.draw(self._rng(fault, asked.client))
            elif fault.kind == "stale-list":
                age = max(age, fault.age)
            else:
                decider = active
        if decider is None:
            return Effect(delay, None, None, age, there=there, back=back)
        fault = decider.fault
        perform = fault.perform if fault.kind != "loss" else self._arrives(fault, asked.client)
        return Effect(
            delay,
            fault,
            decider.until(self.runtime.now()),
            perform=perform,
            there=there,
            back=back,
        )

    def lag(self, asked: Asked) -> float:
        """Seconds by which an event of this watch comes later."""
        if not self._active:
            return 0.0
        return sum(
            self._travel(active.fault, asked.client, "answers")
            for active in self._in_scope(asked)
            if active.fault.kind == "delay" and self._strikes(active, asked.client)
        )

    def _travel(self, fault: ApiFault, client: str, way: Direction) -> float:
        if fault.latency is None or fault.direction not in ("both", way):
            return 0.0
        return fault.latency.draw(self.runtime.rng(f"api-fault/{fault.id}/{client}/{way}"))

    def _arrives(self, fault: ApiFault, client: str) -> bool:
        """Whether it is the answer that gets lost, and not the call."""
        if fault.direction == "both":
            return self.runtime.rng(f"api-fault/{fault.id}/{client}/way").random() < 0.5
        return fault.direction == "answers"

    def clock_error(self, client: str, now: float) -> float:
        """Seconds by which the faults put this client's wall clock ahead."""
        if not self._active:
            return 0.0
        return sum(window.error(now) for window in self.skews_of(client))

    def skews_of(self, client: str) -> Sequence[SkewWindow]:
        """What is set for this client's wall clock, over, in force and to come."""
        return [active.fault.skew(active.origin) for active in self._of("clock-skew", client)]

    def leaking(self, client: str) -> float:
        """Bytes per second that this client's pod loses at this moment."""
        if not self._active:
            return 0.0
        now = self.runtime.now()
        leaks = (a.fault.rate for a in self._of("memory-leak", client) if a.in_force(now))
        return MIB * sum(leaks)

    def _of(self, kind: str, client: str) -> Sequence[Active]:
        asked = Asked(client, "", "")
        return [
            active
            for active in self._active.values()
            if active.fault.kind == kind and active.fault.select.admits(asked)
        ]

    def follow(self, asked: Asked) -> Follower:
        """The faults of one watch that is about to open."""
        return Follower(self, asked)

    def _in_scope(self, asked: Asked) -> Sequence[Active]:
        """The faults in force for a request; notes the restarts that have begun."""
        now = self.runtime.now()
        found = []
        for active in self._active.values():
            if not active.in_force(now):
                continue
            if active.fault.kind == "restart" and active.fault.id not in self._restarted:
                self._restarted.add(active.fault.id)
                self._forget()
            if active.fault.select.admits(asked):
                found.append(active)
        return found

    def _strikes(self, active: Active, client: str) -> bool:
        fault = active.fault
        if fault.probability < 1.0 and self._rng(fault, client).random() >= fault.probability:
            return False
        active.hits += 1
        return True

    def _rng(self, fault: ApiFault, client: str) -> Random:
        return self.runtime.rng(f"api-fault/{fault.id}/{client}")

    def _tell(self) -> None:
        for callback in [*self._on_change]:
            callback()


class Follower:
    """One open watch as the faults see it. Chance is drawn once for each fault and watch."""

    __slots__ = ("_asked", "_decided", "_faults", "_silenced")

    def __init__(self, faults: ApiFaults, asked: Asked) -> None:
        self._faults = faults
        self._asked = asked
        self._decided: dict[str, bool] = {}
        self._silenced = False

    def state(self) -> str:
        """``open``, ``silent`` (nothing may be delivered now), or ``cut``."""
        if not self._faults and not self._silenced:
            return "open"
        silent = False
        for active in self._faults._in_scope(self._asked):
            if active.fault.kind in ("drop-watch", "restart") and self._struck(active):
                return "cut"
            silent |= active.fault.kind == "partition" and self._struck(active)
        if self._silenced and not silent:
            return "cut"  # the connection did not outlive the partition
        self._silenced = silent
        return "silent" if silent else "open"

    def lag(self) -> float:
        """Seconds by which the next event comes later."""
        return self._faults.lag(self._asked)

    def loses(self, namespace: str, name: str) -> bool:
        """Whether the event of this object is not told."""
        if not self._faults:
            return False
        asked = self._asked
        about = Asked(asked.client, asked.verb, asked.kind, namespace, name)
        lost = False
        for active in self._faults._in_scope(about):
            if active.fault.kind == "lose-event":
                lost |= self._faults._strikes(active, asked.client)
        return lost

    def _struck(self, active: Active) -> bool:
        key = f"{active.fault.id}/{active.origin}/{active.number(self._faults.runtime.now())}"
        if key not in self._decided:
            self._decided[key] = self._faults._strikes(active, self._asked.client)
        return self._decided[key]
