"""Room in the provisioning queue: who gets a place in it, and who may write at a time."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import NamedTuple

from beskar7.api.meta import ObjectKey
from beskar7.coordination.operations import Operation, QueueLimits

TURN_KEPT = 30.0
"""Seconds for which a host that was turned away keeps its turn; it comes back much sooner."""


class Load(NamedTuple):
    """Writing operations: those that wait, that wait for a BMC that does not answer, that run."""

    waiting: int
    suspects: int
    processing: int


class WaitingWriters:
    """Counts writing operations that wait, by whether their BMC is suspect, and by namespace."""

    def __init__(self) -> None:
        self.total = {False: 0, True: 0}
        self._by_namespace: dict[bool, Counter[str]] = {False: Counter(), True: Counter()}

    def count(self, operation: Operation, change: int, *, suspect: bool) -> None:
        self.total[suspect] += change
        _change(self._by_namespace[suspect], operation.host.namespace, change)

    def of(self, namespace: str, *, suspect: bool) -> int:
        return self._by_namespace[suspect][namespace]


class WriteSlots:
    """What counts against ``maxConcurrentOps`` and the vendors' own limits.

    ``wanted`` running operations wait for a slot; they come before those that wait in the queue.
    """

    def __init__(self) -> None:
        self.used = 0
        self.wanted = 0
        self._by_vendor: Counter[str] = Counter()
        self._by_namespace: Counter[str] = Counter()

    def free(self, vendor: str, limits: QueueLimits) -> bool:
        if self.used >= limits.max_concurrent_ops:
            return False
        own = limits.vendor_ops.get(vendor)
        return own is None or self._by_vendor[vendor] < own

    def used_by(self, namespace: str) -> int:
        return self._by_namespace[namespace]

    def claim(self, operation: Operation, limits: QueueLimits) -> bool:
        if not self.free(operation.vendor, limits):
            return False
        self.hold(operation)
        return True

    def hold(self, operation: Operation) -> None:
        operation.holds_slot = True
        self._count(operation, 1)

    def release(self, operation: Operation) -> None:
        if operation.holds_slot:
            operation.holds_slot = False
            self._count(operation, -1)

    def _count(self, operation: Operation, change: int) -> None:
        self.used += change
        _change(self._by_vendor, operation.vendor, change)
        _change(self._by_namespace, operation.host.namespace, change)


class Turns:
    """Hosts that were turned away from a full queue, longest first.

    Without them a newcomer that happens to ask at the right moment would pass hosts that have
    come back in vain for minutes.
    """

    def __init__(self) -> None:
        self._turned_away: dict[ObjectKey, tuple[float, float]] = {}
        """Host -> (first, last time)."""

    def admit(self, host: ObjectKey, free: int, now: float) -> float | None:
        """Since when the host asks for one of ``free`` places, if it gets one; else None."""
        turns = self._turned_away
        while turns:
            first = next(iter(turns))
            if turns[first][1] >= now - TURN_KEPT:
                break
            del turns[first]
        since, _ = turns.get(host, (now, now))
        if free > len(turns) or host in islice(turns, max(0, free)):
            turns.pop(host, None)
            return since
        turns[host] = (since, now)
        return None

    def forget(self, host: ObjectKey) -> None:
        self._turned_away.pop(host, None)


def _change(counts: Counter[str], name: str, change: int) -> None:
    """Names that are gone leave nothing behind."""
    counts[name] += change
    if not counts[name]:
        del counts[name]
