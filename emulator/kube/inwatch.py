"""A watch of the in-process port as its user holds it: an iterator that can be closed."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator, Iterator

from beskar7.api.objects import WatchEvent
from beskar7.runtime import Runtime


class Ending:
    """How a watch is told to end while it waits: every wait of the watch is one of these."""

    def __init__(self, runtime: Runtime) -> None:
        self.woken = runtime.event()
        """Set by every event; whoever waits for events clears it."""
        self._closed = runtime.event()

    @property
    def closed(self) -> bool:
        return self._closed.is_set()

    def close(self) -> None:
        self._closed.set()
        self.woken.set()

    def sleep(self, seconds: float) -> bool:
        """True when the watch was closed before the time was over."""
        return self._closed.wait(seconds)


class InProcessWatch(Iterator[WatchEvent]):
    """``close`` may be called from any task: a task that waits in ``next`` then gets
    ``StopIteration`` at once."""

    def __init__(self, events: Generator[WatchEvent, None, None], ending: Ending) -> None:
        self._events = events
        self._ending = ending

    def __next__(self) -> WatchEvent:
        return next(self._events)

    def close(self) -> None:
        self._ending.close()
        # One that runs in another task cannot be closed from here, but it has been woken.
        if inspect.getgeneratorstate(self._events) != inspect.GEN_RUNNING:
            with contextlib.suppress(ValueError):
                self._events.close()
