"""The faults that are in force in a fleet, and what hits each request, connection and boot.

Every draw comes from a stream of its own by fault and target, and each fault draws for all that it
is about, so one fault never shifts the luck of another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from beskar7.runtime import Random, Runtime
from emulator import faultbase
from emulator.faultbase import MAX_FAULTS
from emulator.faultkinds import Acts, Scope
from emulator.faultspec import Fault, Target
from emulator.fields import FieldError

Active = faultbase.Active[Fault]


@dataclass(frozen=True, slots=True)
class Hit:
    """What the faults do to one request: ``delay`` seconds more, and the fault that decides it."""

    delay: float = 0.0
    fault: Fault | None = None
    slow_id: str = ""
    ends: float | None = None
    """``runtime.now()`` at which ``fault`` ends by itself; None: not before it is cleared."""
    rate: float = math.inf
    """Bytes a second of the answer's body."""

    @property
    def id(self) -> str:
        return self.fault.id if self.fault else self.slow_id


MISS = Hit()


class FaultSet:
    """The faults of one world. Not thread-safe: its owner calls it from one thread.

    ``population`` says who is there when a fault is added.
    """

    def __init__(
        self, runtime: Runtime, seed: int, population: Callable[[], Iterable[Target]]
    ) -> None:
        self._runtime = runtime
        self._seed = seed
        self._population = population
        self._active: dict[str, Active] = {}
        self._by_target: dict[str, list[Active]] = {}
        self._added = 0
        self._before: list[Callable[[], object]] = []
        self._on_add: list[Callable[[Active], None]] = []
        self._on_clear: list[Callable[[Sequence[Active]], None]] = []

    def add(self, fault: Fault, origin: float | None = None) -> Active:
        """Put ``fault`` in force; its ``start`` counts from ``origin`` (default: now).

        Raises:
            FieldError: the id is taken, the selector hits nothing, or there are too many.
        """
        symptoms = fault.symptoms
        for part in (fault, *symptoms):
            if part.id in self._active:
                raise FieldError(f"fault.id: {part.id!r} is in force already; clear it first")
        if len(self._active) + len(symptoms) >= MAX_FAULTS:
            raise FieldError(f"fault: at most {MAX_FAULTS} at a time; clear some first")
        chosen = fault.select.choose(self._population(), f"{self._seed}/{fault.id}")
        if not chosen:
            raise FieldError(f"fault.select: {fault.id!r} selects none of the targets")
        self._tell_before()
        begun = self._runtime.now() if origin is None else origin
        for part in (fault, *symptoms):
            active = self._active[part.id] = Active(part, begun, chosen)
            for name in chosen:
                self._by_target.setdefault(name, []).append(active)
            for callback in self._on_add:
                callback(active)
        self._added += 1
        return self._active[fault.id]

    def next_id(self) -> str:
        """An id that is free, for a fault that came without one."""
        number = self._added + 1
        while f"fault-{number}" in self._active:
            number += 1
        return f"fault-{number}"

    def list(self) -> list[Active]:
        return [*self._active.values()]

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault with its symptoms, or all of them; says how many that were."""
        self._tell_before()
        gone = [*self._active] if fault_id is None else [fault_id]
        for active in [self._active[name] for name in gone if name in self._active]:
            gone += [symptom.id for symptom in active.fault.symptoms]
        removed = [self._active.pop(name) for name in dict.fromkeys(gone) if name in self._active]
        for active in removed:
            for name in active.chosen:
                self._by_target[name].remove(active)
        for callback in list(self._on_clear):
            callback(removed)
        return len(removed)

    def holds(self, fault_id: str) -> bool:
        """Whether the fault is in the set and its time is not over."""
        active = self._active.get(fault_id)
        ends = active.ends if active else None
        return active is not None and (ends is None or self._runtime.now() < ends)

    def has(self, active: Active) -> bool:
        """Whether this very fault is in the set still."""
        return self._active.get(active.fault.id) is active

    def subscribe(
        self,
        *,
        before: Callable[[], object] | None = None,
        added: Callable[[Active], None] | None = None,
        cleared: Callable[[Sequence[Active]], None] | None = None,
    ) -> None:
        """Call back before every change, for each fault added, and after every clearing."""
        self._before += [before] if before else []
        self._on_add += [added] if added else []
        self._on_clear += [cleared] if cleared else []

    def _tell_before(self) -> None:
        for callback in self._before:
            callback()

    def match(
        self,
        target: str,
        method: str,
        path: str,
        now: float,
        concerns: Callable[[Scope], bool] = lambda scope: True,
        client: str = "",
    ) -> Hit:
        """What hits this request. Delays add up; the first fault of another kind decides.

        ``concerns`` says whether the request is one of those that a scope is about; ``client`` is
        its User-Agent.
        """
        candidates = self._by_target.get(target)
        if not candidates:
            return MISS
        delay, rate, slow_id, decider = 0.0, math.inf, "", None
        for active in candidates:
            fault, kind = active.fault, active.fault.about
            if (
                not kind.matches
                or not active.in_force(now)
                or (fault.methods and method not in fault.methods)
                or (fault.path != "*" and not fnmatchcase(path, fault.path))
                or (fault.clients and not any(fnmatchcase(client, g) for g in fault.clients))
                or not (kind.scope == "any" or concerns(kind.scope))
                # Even where another fault decides: adding that one shifted no draw of this one.
                or not self._strikes(active, target)
            ):
                continue
            if kind.adds:
                active.hits += 1
                slow_id = fault.id
                if fault.kind == "latency":
                    delay += fault.params["latency"].draw(self._rng(fault, target, "/delay"))
                else:
                    rate = min(rate, fault.params["rate"])
            elif decider is None:
                active.hits += 1
                decider = active
        if decider is not None:
            return Hit(delay, decider.fault, slow_id, decider.until(now), rate)
        return Hit(delay, None, slow_id, None, rate) if slow_id else MISS

    def strike(self, target: str, acts: Acts, now: float) -> Sequence[Active]:
        """The faults that hit a new connection, or a boot that begins; each draws by itself."""
        found = [
            active
            for active in self._by_target.get(target, ())
            if active.fault.about.acts == acts
            and active.in_force(now)
            and self._strikes(active, target)
        ]
        for active in found:
            active.hits += 1
        return found

    def strikes(self, active: Active, target: str) -> bool:
        """Whether a fault over a span of time hits this target this time; counts the hit."""
        spent = active.fault.count is not None and active.hits >= active.fault.count
        if spent or not self._strikes(active, target):
            return False
        active.hits += 1
        return True

    def _strikes(self, active: Active, target: str) -> bool:
        probability = active.fault.probability
        return probability >= 1.0 or self._rng(active.fault, target).random() < probability

    def _rng(self, fault: Fault, target: str, purpose: str = "") -> Random:
        return self._runtime.rng(f"fault/{fault.id}/{target}{purpose}")
