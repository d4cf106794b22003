"""A controller's work queue and its workers, on SimPy: as :mod:`beskar7.kube.workqueue` orders."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Workers(Generic[K]):
    """``count`` workers call ``work(key)``, which calls :meth:`done` at its end.

    A key waits once at most, and no two workers have it at once: added meanwhile, it comes back.
    Of a waiting key's priorities the higher holds.
    """

    def __init__(self, count: int, work: Callable[[K], None]) -> None:
        self._work = work
        self._idle = count
        self._heap: list[tuple[int, int, K]] = []
        self._waiting: dict[K, int] = {}
        self._busy: dict[K, int | None] = {}
        """With a worker; and at which priority it comes back, None: it does not."""
        self._sequence = 0
        self._serving = False

    def add(self, key: K, priority: int = 0) -> None:
        if key in self._busy:
            again = self._busy[key]
            self._busy[key] = priority if again is None else max(again, priority)
            return
        known = self._waiting.get(key)
        if known is not None and known >= priority:
            return
        self._waiting[key] = priority
        self._sequence += 1
        heapq.heappush(self._heap, (-priority, self._sequence, key))
        self._serve()

    def done(self, key: K) -> None:
        again = self._busy.pop(key)
        self._idle += 1
        if again is not None:
            self.add(key, again)
        self._serve()

    def holds(self, key: K) -> bool:
        """Whether a worker has it."""
        return key in self._busy

    def _serve(self) -> None:
        if self._serving:
            return  # Work that ends at once must not pile up calls.
        self._serving = True
        while self._idle and self._heap:
            negative, _, key = heapq.heappop(self._heap)
            if self._waiting.get(key) != -negative:
                continue
            del self._waiting[key]
            self._busy[key] = None
            self._idle -= 1
            self._work(key)
        self._serving = False
