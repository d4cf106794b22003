"""Which host a machine should try first: the algorithms of ``hostSelection.algorithm``.

Each keeps the free hosts sorted: by a class (lower first), then by a place within the class. A
machine starts at some place of the best class and goes round. So a choice costs a binary search
and a handful of hashes, however many hosts are free, and whatever the order they came in.

``deterministic`` is rendezvous hashing (Thaler and Ravishankar, 1998): each machine ranks hosts
by a hash of the pair. Machines disagree about the best host, so they rarely meet; and a host
that comes or goes changes no other host's rank. Beyond WINDOW free hosts only those are ranked
that follow the machine on a ring. No date enters, unlike in the earlier implementation (U19).
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.api.states import HostState
from beskar7.coordination.requirements import ANY, Requirements

WINDOW = 64
"""Hosts that are ranked for one machine. Far more than are ever tried (retryLimit is at most 10),
so the load stays as even as with all of them; few enough to be ranked in a tenth of a ms."""
PRIORITY = "beskar7.io/priority"
"""Annotation or label of a host: a whole number, 0 when missing; higher goes first."""
MAX_PRIORITY = 1_000_000

Class = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A host in an order."""

    class_: Class
    place: str
    key: ObjectKey

    @property
    def position(self) -> tuple[Class, str, str]:
        return self.class_, self.place, self.key.name


@dataclass(frozen=True, slots=True)
class Turn:
    """What a choice may depend on besides machine and hosts.

    ``wall``: UTC seconds. ``last``: the name of the host that was chosen last, if any.
    """

    wall: float = 0.0
    last: str = ""


Start = Callable[[ObjectKey, Turn, Sequence[str]], int]
"""Index among the places of a class, in order, at which the machine begins."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """``ranked``: the hosts after the start are ordered anew, by rendezvous."""

    place: Callable[[PhysicalHost], str]
    start: Start
    rank: Callable[[PhysicalHost], Class] = lambda host: ()
    ranked: bool = False


def claimable(host: PhysicalHost) -> bool:
    """Whether a host may be offered; the conditional update decides whether it is got."""
    return (
        host.state == HostState.AVAILABLE
        and host.ready
        and host.consumer is None
        and not host.deleting
        and not host.paused
    )


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _ring(host: PhysicalHost) -> str:
    return _digest(f"host {host.key}")


def _on_ring(machine: ObjectKey, turn: Turn, places: Sequence[str]) -> int:
    return bisect_left(places, _digest(f"machine {machine}"))


def _name(host: PhysicalHost) -> str:
    return host.name


def _first(machine: ObjectKey, turn: Turn, places: Sequence[str]) -> int:
    return 0


def _next(machine: ObjectKey, turn: Turn, places: Sequence[str]) -> int:
    return bisect_right(places, turn.last)


def upstream_hash(machine: ObjectKey, wall: float) -> int:
    """The earlier implementation's start (facts section 6): the first 8 hex digits of a sha256.

    It took the process's local date, we take UTC's; ``a-b/c`` and ``a/b-c`` collide as there.
    """
    day = datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d")
    text = f"{machine.namespace}-{machine.name}-{day}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def _by_day(machine: ObjectKey, turn: Turn, places: Sequence[str]) -> int:
    return upstream_hash(machine, turn.wall) % len(places)


def _priority(host: PhysicalHost) -> Class:
    """By the operator's word, then the least capable: the big hosts stay for who needs them."""
    text = str(host.annotations.get(PRIORITY) or host.labels.get(PRIORITY) or "0")
    word = int(text) if len(text) < 9 and text.lstrip("-").isdecimal() else 0
    hardware = host.status.get("hardwareDetails") or {}
    return (
        -max(-MAX_PRIORITY, min(MAX_PRIORITY, word)),
        int(hardware.get("cpuCores") or 0),
        int(hardware.get("memoryGiB") or 0),
    )


ALGORITHMS: dict[str, Algorithm] = {
    "deterministic": Algorithm(_ring, _on_ring, ranked=True),
    "round-robin": Algorithm(_name, _next),
    "priority": Algorithm(_ring, _on_ring, _priority, ranked=True),
    # For comparison only: every machine prefers the same host, so machines collide.
    "first-available": Algorithm(_name, _first),
    # For comparison only: the earlier implementation's.
    "upstream": Algorithm(_name, _by_day),
}
"""The values of ``hostSelection.algorithm``."""


def weight(machine: ObjectKey, host: ObjectKey) -> str:
    """Rendezvous: the host of the greatest weight is the machine's first choice."""
    return _weights(machine)(host)


def _weights(machine: ObjectKey) -> Callable[[ObjectKey], str]:
    """A claim weighs dozens of hosts for one machine."""
    head = f"{machine} "
    return lambda host: _digest(f"{head}{host.namespace}/{host.name}")


class Order:
    """The hosts of one namespace that meet some requirements, as one algorithm sorts them.

    Not thread-safe. A change costs a binary search and moving the list's tail, a microsecond or so
    for ten thousand hosts.
    """

    def __init__(self, algorithm: str, requirements: Requirements) -> None:
        self._algorithm = ALGORITHMS[algorithm]
        self._requirements = requirements
        self._entries: list[Entry] = []
        self._by_key: dict[ObjectKey, Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: ObjectKey) -> bool:
        return key in self._by_key

    def put(self, host: PhysicalHost) -> None:
        """Take a host in, or what changed of it; leave it out when it does not fit."""
        if not self._requirements.met(host):
            self.remove(host.key)
            return
        algorithm = self._algorithm
        preference = self._requirements.preference(host)
        entry = Entry((-preference, *algorithm.rank(host)), algorithm.place(host), host.key)
        if self._by_key.get(host.key) == entry:
            return
        self.remove(host.key)
        self._by_key[host.key] = entry
        self._entries.insert(self._index(entry), entry)

    def remove(self, key: ObjectKey) -> None:
        entry = self._by_key.pop(key, None)
        if entry is not None:
            del self._entries[self._index(entry)]

    def _index(self, entry: Entry) -> int:
        return bisect_left(self._entries, entry.position, key=lambda held: held.position)

    def choose(
        self, machine: ObjectKey, turn: Turn, limit: int, skip: Container[ObjectKey] = ()
    ) -> list[ObjectKey]:
        """At most ``limit`` hosts, best first, without those to be skipped."""
        found: list[ObjectKey] = []
        low = 0
        while low < len(self._entries) and len(found) < limit:
            high = bisect_right(
                self._entries, self._entries[low].class_, low, key=lambda held: held.class_
            )
            found += self._round(machine, turn, low, high, limit - len(found), skip)
            low = high
        return found

    def _round(
        self,
        machine: ObjectKey,
        turn: Turn,
        low: int,
        high: int,
        limit: int,
        skip: Container[ObjectKey],
    ) -> list[ObjectKey]:
        """Within one class, from the machine's start around to it."""
        places = _Places(self._entries, low, high)
        start = self._algorithm.start(machine, turn, places)
        wanted = max(limit, WINDOW) if self._algorithm.ranked else limit
        found: list[ObjectKey] = []
        for step in range(high - low):
            key = self._entries[low + (start + step) % (high - low)].key
            if key not in skip:
                found.append(key)
                if len(found) == wanted:
                    break
        if not self._algorithm.ranked:
            return found[:limit]
        weigh = _weights(machine)
        if limit == 1:  # As most are: the greatest of many needs no sorting.
            return [max(found, key=weigh)] if found else []
        found.sort(key=weigh, reverse=True)
        return found[:limit]


class _Places(Sequence[str]):
    """The places of a part of the entries, without a copy."""

    def __init__(self, entries: list[Entry], low: int, high: int) -> None:
        self._entries, self._low, self._high = entries, low, high

    def __len__(self) -> int:
        return self._high - self._low

    def __getitem__(self, index):  # type: ignore[no-untyped-def] # only ever asked for one
        return self._entries[self._low + index].place


def candidates(
    algorithm: str,
    machine: ObjectKey,
    hosts: Iterable[PhysicalHost],
    requirements: Requirements = ANY,
    turn: Turn | None = None,
    limit: int = WINDOW,
) -> list[ObjectKey]:
    """The claimable hosts of the machine's namespace, best first: the choice as one function."""
    order = Order(algorithm, requirements)
    for host in hosts:
        if host.namespace == machine.namespace and claimable(host):
            order.put(host)
    return order.choose(machine, turn or Turn(), limit)
