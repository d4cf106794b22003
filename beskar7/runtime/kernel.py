"""The loop of virtual time: SimPy's environment, the switches between tasks, the trace.

Only one greenlet runs at a time and only :meth:`Kernel.park` gives up the processor, so a run is
a function of its seed. Every switch enters the trace hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Literal

import simpy
from greenlet import getcurrent, greenlet
from simpy.events import NORMAL

from beskar7.runtime.protocol import RuntimeClosed
from beskar7.runtime.streams import Streams

if TYPE_CHECKING:
    from beskar7.runtime.virtual import VirtualTask

Schedule = Literal["seeded", "fifo"]
"""Which of the tasks that are due at one instant runs first: one drawn, or the one due longest."""
MARKS_KEPT = 1024
"""Marks of the trace between two updates of its hash: one long update costs less than many."""

COUNT_BITS = 48
"""Of an entry's order, below what is drawn: more events than a run can have."""


class Due:
    """Something that happens at an instant of virtual time."""

    __slots__ = ()

    def fire(self) -> None:
        raise NotImplementedError


class Agenda(simpy.Environment):
    """SimPy's environment, with a choice among what is due at one instant.

    SimPy orders that by a count. A number drawn before the count permutes it: what is due may be
    overtaken by what becomes due later at the same instant, as threads may.
    """

    def __init__(self, draw: Callable[[], int]) -> None:
        super().__init__()
        self._draw = draw

    def schedule(self, event: Any, priority: Any = NORMAL, delay: float = 0) -> None:
        order = self._draw() << COUNT_BITS | next(self._eid)
        entry: Any = (self._now + delay, priority, order, event)
        heappush(self._queue, entry)

    def step(self) -> None:
        """Raises ``simpy.core.EmptySchedule``."""
        event = self._queue[0][3] if self._queue else None
        if isinstance(event, Due):
            self._now = heappop(self._queue)[0]
            event.fire()
        else:
            super().step()


class Waiter(Due):
    """One parked task. It is resumed once: by ``wake`` (True) or by its timeout (False)."""

    __slots__ = ("_kernel", "_resumed", "parked", "task", "woken")

    def __init__(self, kernel: Kernel, task: VirtualTask) -> None:
        self._kernel = kernel
        self._resumed = False
        self.task = task
        self.parked = True
        self.woken = False

    def wake(self) -> bool:
        """Resume the task at this instant; False when it was resumed already."""
        if not self.parked:
            return False
        self.parked = False
        self.woken = True
        self._kernel.env.schedule(self)
        return True

    def fire(self) -> None:
        """Called when woken, and at the timeout; whichever comes first resumes the task."""
        if not self._resumed:
            self._resumed = True
            self.parked = False
            self._kernel.switch_to(self.task)


class Kernel:
    """The loop: SimPy's environment, the tasks' switches, the trace."""

    def __init__(self, seed: int, schedule: Schedule = "seeded") -> None:
        self.streams = Streams(seed)
        # A stream of its own, beside those by name: no policy shifts the schedule's draws.
        order = Streams(seed).get("schedule").getrandbits
        self.env = Agenda((lambda: order(32)) if schedule == "seeded" else (lambda: 0))
        self.hub: greenlet = getcurrent()
        self.current: VirtualTask | None = None
        self.closing = False
        self.switches = 0
        self.latest = ""
        """The name of the task that ran last."""
        self._hash = hashlib.blake2b(digest_size=16)
        self._marks: list[str] = []

    def waiter(self) -> Waiter:
        """A parking place for the running task."""
        task = self.current
        if task is None:
            raise RuntimeError("a blocking call of the virtual runtime outside of its tasks")
        if self.closing or not task.process.alive:
            raise RuntimeClosed(task.process.name)
        return Waiter(self, task)

    def park(self, waiter: Waiter, timeout: float | None = None) -> bool:
        """Give up the processor until woken; False when ``timeout`` seconds came first."""
        if timeout is not None:
            self.env.schedule(waiter, delay=max(0.0, timeout))
        task = waiter.task
        task.waiter = waiter
        self.hub.switch()
        task.waiter = None
        if self.closing or not task.process.alive:
            raise RuntimeClosed(task.process.name)
        return waiter.woken

    def resume_soon(self, task: VirtualTask) -> None:
        """Run ``task`` at this virtual instant."""
        Waiter(self, task).wake()

    def switch_to(self, task: VirtualTask) -> None:
        if task.finished:
            return
        self.trace("run", task.name)
        self.switches += 1
        self.latest = task.name
        previous, self.current = self.current, task
        task.greenlet.parent = self.hub
        try:
            task.greenlet.switch()
        finally:
            self.current = previous

    def trace(self, kind: str, detail: str) -> None:
        self._marks.append(f"{self.env.now!r} {kind} {detail}\n")
        if len(self._marks) >= MARKS_KEPT:
            self._take_marks()

    def _take_marks(self) -> None:
        self._hash.update("".join(self._marks).encode())
        self._marks.clear()

    @property
    def trace_hash(self) -> str:
        self._take_marks()
        return self._hash.hexdigest()
