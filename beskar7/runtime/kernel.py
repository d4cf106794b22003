"""The loop of virtual time: SimPy's environment, the switches between tasks, the trace.

Only one greenlet runs at a time and only :meth:`Kernel.park` gives up the processor, so a run is
a function of its seed. Every switch enters the trace hash.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import simpy
from greenlet import getcurrent, greenlet

from beskar7.runtime.protocol import RuntimeClosed
from beskar7.runtime.streams import Streams

if TYPE_CHECKING:
    from beskar7.runtime.virtual import VirtualTask


class Waiter:
    """One parked task. It is resumed once: by ``wake`` (True) or by its timeout (False)."""

    __slots__ = ("_kernel", "parked", "task", "woken")

    def __init__(self, kernel: Kernel, task: VirtualTask) -> None:
        self._kernel = kernel
        self.task = task
        self.parked = True
        self.woken = False

    def wake(self) -> bool:
        """Resume the task at this instant; False when it was resumed already."""
        if not self.parked:
            return False
        self.parked = False
        self.woken = True
        self._kernel.resume_soon(self.task)
        return True

    def expire(self) -> None:
        if self.parked:
            self.parked = False
            self._kernel.switch_to(self.task)


class Kernel:
    """The loop: SimPy's environment, the tasks' switches, the trace."""

    def __init__(self, seed: int) -> None:
        self.env = simpy.Environment()
        self.streams = Streams(seed)
        self.hub: greenlet = getcurrent()
        self.current: VirtualTask | None = None
        self.closing = False
        self.switches = 0
        self._hash = hashlib.blake2b(digest_size=16)

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
            expiry = self.env.timeout(max(0.0, timeout))
            expiry.callbacks.append(lambda _: waiter.expire())
        task = waiter.task
        task.waiter = waiter
        self.hub.switch()
        task.waiter = None
        if self.closing or not task.process.alive:
            raise RuntimeClosed(task.process.name)
        return waiter.woken

    def resume_soon(self, task: VirtualTask) -> None:
        """Run ``task`` at this virtual instant, after what is already due."""
        due = self.env.event()
        due.callbacks.append(lambda _: self.switch_to(task))
        due.succeed()

    def switch_to(self, task: VirtualTask) -> None:
        if task.finished:
            return
        self.trace("run", task.name)
        self.switches += 1
        previous, self.current = self.current, task
        task.greenlet.parent = self.hub
        task.greenlet.switch()
        self.current = previous

    def trace(self, kind: str, detail: str) -> None:
        self._hash.update(f"{self.env.now!r} {kind} {detail}\n".encode())

    @property
    def trace_hash(self) -> str:
        return self._hash.hexdigest()
