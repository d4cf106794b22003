"""Room in the provisioning queue: who gets a place in it, and who may write at a time."""

from __future__ import annotations

from itertools import islice

from beskar7.api.meta import ObjectKey
from beskar7.coordination.operations import Operation, QueueLimits

TURN_KEPT = 30.0
"""Seconds for which a host that was turned away keeps its turn; it comes back much sooner."""


class WriteSlots:
    """What counts against ``maxConcurrentOps`` and the vendors' own limits.

    ``wanted`` running operations wait for a slot; they come before those that wait in the queue.
    """

    def __init__(self) -> None:
        self.used = 0
        self.wanted = 0
        self._by_vendor: dict[str, int] = {}

    def free(self, vendor: str, limits: QueueLimits) -> bool:
        if self.used >= limits.max_concurrent_ops:
            return False
        own = limits.vendor_ops.get(vendor)
        return own is None or self._by_vendor.get(vendor, 0) < own

    def claim(self, operation: Operation, limits: QueueLimits) -> bool:
        if not self.free(operation.vendor, limits):
            return False
        self.hold(operation)
        return True

    def hold(self, operation: Operation) -> None:
        operation.holds_slot = True
        self.used += 1
        self._by_vendor[operation.vendor] = self._by_vendor.get(operation.vendor, 0) + 1

    def release(self, operation: Operation) -> None:
        if operation.holds_slot:
            operation.holds_slot = False
            self.used -= 1
            self._by_vendor[operation.vendor] -= 1


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
