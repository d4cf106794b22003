"""Who comes and who goes: the machines of the load, by its arrivals and their lifetimes."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from beskar7.runtime import Runtime
from scenarios.engine.arrivals import arrivals_of, lifetime_of
from scenarios.engine.schema import Coming, LoadSpec


class Demand(Protocol):
    """Who asks for machines and gives them back; times are ``runtime.now()``.

    The runner creates those that :meth:`arriving` tells, and deletes those of :meth:`leaving`.
    Whoever makes machines by himself tells of none, and is ``pending``.
    """

    @property
    def to_come(self) -> int:
        """How many machines are known to be still to come."""
        ...

    @property
    def pending(self) -> bool:
        """Whether anybody is still to come or to go."""
        ...

    @property
    def next_at(self) -> float | None:
        """When somebody comes or goes next, where that is known."""
        ...

    def arriving(self, now: float) -> list[Coming]:
        """Those who come by ``now`` and did not before."""
        ...

    def arrived(self, numbers: Iterable[int], coming: Iterable[Coming], now: float) -> None:
        """These machines are there from ``now`` on; some for a time only."""
        ...

    def leaving(self, now: float) -> list[int]:
        """The numbers of the machines that are given back by ``now``."""
        ...

    def abandon(self) -> None:
        """End what is under way; may be called at any time, and twice."""
        ...


class Traffic:
    """The scenario's own. Times are ``runtime.now()``; ``began`` is the load's start."""

    def __init__(self, load: LoadSpec, runtime: Runtime, began: float) -> None:
        self._load = load
        self._lifetimes = runtime.rng("scenario/lifetimes")
        self._began = began
        self._arrivals = deque(arrivals_of(load, runtime.rng("scenario/arrivals")))
        self._departures: list[tuple[float, int]] = []

    @property
    def to_come(self) -> int:
        return len(self._arrivals)

    @property
    def pending(self) -> bool:
        return bool(self._arrivals or self._departures)

    @property
    def next_at(self) -> float | None:
        coming = self._began + self._arrivals[0].at if self._arrivals else None
        going = self._departures[0][0] if self._departures else None
        if coming is None or going is None:
            return going if coming is None else coming
        return min(coming, going)

    def arriving(self, now: float) -> list[Coming]:
        due = []
        while self._arrivals and self._began + self._arrivals[0].at <= now:
            due.append(self._arrivals.popleft())
        return due

    def arrived(self, numbers: Iterable[int], coming: Iterable[Coming], now: float) -> None:
        for number, machine in zip(numbers, coming, strict=True):
            lifetime = lifetime_of(self._load, machine, self._lifetimes)
            if lifetime is not None:
                heapq.heappush(self._departures, (now + lifetime, number))

    def leaving(self, now: float) -> list[int]:
        due = []
        while self._departures and self._departures[0][0] <= now:
            due.append(heapq.heappop(self._departures)[1])
        return due

    def abandon(self) -> None:
        """Nothing of it goes on by itself."""
