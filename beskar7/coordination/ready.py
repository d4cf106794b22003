"""Heaps of operations, ordered, from which those that have moved on drop out by themselves."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from beskar7.coordination.operations import Operation

SLACK = 64
"""Outdated entries that a heap may hold beside as many as half of it."""


class OperationHeap:
    """The operations put in and not moved since, by the key with which they were put in.

    An operation that moves (``Operation.place`` grows) leaves its entry behind; such entries are
    dropped when they come up, or all at once when they outnumber the others.
    """

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, int, Operation]] = []

    def put(self, key: float, operation: Operation) -> None:
        heapq.heappush(self._entries, (key, operation.sequence, operation.place, operation))

    def top(self) -> tuple[float, Operation] | None:
        """Key and operation of the first; None when there is none."""
        while self._entries:
            key, _, place, operation = self._entries[0]
            if operation.place == place:
                return key, operation
            heapq.heappop(self._entries)
        return None

    def pop_due(self, now: float, use: Callable[[Operation], None]) -> None:
        """Hand over each operation whose key is not above ``now``; ``use`` may put into heaps."""
        while (first := self.top()) is not None and first[0] <= now:
            heapq.heappop(self._entries)
            use(first[1])

    def compact(self, living: int) -> None:
        """Called when at most ``living`` entries are of use."""
        if len(self._entries) > 2 * living + SLACK:
            self._entries = [entry for entry in self._entries if entry[3].place == entry[2]]
            heapq.heapify(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
