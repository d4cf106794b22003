"""What the write log says about hosts, machines and the manager's lease, in order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from beskar7.api.kinds import BESKAR7_MACHINE, LEASE, PHYSICAL_HOST
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.expand import SYSTEM_NAMESPACE

LEASE_NAME = "beskar7-controller-manager"
MANAGER_AGENT = "beskar7-manager/"
"""A manager's User-Agent is this and its identity."""

Object = dict[str, Any]
T = TypeVar("T")


def dig(obj: object, *path: str) -> Any:
    """The value at a path of fields, None when any part of it is absent."""
    for name in path:
        if not isinstance(obj, dict):
            return None
        obj = obj.get(name)
    return obj


def consumer_uid(host: Object | None) -> str:
    return str(dig(host, "spec", "consumerRef", "uid") or "")


def consumer_name(host: Object | None) -> str:
    return str(dig(host, "spec", "consumerRef", "name") or "")


def state(host: Object | None) -> str:
    return str(dig(host, "status", "state") or "")


def phase(machine: Object | None) -> str:
    return str(dig(machine, "status", "phase") or "")


def deleting(obj: Object | None) -> bool:
    return bool(dig(obj, "metadata", "deletionTimestamp"))


def removes(record: WriteRecord) -> bool:
    """Whether a successful write took its object out of the API."""
    if dig(record.object, "metadata", "finalizers"):
        return False
    return record.verb == "delete" or deleting(record.object)


@dataclass(frozen=True, slots=True)
class Version:
    """An object from ``time`` on; ``object`` None means that it is gone."""

    time: float
    seq: int
    object: Object | None
    client: str


@dataclass(frozen=True, slots=True)
class Stretch(Generic[T]):
    """A value that held from ``start`` to ``end``; ``seq`` is the write that made it so."""

    start: float
    end: float
    seq: int
    value: T


@dataclass(slots=True)
class Track:
    """One object's versions, oldest first."""

    name: str
    uid: str
    versions: list[Version] = field(default_factory=list)

    def add(self, version: Version) -> None:
        self.versions.append(version)

    def at(self, time: float) -> Object | None:
        """The object as it was at ``time``; None before its creation and after its end."""
        index = bisect_right(self.versions, time, key=lambda version: version.time)
        return self.versions[index - 1].object if index else None

    def during(self, start: float, end: float) -> list[Object | None]:
        """Every version that was in force at some moment from ``start`` to ``end``."""
        first = bisect_right(self.versions, start, key=lambda version: version.time)
        last = bisect_right(self.versions, end, key=lambda version: version.time)
        before = self.versions[first - 1].object if first else None
        return [before, *(version.object for version in self.versions[first:last])]

    def stretches(self, end: float, key: Callable[[Object], T]) -> Iterator[Stretch[T]]:
        """How long each value of ``key`` lasted, one after the other, until ``end`` at most."""
        begin: tuple[Version, T] | None = None
        for version in (*self.versions, None):
            obj = version.object if version else None
            now = None if obj is None else key(obj)
            if begin is not None and (obj is None or now != begin[1]):
                yield Stretch(
                    begin[0].time, version.time if version else end, begin[0].seq, begin[1]
                )
                begin = None
            if begin is None and version is not None and obj is not None and now is not None:
                begin = (version, now)

    @property
    def last(self) -> Object | None:
        return self.versions[-1].object if self.versions else None

    @property
    def created(self) -> float:
        return self.versions[0].time

    @property
    def gone(self) -> bool:
        return bool(self.versions) and self.versions[-1].object is None

    @property
    def deletion(self) -> Version | None:
        """The write by which its end was asked for."""
        for version in self.versions:
            if version.object is None or deleting(version.object):
                return version
        return None

    def pairs(self) -> Iterable[tuple[Version | None, Version]]:
        """Each version with the one before it."""
        previous: Version | None = None
        for version in self.versions:
            yield previous, version
            previous = version


@dataclass(frozen=True, slots=True)
class Ownership:
    """A host belonged to a machine from the write ``start_seq`` on; ``end`` None: until the end."""

    host: str
    owner: str
    owner_name: str
    start: float
    start_seq: int
    end: float | None = None
    end_seq: int | None = None


@dataclass(frozen=True, slots=True)
class LeaseHold:
    """The lease as one write left it; ``duration`` is how long it counts without another."""

    time: float
    seq: int
    holder: str
    duration: float


class History:
    """An index over the write log. Hosts and machines are followed by uid."""

    def __init__(self, writes: Iterable[WriteRecord] = ()) -> None:
        self.writes: list[WriteRecord] = []
        self.hosts: dict[str, Track] = {}
        self.machines: dict[str, Track] = {}
        self.leases: list[LeaseHold] = []
        self._by_name: dict[str, list[Track]] = {}
        for record in writes:
            self.add(record)

    def add(self, record: WriteRecord) -> None:
        """Records have to come in the log's order."""
        self.writes.append(record)
        if record.outcome != "ok" or record.object is None:
            return
        if record.kind == PHYSICAL_HOST.kind:
            self._follow(self.hosts, record)
        elif record.kind == BESKAR7_MACHINE.kind:
            self._follow(self.machines, record)
        elif record.kind == LEASE.kind and (record.namespace, record.name) == (
            SYSTEM_NAMESPACE,
            LEASE_NAME,
        ):
            holder = "" if removes(record) else dig(record.object, "spec", "holderIdentity")
            duration = dig(record.object, "spec", "leaseDurationSeconds")
            self.leases.append(
                LeaseHold(record.time, record.seq, str(holder or ""), float(duration or 0.0))
            )

    def _follow(self, tracks: dict[str, Track], record: WriteRecord) -> None:
        uid = record.uid or str(dig(record.object, "metadata", "uid") or record.name)
        track = tracks.get(uid)
        if track is None:
            track = tracks[uid] = Track(record.name, uid)
            if tracks is self.hosts:
                self._by_name.setdefault(record.name, []).append(track)
        obj = None if removes(record) else record.object
        track.add(Version(record.time, record.seq, obj, record.client))

    def host_named(self, name: str, time: float) -> Track | None:
        """The track of the host of this name that was there at ``time``, or the last before."""
        found: Track | None = None
        for track in self._by_name.get(name, []):
            if track.created <= time:
                found = track
        return found

    def machine_name(self, uid: str) -> str:
        track = self.machines.get(uid)
        return track.name if track else ""

    def ownerships(self) -> list[Ownership]:
        """Every time that a host belonged to somebody, by start."""
        found: list[Ownership] = []
        for track in self.hosts.values():
            open_one: Ownership | None = None
            for version in track.versions:
                owner = consumer_uid(version.object)
                if open_one is not None and owner != open_one.owner:
                    found.append(_closed(open_one, version))
                    open_one = None
                if owner and open_one is None:
                    name = consumer_name(version.object) or self.machine_name(owner)
                    open_one = Ownership(track.name, owner, name, version.time, version.seq)
            if open_one is not None:
                found.append(open_one)
        return sorted(found, key=lambda ownership: ownership.start_seq)

    def lease_at(self, time: float) -> LeaseHold | None:
        """The lease as it stood at ``time``, run out or not; None before the first."""
        index = bisect_right(self.leases, time, key=lambda hold: hold.time)
        return self.leases[index - 1] if index else None


def _closed(ownership: Ownership, by: Version) -> Ownership:
    return Ownership(
        ownership.host,
        ownership.owner,
        ownership.owner_name,
        ownership.start,
        ownership.start_seq,
        by.time,
        by.seq,
    )
