"""Virtual time: a SimPy environment on which ordinary blocking code runs as greenlets."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any, TypeVar

import simpy
from greenlet import getcurrent, greenlet

from beskar7.runtime.kernel import Due, Kernel, Schedule, Waiter
from beskar7.runtime.protocol import Condition, Event, Lock, Queue, RuntimeClosed
from beskar7.runtime.skew import Skew
from beskar7.runtime.virtual_sync import (
    VirtualCondition,
    VirtualEvent,
    VirtualLock,
    VirtualQueue,
)

log = logging.getLogger(__name__)
T = TypeVar("T")

EPOCH = 1_767_225_600.0
"""Wall time of virtual second zero: 2026-01-01T00:00:00Z, an arbitrary fixed point."""


STANDSTILL = 500_000
"""Events at one instant after which a loop is assumed that waits for nothing. They take some
seconds; a storm of 1000 hosts has a few thousand."""


class Deadlock(Exception):
    """The main task will not end: nothing is left to happen, or always more at one instant."""


class VirtualTask:
    """A greenlet; its parent is the kernel's loop."""

    def __init__(
        self,
        kernel: Kernel,
        process: VirtualProcess,
        target: Callable[..., object],
        args: tuple[Any, ...],
        name: str,
    ) -> None:
        self.name = name
        self.process = process
        self.waiter: Waiter | None = None
        self.finished = False
        self.result: Any = None
        self._error: BaseException | None = None
        self._kernel = kernel
        self._target = target
        self._args = args
        self._joiners: list[Waiter] = []
        self.greenlet = greenlet(self._run, parent=kernel.hub)

    def _run(self) -> None:
        try:
            if self.process.alive:
                self.result = self._target(*self._args)
        except RuntimeClosed as closed:
            self._error = closed
        except Exception as error:
            self._error = error
            log.exception("task %s failed", self.name)
        # All else (Ctrl-C, a test's time limit) lands in whichever greenlet runs, and is meant
        # for the caller of run().
        finally:
            self.finished = True
            self.process.tasks.pop(self, None)
            self._target, self._args = _nothing, ()
            for waiter in self._joiners:
                waiter.wake()

    @property
    def done(self) -> bool:
        return self.finished

    @property
    def error(self) -> BaseException | None:
        return self._error

    def join(self, timeout: float | None = None) -> bool:
        if not self.finished:
            waiter = self._kernel.waiter()
            self._joiners.append(waiter)
            self._kernel.park(waiter, timeout)
        return self.finished


def _nothing() -> None:
    """What a finished task holds in place of its work."""


class VirtualProcess:
    """The runtime as one simulated process sees it: its tasks die together."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.name = name
        self.alive = True
        self.tasks: dict[VirtualTask, None] = {}
        self.skew: Skew | None = None
        """What puts this process's wall clock wrong."""
        self._kernel = kernel

    def now(self) -> float:
        return float(self._kernel.env.now)

    def wall(self) -> float:
        now = self.now()
        return EPOCH + now + (self.skew(now) if self.skew is not None else 0.0)

    def sleep(self, seconds: float) -> None:
        self._kernel.park(self._kernel.waiter(), seconds)

    def spawn(self, target: Callable[..., object], *args: Any, name: str) -> VirtualTask:
        if not self.alive:
            raise RuntimeClosed(self.name)
        task = VirtualTask(self._kernel, self, target, args, name)
        self.tasks[task] = None
        self._kernel.resume_soon(task)
        return task

    def lock(self) -> Lock:
        return VirtualLock(self._kernel)

    def condition(self) -> Condition:
        return VirtualCondition(self._kernel)

    def event(self) -> Event:
        return VirtualEvent(self._kernel)

    def queue(self, maxsize: int = 0) -> Queue[Any]:
        return VirtualQueue(self._kernel, maxsize)

    def timer(
        self, delay: float, target: Callable[..., object], *args: Any, name: str
    ) -> VirtualTimer:
        timer = VirtualTimer(self, target, args, name)
        self._kernel.env.schedule(timer, delay=max(0.0, delay))
        return timer

    def rng(self, name: str) -> random.Random:
        return self._kernel.streams.get(name)

    def forget_rng(self, name: str) -> None:
        self._kernel.streams.forget(name)

    def trace(self, kind: str, detail: str = "") -> None:
        self._kernel.trace(kind, detail)

    def kill(self) -> None:
        """End the process as SIGKILL does: no task of it touches the world again.

        The tasks unwind at this instant; whatever they call on the way raises RuntimeClosed.
        """
        self.alive = False
        for task in list(self.tasks):
            if task.waiter is not None:
                task.waiter.wake()


class VirtualTimer(Due):
    """A call that is due later, unless cancelled or its process is gone."""

    def __init__(
        self,
        process: VirtualProcess,
        target: Callable[..., object],
        args: tuple[Any, ...],
        name: str,
    ) -> None:
        self._process = process
        self._target = target
        self._args = args
        self._name = name
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def fire(self) -> None:
        if not self._cancelled and self._process.alive:
            self._process.spawn(self._target, *self._args, name=self._name)


class VirtualRuntime(VirtualProcess):
    """A world in virtual time; itself the process in which the main task runs.

    The seed also draws which of the tasks that are due at one instant runs first; ``schedule``
    "fifo" lets them run in the order in which they became due.
    """

    def __init__(self, seed: int, schedule: Schedule = "seeded") -> None:
        super().__init__(Kernel(seed, schedule), "main")
        self._processes: list[VirtualProcess] = [self]

    def group(self, name: str) -> VirtualProcess:
        """A further simulated process, to be killed on its own."""
        process = VirtualProcess(self._kernel, name)
        self._processes.append(process)
        return process

    @property
    def environment(self) -> simpy.Environment:
        """SimPy's, for models whose events share time with tasks. Who steps it by himself, and
        does not call :meth:`run`, has to :meth:`close` the world at the end."""
        return self._kernel.env

    @property
    def running(self) -> VirtualProcess | None:
        """The process whose task runs at this moment; None between two tasks."""
        task = self._kernel.current
        return None if task is None else task.process

    @property
    def trace_hash(self) -> str:
        """Digest over every switch and every trace mark so far."""
        return self._kernel.trace_hash

    @property
    def switches(self) -> int:
        return self._kernel.switches

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the random streams that are kept."""
        return self._kernel.streams.names()

    def run(self, main: Callable[..., T], *args: Any, until: float | None = None) -> T:
        """:meth:`call` ``main``, and :meth:`close` the world, however it ended."""
        try:
            return self.call(main, *args, until=until)
        finally:
            self.close()

    def call(self, main: Callable[..., T], *args: Any, until: float | None = None) -> T:
        """Run ``main`` as a task until it returns; what it raises comes out here.

        The other tasks go on while it runs. Between two calls virtual time stands still.

        Raises:
            Deadlock: before the end no event is left, virtual second ``until`` is reached, or
                time stands still.
        """
        kernel = self._kernel
        kernel.hub = getcurrent()
        outcome: list[tuple[bool, Any]] = []

        def guarded() -> None:
            try:
                outcome.append((True, main(*args)))
            except BaseException as error:
                outcome.append((False, error))

        task = self.spawn(guarded, name="main")
        instant, steps = kernel.env.now, 0
        while not task.finished:
            if until is not None and kernel.env.peek() > until:
                raise Deadlock(f"virtual second {until:g} was reached before the end")
            try:
                kernel.env.step()
            except simpy.core.EmptySchedule:
                raise Deadlock(self._waiting()) from None
            steps = steps + 1 if kernel.env.now == instant else 0
            instant = kernel.env.now
            if steps > STANDSTILL:
                raise Deadlock(
                    f"virtual time stands still at {instant:g} s: {steps} events and no end; "
                    f"the last was of {kernel.latest}"
                )
        succeeded, value = outcome[0]
        if not succeeded:
            raise value
        result: T = value
        return result

    def _waiting(self) -> str:
        names = [task.name for process in self._processes for task in process.tasks]
        return f"nothing is left to happen; waiting for ever: {', '.join(names) or 'no task'}"

    def close(self) -> None:
        """End the world: unwind what still waits, so that no greenlet is left to the garbage
        collector. May be called twice; a call of the world after it raises RuntimeClosed."""
        self._kernel.closing = True
        self._kernel.hub = getcurrent()
        for process in self._processes:
            process.alive = False
            for task in list(process.tasks):
                self._kernel.switch_to(task)
