"""One vocabulary for what goes wrong: which targets, which requests, when, how, how often.

A fault is data (:class:`Fault`); a :class:`FaultSet` holds those that are in force and says for
each request what hits it. Selection is a function of seed and fault id alone, and every draw comes
from a stream of its own, so one fault never shifts the luck of another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from beskar7.runtime import Runtime
from emulator import faultbase
from emulator import fields as f
from emulator.faultbase import MAX_FAULTS, BaseFault
from emulator.fields import FieldError

KINDS = ("latency", "error", "hang", "reset")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be hit: a BMC, or another server with a name."""

    name: str
    rack: str = ""
    vendor: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Select:
    """Which targets: all given criteria hold; within a list one is enough. Names are globs."""

    hosts: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    fraction: float | None = None

    def admits(self, target: Target) -> bool:
        """``fraction`` aside, which needs the whole population."""
        return (
            (not self.hosts or any(fnmatchcase(target.name, glob) for glob in self.hosts))
            and (not self.racks or any(fnmatchcase(target.rack, glob) for glob in self.racks))
            and (not self.vendors or target.vendor in self.vendors)
            and all(target.labels.get(key) == value for key, value in self.labels)
        )

    def choose(self, population: Iterable[Target], salt: str) -> frozenset[str]:
        """The names that are hit; ``salt`` (seed and fault id) ranks them for ``fraction``."""
        names = [target.name for target in population if self.admits(target)]
        if self.fraction is not None and names:
            names.sort(key=lambda name: _rank(salt, name))
            names = names[: max(1, math.floor(self.fraction * len(names) + 0.5))]
        return frozenset(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(BaseFault):
    """One fault of a BMC; see :class:`BaseFault` for what it shares with all others."""

    select: Select = Select()
    methods: tuple[str, ...] = ()
    path: str = "*"

    @classmethod
    def from_dict(cls, data: object, where: str = "fault", default_id: str = "") -> Fault:
        """Raises :class:`FieldError` with the field and what it may hold."""
        fields = f.mapping(data, where, _FAULT_FIELDS)
        base = faultbase.read_base(fields, where, default_id, KINDS, _ONLY_FOR)
        select = f.mapping(fields.get("select", {}), f"{where}.select", _SELECT_FIELDS)
        match = f.mapping(fields.get("match") or {}, f"{where}.match", ("methods", "path"))
        fraction = select.get("fraction")
        labels = f.labels(select.get("labels", {}), f"{where}.select.labels")
        return cls(
            **base,
            select=Select(
                hosts=f.texts(select.get("hosts", ()), f"{where}.select.hosts"),
                racks=f.texts(select.get("racks", ()), f"{where}.select.racks"),
                vendors=f.texts(select.get("vendors", ()), f"{where}.select.vendors"),
                labels=tuple(sorted(labels.items())),
                fraction=None
                if fraction is None
                else f.number(fraction, f"{where}.select.fraction", 0.0, 1.0),
            ),
            methods=tuple(
                f.choice(method.upper(), f"{where}.match.methods", METHODS)
                for method in f.texts(match.get("methods", ()), f"{where}.match.methods")
            ),
            path=f.text(match.get("path", "*"), f"{where}.match.path"),
        )

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` reads back."""
        data = self.base_dict()
        select: dict[str, Any] = {
            name: list(getattr(self.select, name))
            for name in ("hosts", "racks", "vendors")
            if getattr(self.select, name)
        }
        if self.select.labels:
            select["labels"] = dict(self.select.labels)
        if self.select.fraction is not None:
            select["fraction"] = self.select.fraction
        data["select"] = select
        data["match"] = {"methods": list(self.methods), "path": self.path}
        if self.latency is None:
            data["perform"] = self.perform
        return data


Active = faultbase.Active[Fault]


@dataclass(frozen=True, slots=True)
class Hit:
    """What the faults do to one request: ``delay`` seconds more, and the fault that decides it."""

    delay: float = 0.0
    fault: Fault | None = None
    latency_id: str = ""
    ends: float | None = None
    """``runtime.now()`` at which ``fault`` ends by itself; None: not before it is cleared."""

    @property
    def id(self) -> str:
        return self.fault.id if self.fault else self.latency_id


MISS = Hit()


class FaultSet:
    """The faults of one world. Not thread-safe: its owner calls it from one thread."""

    def __init__(self, runtime: Runtime, seed: int, population: Iterable[Target] = ()) -> None:
        self._runtime = runtime
        self._seed = seed
        self._population = {target.name: target for target in population}
        self._active: dict[str, Active] = {}
        self._by_target: dict[str, list[Active]] = {}
        self._added = 0
        self._on_change: list[Callable[[], None]] = []

    def add(self, fault: Fault, origin: float | None = None) -> Active:
        """Put ``fault`` in force; its ``start`` counts from ``origin`` (default: now).

        Raises:
            FieldError: the id is taken, the selector hits nothing, or there are too many.
        """
        if fault.id in self._active:
            raise FieldError(f"fault.id: {fault.id!r} is in force already; clear it first")
        if len(self._active) >= MAX_FAULTS:
            raise FieldError(f"fault: at most {MAX_FAULTS} at a time; clear some first")
        chosen = fault.select.choose(self._population.values(), f"{self._seed}/{fault.id}")
        if not chosen:
            raise FieldError(f"fault.select: {fault.id!r} selects none of the targets")
        begun = self._runtime.now() if origin is None else origin
        active = self._active[fault.id] = Active(fault, begun, chosen)
        self._added += 1
        for name in chosen:
            self._by_target.setdefault(name, []).append(active)
        return active

    def next_id(self) -> str:
        """An id that is free, for a fault that came without one."""
        number = self._added + 1
        while f"fault-{number}" in self._active:
            number += 1
        return f"fault-{number}"

    def list(self) -> list[Active]:
        return [*self._active.values()]

    def clear(self, fault_id: str | None = None) -> int:
        """End one fault, or all of them; says how many that were."""
        gone = [fault_id] if fault_id is not None else list(self._active)
        removed = [active for name in gone if (active := self._active.pop(name, None))]
        for active in removed:
            for name in active.chosen:
                self._by_target[name].remove(active)
        for callback in list(self._on_change):
            callback()
        return len(removed)

    def holds(self, fault_id: str) -> bool:
        """Whether the fault is in the set and its time is not over."""
        active = self._active.get(fault_id)
        ends = active.ends if active else None
        return active is not None and (ends is None or self._runtime.now() < ends)

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call back after every clearing, so that hanging requests can be let go."""
        self._on_change.append(callback)

    def match(self, target: str, method: str, path: str, now: float) -> Hit:
        """What hits this request. Delays add up; the first error, hang or reset decides."""
        candidates = self._by_target.get(target)
        if not candidates:
            return MISS
        delay, latency_id, decider = 0.0, "", None
        for active in candidates:
            fault = active.fault
            if (
                not active.in_force(now)
                or (fault.methods and method not in fault.methods)
                or (fault.path != "*" and not fnmatchcase(path, fault.path))
                or (decider is not None and fault.kind != "latency")
            ):
                continue
            rng = self._runtime.rng(f"fault/{fault.id}/{target}")
            if fault.probability < 1.0 and rng.random() >= fault.probability:
                continue
            active.hits += 1
            if fault.latency is not None:
                delay += fault.latency.draw(rng)
                latency_id = fault.id
            else:
                decider = active
        if decider is not None:
            return Hit(delay, decider.fault, latency_id, decider.ends)
        return Hit(delay, None, latency_id) if latency_id else MISS


_FAULT_FIELDS = (*faultbase.FIELDS, "select", "match")
_SELECT_FIELDS = ("hosts", "racks", "vendors", "labels", "fraction")
_ONLY_FOR = {
    "latency": ("latency",),
    "status": ("error",),
    "retry_after": ("error",),
    "perform": ("error", "hang", "reset"),
}


def _rank(salt: str, name: str) -> bytes:
    return hashlib.blake2b(f"{salt}/{name}".encode(), digest_size=8).digest()
