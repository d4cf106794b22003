"""The runtime of production: threads, the monotonic clock, the system's randomness."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from beskar7.runtime.protocol import Condition, Event, Lock, QueueEmpty, QueueFull, RuntimeClosed
from beskar7.runtime.skew import Skew
from beskar7.runtime.streams import Streams

log = logging.getLogger(__name__)


class LiveRuntime:
    """Real time. ``seed`` fixes the random streams (None: drawn from the system).

    ``skew`` puts the wall clock wrong.
    """

    def __init__(self, seed: int | None = None, skew: Skew | None = None) -> None:
        self._skew = skew
        self._streams = Streams(random.SystemRandom().getrandbits(64) if seed is None else seed)
        self._streams_lock = threading.Lock()

    def now(self) -> float:
        return time.monotonic()

    def wall(self) -> float:
        return time.time() if self._skew is None else time.time() + self._skew(self.now())

    def sleep(self, seconds: float) -> None:
        time.sleep(max(0.0, seconds))

    def spawn(self, target: Callable[..., object], *args: Any, name: str) -> LiveTask:
        return LiveTask(target, args, name)

    def lock(self) -> Lock:
        return LiveLock()

    def condition(self) -> Condition:
        return threading.Condition(threading.Lock())

    def event(self) -> Event:
        return threading.Event()

    def queue(self, maxsize: int = 0) -> LiveQueue:
        return LiveQueue(maxsize)

    def timer(
        self, delay: float, target: Callable[..., object], *args: Any, name: str
    ) -> threading.Timer:
        timer = threading.Timer(max(0.0, delay), target, args)
        timer.name = name
        timer.daemon = True
        timer.start()
        return timer

    def rng(self, name: str) -> random.Random:
        with self._streams_lock:
            return self._streams.get(name)

    def forget_rng(self, name: str) -> None:
        with self._streams_lock:
            self._streams.forget(name)

    def trace(self, kind: str, detail: str = "") -> None:
        """Wall time is not replayable, so there is nothing to record."""


class LiveTask:
    """A daemon thread that remembers what ended it."""

    def __init__(self, target: Callable[..., object], args: tuple[Any, ...], name: str) -> None:
        self.name = name
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(target, args), name=name)
        self._thread.daemon = True
        self._thread.start()

    def _run(self, target: Callable[..., object], args: tuple[Any, ...]) -> None:
        try:
            target(*args)
        except RuntimeClosed as closed:
            self._error = closed
        except BaseException as error:
            self._error = error
            log.exception("task %s failed", self.name)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    @property
    def error(self) -> BaseException | None:
        return self._error

    def join(self, timeout: float | None = None) -> bool:
        self._thread.join(timeout)
        return self.done


class LiveLock:
    """``threading.Lock`` with a timeout that may be None."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self, timeout: float | None = None) -> bool:
        return self._lock.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def release(self) -> None:
        self._lock.release()

    def locked(self) -> bool:
        return self._lock.locked()

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()


class LiveQueue:
    """``queue.Queue`` with the protocol's errors."""

    def __init__(self, maxsize: int) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(maxsize)

    def put(self, item: Any, timeout: float | None = None) -> None:
        try:
            self._queue.put(item, timeout=timeout)
        except queue.Full:
            raise QueueFull from None

    def get(self, timeout: float | None = None) -> Any:
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            raise QueueEmpty from None

    def __len__(self) -> int:
        return self._queue.qsize()
