"""Locks, conditions, events and queues of virtual time: first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any

from beskar7.runtime.kernel import Kernel, Waiter
from beskar7.runtime.protocol import QueueEmpty, QueueFull


class VirtualLock:
    """Handed over directly, so that nobody overtakes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held = False
        self._waiters: deque[Waiter] = deque()

    def acquire(self, timeout: float | None = None) -> bool:
        if not self._held:
            self._held = True
            return True
        if timeout is not None and timeout <= 0:
            return False
        waiter = self._kernel.waiter()
        self._waiters.append(waiter)
        return self._kernel.park(waiter, timeout)

    def release(self) -> None:
        if not self._held:
            raise RuntimeError("release of a lock that nobody holds")
        while self._waiters:
            waiter = self._waiters.popleft()
            if waiter.task.process.alive and waiter.wake():
                return
        self._held = False

    def locked(self) -> bool:
        return self._held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class VirtualCondition:
    """A monitor over a :class:`VirtualLock`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = VirtualLock(kernel)
        self._waiters: deque[Waiter] = deque()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A task of a killed process unwinds out of wait() without the lock.
        if self._lock.locked():
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        waiter = self._kernel.waiter()
        self._waiters.append(waiter)
        self._lock.release()
        woken = self._kernel.park(waiter, timeout)
        if not woken:
            self._waiters.remove(waiter)
        self._lock.acquire()
        return woken

    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool:
        env = self._kernel.env
        end = None if timeout is None else env.now + timeout
        while not predicate():
            remaining = None if end is None else end - env.now
            if remaining is not None and remaining <= 0:
                return False
            self.wait(remaining)
        return True

    def notify(self, n: int = 1) -> None:
        while n > 0 and self._waiters:
            n -= self._waiters.popleft().wake()

    def notify_all(self) -> None:
        self.notify(len(self._waiters))


class VirtualEvent:
    """A flag that tasks can wait for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._set = False
        self._waiters: list[Waiter] = []

    def set(self) -> None:
        self._set = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.wake()

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            waiter = self._kernel.waiter()
            self._waiters.append(waiter)
            if not self._kernel.park(waiter, timeout) and waiter in self._waiters:
                self._waiters.remove(waiter)
        return self._set


class VirtualQueue:
    """First in, first out; ``maxsize`` 0 has no bound."""

    def __init__(self, kernel: Kernel, maxsize: int) -> None:
        self._changed = VirtualCondition(kernel)
        self._items: deque[Any] = deque()
        self._maxsize = maxsize

    def put(self, item: Any, timeout: float | None = None) -> None:
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout):
                raise QueueFull
            self._items.append(item)
            self._changed.notify_all()

    def get(self, timeout: float | None = None) -> Any:
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items), timeout):
                raise QueueEmpty
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def _has_room(self) -> bool:
        return not self._maxsize or len(self._items) < self._maxsize

    def __len__(self) -> int:
        return len(self._items)
