"""What the controller may ask of the world in which it runs: time, randomness, concurrency.

Two forms implement this protocol: :class:`beskar7.runtime.live.LiveRuntime` (threads, wall time)
and :class:`beskar7.runtime.virtual.VirtualRuntime` (SimPy, tasks as greenlets).
All times are seconds as ``float``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class RuntimeClosed(BaseException):
    """The process in which the caller runs is gone; raised out of every blocking call.

    Not an ``Exception``: a reconciler's error handling must not survive its own process.
    """


class QueueEmpty(Exception):
    """``Queue.get`` found nothing within its timeout."""


class QueueFull(Exception):
    """``Queue.put`` found no room within its timeout."""


class Task(Protocol):
    """A unit of concurrency. ``error`` is what ended it, when that was an exception."""

    name: str

    @property
    def done(self) -> bool: ...
    @property
    def error(self) -> BaseException | None: ...
    def join(self, timeout: float | None = None) -> bool:
        """Wait for the end; False when the timeout (seconds) came first."""
        ...


class Lock(Protocol):
    """Mutual exclusion, not re-entrant, first come first served in virtual time."""

    def acquire(self, timeout: float | None = None) -> bool: ...
    def release(self) -> None: ...
    def locked(self) -> bool: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class Condition(Protocol):
    """A monitor: ``wait`` releases the lock, ``notify`` wakes the longest waiters."""

    def __enter__(self) -> bool: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...
    def wait_for(self, predicate: Callable[[], bool], timeout: float | None = None) -> bool: ...
    def notify(self, n: int = 1) -> None: ...
    def notify_all(self) -> None: ...


class Event(Protocol):
    """A flag that tasks can wait for."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Queue(Protocol[T]):
    """First in, first out, between tasks."""

    def put(self, item: T, timeout: float | None = None) -> None:
        """Raises :class:`QueueFull` when there was no room within ``timeout``."""
        ...

    def get(self, timeout: float | None = None) -> T:
        """Raises :class:`QueueEmpty` when nothing came within ``timeout``."""
        ...

    def __len__(self) -> int: ...


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None: ...


class Runtime(Protocol):
    """The only door to time, randomness and concurrency."""

    def now(self) -> float:
        """Monotonic seconds; comparable between processes of one machine, and within one world."""
        ...

    def wall(self) -> float:
        """UTC seconds since the epoch, for timestamps that people and other systems read."""
        ...

    def sleep(self, seconds: float) -> None: ...
    def spawn(self, target: Callable[..., object], *args: Any, name: str) -> Task: ...
    def lock(self) -> Lock: ...
    def condition(self) -> Condition: ...
    def event(self) -> Event: ...
    def queue(self, maxsize: int = 0) -> Queue[Any]: ...
    def timer(
        self, delay: float, target: Callable[..., object], *args: Any, name: str
    ) -> Timer: ...
    def rng(self, name: str) -> random.Random:
        """The stream of this purpose and object, e.g. ``bmc-latency/host-0042``.

        One name is one stream: asking again continues it, and no other name shifts it.
        """
        ...

    def forget_rng(self, name: str) -> None:
        """Its object is gone: a stream (2.5 KB) is kept until then. Asked for, it starts anew."""
        ...

    def trace(self, kind: str, detail: str = "") -> None:
        """Mark a decision point; virtual time hashes these, live time ignores them."""
        ...
