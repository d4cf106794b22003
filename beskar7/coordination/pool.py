"""The tasks that run the provisioning queue's operations.

``workers`` tasks serve the BMCs that answer. What a BMC leaves waiting must not cost the others a
worker, so an operation whose request stays unanswered for a while goes on beside the workers, and
another task works in its place; the next ones for that BMC begin beside them. An operation that
outlives its timeout is abandoned: its outcome is told, it may write no more, and its BMC stays
reserved until its call has come back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy
from beskar7.coordination.operations import Ending, Operation, OperationKind, QueueLimits
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.coordination.room import Load
from beskar7.runtime import Runtime, RuntimeClosed, Task

log = logging.getLogger(__name__)

Completion = Callable[[Operation, object, BaseException | None], None]

STALLED_AFTER = 0.5
"""Seconds without an answer after which an operation gives up its worker. BMCs answer in tenths of
a second; one that is slower loses nothing by it."""
GRACE = 2.0
"""Seconds beyond its timeout in which an operation may still end by itself."""


class OperationTimedOut(Exception):
    """The operation did not end within ``operationTimeout``; what it did is not known."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """``suspect_workers``: operations of suspect BMCs that may be begun beside the workers, and
    besides as many that were moved there; 0: none, they take those.

    ``operation_timeout`` and ``longest_call``, the longest time that one request can live, are
    seconds.
    """

    workers: int = 3
    suspect_workers: int = 16
    operation_timeout: float = 300.0
    longest_call: float = 120.0


@dataclass(slots=True, eq=False)
class _Run:
    """An operation under way. Times are seconds of the runtime's ``now``."""

    operation: Operation
    progressed: float
    timeout_at: float
    number: int | None
    """Of the worker that does it; None: it runs beside the workers."""
    moved: bool = False
    """It was begun by a worker, and its task goes on beside them."""
    task: Task | None = None
    wrote: bool = False
    reserved_until: float | None = None
    """Set once it was abandoned."""
    lost: bool = False
    """Its reservation is over, too."""


class OperationPool:
    """Workers over one queue. ``completed`` gets each operation with its result or error.

    ``judge`` tells what an operation's error (None: success) says about its BMC.
    More workers than ``maxConcurrentOps`` are useful: reading operations take a worker, too.
    """

    def __init__(
        self,
        runtime: Runtime,
        queue: ProvisioningQueue,
        settings: PoolSettings,
        completed: Completion,
        judge: Callable[[BaseException | None], Ending] = lambda error: Ending(),
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._settings = settings
        self._completed = completed
        self._judge = judge
        self._changed = runtime.condition()
        self._attention = runtime.event()
        """For the supervisor: it has something to do before the time it waits for."""
        self._supervisor: Task | None = None
        self._wakes_at: float | None = None
        self._workers: dict[int, Task] = {}
        self._beside: set[Task] = set()
        self._runs: dict[int, _Run] = {}
        self._stopping = False

    def load(self, namespace: str) -> Load:
        """Of a namespace's hosts, at this moment. Takes no lock: a scrape waits for nobody."""
        return self._queue.load(namespace)

    def start(self, *, after_takeover: bool) -> None:
        """Begin. ``after_takeover``: another process led before and may have touched BMCs."""
        with self._changed:
            if after_takeover:
                self._queue.assume_all_touched(self._runtime.now())
            self._supervisor = self._runtime.spawn(self._supervise, name="bmc-supervisor")
            self._grow()

    def stop(self, timeout: float) -> bool:
        """Let what runs finish, start nothing more; False when ``timeout`` seconds came first."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._attention.set()
            tasks = [*self._workers.values(), *self._beside]
            if self._supervisor is not None:
                tasks.append(self._supervisor)
        end = self._runtime.now() + timeout
        return all(task.join(max(0.0, end - self._runtime.now())) for task in tasks)

    def submit(self, operation: Operation) -> bool:
        """As :meth:`ProvisioningQueue.submit`."""
        with self._changed:
            taken = self._queue.submit(operation, self._runtime.now())
            self._tell_of(operation)
            return taken

    def holds(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        with self._changed:
            return self._queue.holds(host, kind)

    def withdraw(self, host: ObjectKey) -> bool:
        with self._changed:
            return self._queue.withdraw(host)

    def trust(self, bmc: str) -> None:
        """What kept the BMC from answering may be over (new credentials): try it at once."""
        with self._changed:
            if self._queue.trust(bmc, self._runtime.now()):
                self._changed.notify_all()
                self._attention.set()

    def configure(
        self, limits: QueueLimits, settings: PoolSettings, circuits: CircuitPolicy
    ) -> None:
        """Take over new limits at once; surplus workers leave when they are idle."""
        with self._changed:
            self._queue.limits = limits
            self._queue.circuits = circuits
            self._settings = settings
            if self._supervisor is not None:
                self._grow()
            self._changed.notify_all()
            self._attention.set()

    # --- what an operation tells while it runs ------------------------------------------------

    def progressed(self, operation: Operation) -> None:
        """One of its requests is over: the BMC lives, or another attempt begins."""
        run = self._runs.get(operation.sequence)
        if run is not None:
            run.progressed = self._runtime.now()

    def before_write(self, operation: Operation, timeout: float | None) -> None:
        """Called before each write; waits for a write slot when the operation has none.

        Raises:
            OperationTimedOut: no slot was free within ``timeout`` seconds.
        """
        with self._changed:
            run = self._runs.get(operation.sequence)
            if run is not None:
                run.wrote = True
            if operation.holds_slot or run is None:
                return
            self._queue.want_slot()
            try:
                granted = self._changed.wait_for(lambda: self._queue.claim_slot(operation), timeout)
            finally:
                self._queue.unwant_slot()
                self._changed.notify_all()
        if not granted:
            raise OperationTimedOut("no write slot was free in time")

    # --- workers ------------------------------------------------------------------------------

    def _grow(self) -> None:
        for number in range(self._settings.workers):
            if number not in self._workers:
                self._replace(number)

    def _replace(self, number: int) -> None:
        self._workers[number] = self._runtime.spawn(self._work, number, name=f"bmc-worker-{number}")

    def _work(self, number: int) -> None:
        while (run := self._next(number)) is not None:
            self._perform(run)
            if run.number is None:  # another task has taken this one's place
                return

    def _next(self, number: int) -> _Run | None:
        """What this worker does next; None when it shall leave."""
        with self._changed:
            while True:
                if self._stopping or number >= self._settings.workers:
                    self._workers.pop(number, None)
                    return None
                now = self._runtime.now()
                which = False if self._settings.suspect_workers else None
                operation = self._queue.take(now, suspects=which)
                if operation is not None:
                    return self._begin(operation, now, number)
                due = self._queue.next_due(now, suspects=which)
                self._changed.wait(None if due is None else due - now)

    def _begin(self, operation: Operation, now: float, number: int | None) -> _Run:
        run = _Run(operation, now, now + self._settings.operation_timeout + GRACE, number)
        self._runs[operation.sequence] = run
        if self._wakes_at is None or now + STALLED_AFTER < self._wakes_at:
            self._attention.set()
        return run

    def _perform(self, run: _Run) -> None:
        operation = run.operation
        result: object = None
        failure: BaseException | None = None
        try:
            result = operation.work()
        except RuntimeClosed:
            raise
        except Exception as error:  # the operation's owner decides what it means
            failure = error
        with self._changed:
            late = run.reserved_until is not None
            if run.task is not None:
                self._beside.discard(run.task)
            if not run.lost:
                self._close(run, self._judge(OperationTimedOut() if late else failure))
        if late:
            log.warning("%s on %s came back after it was abandoned", operation.kind, operation.host)
        else:
            self._completed(operation, result, failure)

    def _close(self, run: _Run, ending: Ending) -> None:
        del self._runs[run.operation.sequence]
        self._queue.complete(run.operation, self._runtime.now(), ending)
        self._changed.notify_all()
        if run.number is None or self._queue.is_suspect(run.operation.bmc):
            self._attention.set()

    # --- beside the workers -------------------------------------------------------------------

    def _supervise(self) -> None:
        while True:
            with self._changed:
                if self._stopping:
                    return
                now = self._runtime.now()
                abandoned = [run for run in list(self._runs.values()) if self._look_after(run, now)]
                self._start_suspects(now)
                self._wakes_at = self._next_look(now)
                self._attention.clear()
            for run in abandoned:
                text = f"not over within {self._settings.operation_timeout:g}s"
                self._completed(run.operation, None, OperationTimedOut(text))
            at = self._wakes_at
            self._attention.wait(None if at is None else max(0.0, at - self._runtime.now()))

    def _look_after(self, run: _Run, now: float) -> bool:
        """Whether the operation is abandoned at this moment."""
        if run.reserved_until is not None:
            if now >= run.reserved_until:
                run.lost = True
                self._close(run, self._judge(OperationTimedOut()))
            return False
        if now >= run.timeout_at:
            run.reserved_until = now + self._settings.longest_call
            run.operation.abandoned = True
            run.operation.revoke()
            self._move_beside(run)
            return True
        if now >= run.progressed + STALLED_AFTER and self._room_beside(moved=True):
            self._move_beside(run)
        return False

    def _room_beside(self, *, moved: bool) -> bool:
        """Apart for those that are moved there: else BMCs that are long known to be dead would
        keep the healthy ones, and whoever fails for the first time, on the workers."""
        beside = sum(
            run.number is None and run.reserved_until is None and run.moved is moved
            for run in self._runs.values()
        )
        return beside < self._settings.suspect_workers

    def _move_beside(self, run: _Run) -> None:
        """The task goes on with its operation, and another one becomes the worker."""
        number = run.number
        if number is None:
            return
        run.number = None
        run.moved = True
        run.task = self._workers.pop(number)
        self._beside.add(run.task)
        if not run.wrote:
            self._queue.yield_slot(run.operation)
        if number < self._settings.workers:
            self._replace(number)
        self._changed.notify_all()

    def _start_suspects(self, now: float) -> None:
        while self._room_beside(moved=False):
            operation = self._queue.take(now, suspects=True)
            if operation is None:
                return
            run = self._begin(operation, now, None)
            name = f"bmc-suspect-{operation.sequence}"
            run.task = self._runtime.spawn(self._perform, run, name=name)
            self._beside.add(run.task)

    def _next_look(self, now: float) -> float | None:
        """When something is to be done without anything having happened before."""
        room = self._room_beside(moved=True)
        times = []
        for run in self._runs.values():
            if run.reserved_until is not None:
                times.append(run.reserved_until)
                continue
            times.append(run.timeout_at)
            if room and run.number is not None:
                times.append(run.progressed + STALLED_AFTER)
        more = self._room_beside(moved=False)
        due = self._queue.next_due(now, suspects=True) if more else None
        return min(times if due is None else [*times, due], default=None)

    def _tell_of(self, operation: Operation) -> None:
        if operation.suspect:
            self._attention.set()
        self._changed.notify()
