"""The work queue of a controller: what is to be reconciled, once each, the urgent first.

A key is in the queue at most once, however often it is added, and is never handed out to two
workers at once: added while it is being processed, it comes back when that is done.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from beskar7.kube.backoff import Exponential
from beskar7.runtime import Random, Runtime

K = TypeVar("K", bound=Hashable)

RETRY = Exponential(base=0.005, maximum=1000.0)
"""Base and maximum of client-go's ``DefaultItemBasedRateLimiter``; the jitter is ours."""


@dataclass(slots=True)
class _Entry:
    priority: int
    seq: int
    since: float
    """``runtime.now()`` when it became ready."""
    ready_at: float | None
    """None: ready. Else it waits for its time."""


class WorkQueue(Generic[K]):
    """For many producers and many workers. All times in seconds.

    ``on_depth(n)`` hears the new number of ready keys and ``on_wait(seconds)`` how long a key was
    ready before a worker took it. Both are called with the queue locked and must return at once.
    """

    def __init__(
        self,
        runtime: Runtime,
        name: str,
        rng: Random,
        *,
        retry: Exponential = RETRY,
        on_depth: Callable[[int], None] | None = None,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self.name = name
        self._runtime = runtime
        self._rng = rng
        self._retry = retry
        self._on_depth = on_depth
        self._on_wait = on_wait
        self._changed = runtime.condition()
        self._seq = itertools.count()
        self._entries: dict[K, _Entry] = {}
        self._processing: dict[K, int] = {}
        self._failures: dict[K, int] = {}
        # Heaps hold what once was true of a key; whatever its entry no longer confirms is skipped.
        self._ready: list[tuple[int, int, K]] = []
        self._delayed: list[tuple[float, int, K]] = []
        self._depth = 0
        self._shut_down = False

    def add(self, key: K, *, priority: int = 0) -> None:
        """Make ``key`` ready now; of two priorities the higher holds."""
        with self._changed:
            self._put(key, priority, None)

    def add_after(self, key: K, delay: float, *, priority: int | None = None) -> None:
        """Make ``key`` ready in ``delay`` seconds, unless it is to be ready sooner anyway.

        ``priority`` None keeps that with which the key was handed out, or is 0.
        """
        with self._changed:
            if priority is None:
                priority = self._processing.get(key, 0)
            ready_at = self._runtime.now() + delay if delay > 0 else None
            self._put(key, priority, ready_at)

    def add_rate_limited(self, key: K, *, priority: int | None = None) -> float:
        """Add after a delay that grows with the key's failures; the delay in seconds."""
        with self._changed:
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            delay = self._retry.delay(failures, self._rng)
        self.add_after(key, delay, priority=priority)
        return delay

    def forget(self, key: K) -> None:
        """The key's failures count no longer."""
        with self._changed:
            self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        with self._changed:
            return self._failures.get(key, 0)

    def get(self, timeout: float | None = None) -> K | None:
        """The next key, which the caller passes to :meth:`done` afterwards.

        None: the queue was shut down, or nothing came within ``timeout``.
        """
        with self._changed:
            end = None if timeout is None else self._runtime.now() + timeout
            while not self._shut_down:
                now = self._runtime.now()
                self._promote(now)
                while self._ready:
                    negative_priority, seq, key = heapq.heappop(self._ready)
                    if self._is_current(key, -negative_priority, seq):
                        return self._hand_out(key, now)
                if end is not None and now >= end:
                    return None
                ends = [at for at in (end, self._next_due()) if at is not None]
                self._changed.wait(min(ends) - now if ends else None)
            return None

    def done(self, key: K) -> None:
        """The key's processing is over; if it was added meanwhile, it is ready again."""
        with self._changed:
            if self._processing.pop(key, None) is None:
                return
            entry = self._entries.get(key)
            if entry is not None and entry.ready_at is None:
                self._make_ready(key, entry)

    def shut_down(self) -> None:
        """Nothing is added or handed out any more; what is being processed may be finished."""
        with self._changed:
            self._shut_down = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """Keys that a worker could take now."""
        return self._depth

    @property
    def delayed(self) -> int:
        """Keys whose time has not come."""
        with self._changed:
            return sum(1 for entry in self._entries.values() if entry.ready_at is not None)

    @property
    def processing(self) -> int:
        """Keys that are with a worker."""
        return len(self._processing)

    def _put(self, key: K, priority: int, ready_at: float | None) -> None:
        if self._shut_down:
            return
        entry = self._entries.get(key)
        if entry is None:
            entry = _Entry(priority, next(self._seq), self._runtime.now(), ready_at)
            self._entries[key] = entry
            if ready_at is None:
                self._make_ready(key, entry)
            else:
                self._delay(key, entry, ready_at)
            return
        urgent = priority > entry.priority
        if urgent:
            entry.priority = priority
        if entry.ready_at is None:
            if urgent:
                self._make_ready(key, entry, counted=True)
        elif ready_at is None:
            self._ripen(key, entry, self._runtime.now())
        elif ready_at < entry.ready_at:
            self._delay(key, entry, ready_at)

    def _make_ready(self, key: K, entry: _Entry, *, counted: bool = False) -> None:
        """Offer the key to the workers, unless one has it: then ``done`` will."""
        if key in self._processing:
            return
        heapq.heappush(self._ready, (-entry.priority, entry.seq, key))
        if not counted:
            self._count(1)
        self._changed.notify()

    def _ripen(self, key: K, entry: _Entry, now: float) -> None:
        entry.ready_at = None
        entry.seq = next(self._seq)
        entry.since = now
        self._make_ready(key, entry)

    def _delay(self, key: K, entry: _Entry, ready_at: float) -> None:
        entry.ready_at = ready_at
        earliest = self._delayed[0][0] if self._delayed else None
        heapq.heappush(self._delayed, (ready_at, next(self._seq), key))
        if earliest is None or ready_at < earliest:
            # Every waiting worker has to wait for less long: whichever one were told could be
            # gone with another key when the time comes.
            self._changed.notify_all()

    def _promote(self, now: float) -> None:
        while self._delayed and self._delayed[0][0] <= now:
            ready_at, _, key = heapq.heappop(self._delayed)
            entry = self._entries.get(key)
            if entry is not None and entry.ready_at == ready_at:
                self._ripen(key, entry, now)

    def _next_due(self) -> float | None:
        while self._delayed:
            ready_at, _, key = self._delayed[0]
            entry = self._entries.get(key)
            if entry is not None and entry.ready_at == ready_at:
                return ready_at
            heapq.heappop(self._delayed)
        return None

    def _is_current(self, key: K, priority: int, seq: int) -> bool:
        entry = self._entries.get(key)
        return (
            entry is not None
            and entry.ready_at is None
            and entry.seq == seq
            and entry.priority == priority
            and key not in self._processing
        )

    def _hand_out(self, key: K, now: float) -> K:
        entry = self._entries.pop(key)
        self._processing[key] = entry.priority
        self._count(-1)
        if self._on_wait is not None:
            self._on_wait(now - entry.since)
        return key

    def _count(self, change: int) -> None:
        self._depth += change
        if self._on_depth is not None:
            self._on_depth(self._depth)
