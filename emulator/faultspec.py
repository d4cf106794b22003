"""One vocabulary for what goes wrong: which targets, which requests, when, how, how often.

A fault is data (:class:`Fault`), of a kind in :mod:`emulator.faultkinds`. Whom it selects is a
function of seed and fault id alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from emulator import faultbase
from emulator import fields as f
from emulator.faultbase import BaseFault
from emulator.faultkinds import KINDS, PARAMS, Kind, owners
from emulator.fields import FieldError
from emulator.latency import Latency

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MAX_SYMPTOMS = 10
_GLOBS = ("hosts", "racks", "vendors", "firmware")
_FIELDS = (*faultbase.FIELDS, "every", "times", "select", "match", *PARAMS)


@dataclass(frozen=True, slots=True)
class Target:
    """Something that can be hit: a BMC, or another server with a name."""

    name: str
    rack: str = ""
    vendor: str = ""
    firmware: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Select:
    """Which targets: all given criteria hold; within a list one is enough. Names are globs."""

    hosts: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    firmware: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    fraction: float | None = None

    def admits(self, target: Target) -> bool:
        """``fraction`` aside, which needs the whole population."""
        return (
            (not self.hosts or any(fnmatchcase(target.name, glob) for glob in self.hosts))
            and (not self.racks or any(fnmatchcase(target.rack, glob) for glob in self.racks))
            and (not self.vendors or target.vendor in self.vendors)
            and (not self.firmware or any(fnmatchcase(target.firmware, g) for g in self.firmware))
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
    """One fault of a BMC; see :class:`BaseFault` for what it shares with all others.

    ``params`` are the fields of its kind (:mod:`emulator.faultkinds`), all of them.
    """

    select: Select = Select()
    methods: tuple[str, ...] = ()
    path: str = "*"
    clients: tuple[str, ...] = ()
    """Globs of the User-Agents whose requests are hit; none: all."""
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def about(self) -> Kind:
        return KINDS[self.kind]

    @property
    def symptoms(self) -> tuple[Fault, ...]:
        """The faults that this one stands for, with its selector and times."""
        found = []
        for index, entry in enumerate(self.params.get("symptoms", ())):
            common = self.to_dict() | {"id": f"{self.id}#{index + 1}"}
            del common["symptoms"]
            found.append(Fault.from_dict(common | dict(entry)))
        return tuple(found)

    @classmethod
    def from_dict(cls, data: object, where: str = "fault", default_id: str = "") -> Fault:
        """Raises :class:`FieldError` with the field and what it may hold."""
        fields = f.mapping(data, where, _FIELDS)
        kind = KINDS[f.choice(fields.get("kind"), f"{where}.kind", [*KINDS])]
        base = faultbase.read_base(fields, where, default_id, kind.name)
        repeat = faultbase.read_repeat(fields, where, base["duration"])
        mine = {param.name for param in kind.params}
        for name in PARAMS:
            if name in fields and name not in mine:
                known = " or ".join(owners(name))
                raise FieldError(f"{where}.{name}: only for kind {known}, not {kind.name}")
        params = kind.read(fields, where)
        if "symptoms" in params:
            params["symptoms"] = _symptoms(params["symptoms"], f"{where}.symptoms")
        methods, path, clients = _match(fields.get("match"), f"{where}.match", kind)
        return cls(
            **base,
            **repeat,
            select=_select(fields.get("select", {}), f"{where}.select"),
            methods=methods,
            path=path,
            clients=clients,
            params=params,
        )

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` reads back."""
        data = self.base_dict()
        if self.every is not None:
            data |= {"every": self.every, "times": self.times}
        select: dict[str, Any] = {
            name: list(getattr(self.select, name)) for name in _GLOBS if getattr(self.select, name)
        }
        if self.select.labels:
            select["labels"] = dict(self.select.labels)
        if self.select.fraction is not None:
            select["fraction"] = self.select.fraction
        data["select"] = select
        if self.methods or self.path != "*" or self.clients:
            data["match"] = {
                "methods": list(self.methods),
                "path": self.path,
                "clients": list(self.clients),
            }
        for name, value in self.params.items():
            data[name] = value.to_dict() if isinstance(value, Latency) else value
        return data


def _select(data: object, where: str) -> Select:
    select = f.mapping(data, where, (*_GLOBS, "labels", "fraction"))
    fraction = select.get("fraction")
    labels = f.labels(select.get("labels", {}), f"{where}.labels")
    return Select(
        **{name: f.texts(select.get(name, ()), f"{where}.{name}") for name in _GLOBS},
        labels=tuple(sorted(labels.items())),
        fraction=None if fraction is None else f.number(fraction, f"{where}.fraction", 0.0, 1.0),
    )


def _match(data: object, where: str, kind: Kind) -> tuple[tuple[str, ...], str, tuple[str, ...]]:
    if not data:
        return (), "*", ()
    if not kind.matches:
        raise FieldError(f"{where}: kind {kind.name} is not about single requests; leave it out")
    match = f.mapping(data, where, ("methods", "path", "clients"))
    methods = f.texts(match.get("methods", ()), f"{where}.methods")
    return (
        tuple(f.choice(method.upper(), f"{where}.methods", METHODS) for method in methods),
        f.text(match.get("path", "*"), f"{where}.path"),
        f.texts(match.get("clients", ()), f"{where}.clients"),
    )


def _symptoms(data: object, where: str) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(data, list | tuple) or not 0 < len(data) <= MAX_SYMPTOMS:
        raise FieldError(f"{where}: must be a list of 1 to {MAX_SYMPTOMS} faults")
    for index, entry in enumerate(data):
        here = f"{where}[{index}]"
        allowed = ("kind", "match", "probability", "count", *PARAMS)
        fields = f.mapping(entry, here, allowed)
        if fields.get("kind") == "firmware-bug":
            raise FieldError(f"{here}.kind: must be another kind than firmware-bug")
        Fault.from_dict({"id": "symptom", **fields}, here)
    return tuple(dict(entry) for entry in data)


def _rank(salt: str, name: str) -> bytes:
    return hashlib.blake2b(f"{salt}/{name}".encode(), digest_size=8).digest()
