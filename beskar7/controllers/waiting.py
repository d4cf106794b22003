"""The machines for which no host was free, and who of them may try when one becomes free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from beskar7.api.meta import ObjectKey
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.requirements import Requirements
from beskar7.runtime import Runtime


class WaitingMachines:
    """``fits`` counts the free hosts of a namespace that meet some requirements; ``queue`` lets a
    machine try again. ``on_length`` hears how many of a namespace wait."""

    def __init__(
        self,
        runtime: Runtime,
        fits: Callable[[str, Requirements], int],
        queue: Callable[[ObjectKey], None],
        on_length: Callable[[str, int], None],
    ) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._waiting: dict[ObjectKey, Waiting] = {}
        self._fits = fits
        self._queue = queue
        self._on_length = on_length
        self._lengths: Counter[str] = Counter()

    def add(self, machine: Waiting) -> None:
        """Wait; if a host became free since the machine looked, the wait is over at once."""
        with self._lock:
            if machine.machine not in self._waiting:
                self._count(machine.machine.namespace, 1)
            self._waiting[machine.machine] = machine
        self.wake(machine.machine.namespace)

    def discard(self, machine: ObjectKey) -> bool:
        """True when it waited."""
        with self._lock:
            if self._waiting.pop(machine, None) is None:
                return False
            self._count(machine.namespace, -1)
            return True

    def _count(self, namespace: str, change: int) -> None:
        self._lengths[namespace] += change
        self._on_length(namespace, self._lengths[namespace])
        if not self._lengths[namespace]:
            del self._lengths[namespace]

    def wake(self, namespace: str) -> None:
        """Let as many machines try as there are free hosts that fit them, the best first.

        They stay in the list until they have a host, so a lost race costs nobody his place.
        """
        with self._lock:
            waiting = [
                item for item in self._waiting.values() if item.machine.namespace == namespace
            ]
        free = {
            wish: self._fits(namespace, wish) for wish in {w.requirements: None for w in waiting}
        }
        if not any(free.values()):
            return
        now = self._runtime.wall()
        chosen = []
        for item in sorted(waiting, key=lambda item: item.order(now)):
            if free[item.requirements] > 0:
                # What another kind of machine may take of the same hosts is left open: one machine
                # too many that looks again costs nothing, one too few would wait for nothing.
                free[item.requirements] -= 1
                chosen.append(item.machine)
        for machine in chosen:
            self._queue(machine)

    def __len__(self) -> int:
        return len(self._waiting)
