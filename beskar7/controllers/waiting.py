"""The machines for which no host was free, oldest first."""

from __future__ import annotations

from collections.abc import Callable

from beskar7.api.meta import ObjectKey
from beskar7.runtime import Runtime


class WaitingMachines:
    """``free_hosts`` counts the hosts that could be claimed; ``wake`` queues a machine."""

    def __init__(
        self,
        runtime: Runtime,
        free_hosts: Callable[[], int],
        queue: Callable[[ObjectKey], None],
    ) -> None:
        self._lock = runtime.lock()
        self._waiting: dict[ObjectKey, None] = {}
        self._free_hosts = free_hosts
        self._queue = queue

    def add(self, machine: ObjectKey) -> None:
        """Wait; if a host became free since the machine looked, the wait is over at once."""
        with self._lock:
            self._waiting[machine] = None
        self.wake()

    def discard(self, machine: ObjectKey) -> bool:
        """True when it waited."""
        with self._lock:
            return self._waiting.pop(machine, False) is None

    def wake(self) -> None:
        """Let as many machines try as there are free hosts; the rest sleep on.

        They stay in the list until they have a host, so a lost race costs nobody his place.
        """
        free = self._free_hosts()
        if not free:
            return
        with self._lock:
            chosen = list(self._waiting)[:free]
        for machine in chosen:
            self._queue(machine)

    def __len__(self) -> int:
        return len(self._waiting)
