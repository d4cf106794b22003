"""The provisioning queue with its workers, on SimPy: the controller's own queue decides.

What :class:`beskar7.coordination.pool.OperationPool` does with tasks is done here by callbacks, so
that a run costs microseconds an operation: workers, the operations that a silent BMC leaves
beside them, and write slots.

Looks at hosts that boot are most of what is done, and take no part in the queue's decisions but
that they come first: they have a lane of their own here, which is ten times as fast.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

import simpy

from beskar7.api.meta import ObjectKey
from beskar7.coordination.operations import AGEING, Ending, Operation
from beskar7.coordination.pool import STALLED_AFTER
from beskar7.coordination.queue import ProvisioningQueue
from scenarios.models.events import after
from scenarios.models.meters import Meter


class Service(NamedTuple):
    """What an operation turns out to be when it is done; ``Operation.work`` draws it.

    ``seconds`` until it is over. ``silent``: its BMC leaves it without an answer until then, so
    after a while (``STALLED_AFTER``) it gives up its worker. ``answered`` as in ``Ending``.
    """

    seconds: float
    answered: bool | None = True
    silent: bool = False


Ended = Callable[[Operation, Service], None]
Look = tuple[Callable[[], float], Callable[[], None]]
"""How long it takes, asked at its start; what follows its end."""
NOW = float("-inf")
LOOKS_FIRST = 2 * AGEING
"""Seconds that a write has to have waited longer to come before a look: two steps of priority."""


class Station:
    """``workers`` tasks over one queue. ``ended`` hears of each operation's end.

    ``suspect_workers`` bounds the operations beside the workers, as ``PoolSettings`` does.
    """

    def __init__(
        self,
        env: simpy.Environment,
        queue: ProvisioningQueue,
        workers: int,
        ended: Ended,
        suspect_workers: int = 16,
    ) -> None:
        self.queue = queue
        self.jobs = Meter(env)
        """Operations that wait or are done."""
        self.busy = Meter(env)
        """Workers that do one."""
        self.begin_task: Callable[[Operation], bool] = lambda operation: False
        """Asked as a worker begins an operation: True if it is done elsewhere, by a task, which
        calls :meth:`task_over`, and :meth:`task_left` before if it gives up the worker."""
        self.leaves_suspects = False
        """Whether operations of suspect BMCs are begun elsewhere, too, beside the workers: then
        somebody else moves what is in the queue."""
        self.kept_free = 0.0
        """Fewer idle workers than these are few: ``crowded`` hears of it."""
        self.crowded: Callable[[], None] = lambda: None
        self.idle = self._workers = workers
        self.worked = 0.0
        """Seconds of all operations and looks that were begun, those beside the workers too."""
        self._env = env
        self._workers = workers
        self._ended = ended
        self._suspect_workers = suspect_workers
        self._moved = self._begun = 0
        """Beside the workers: begun by one, begun beside them."""
        self._wakes_at = float("inf")
        self._none_before = NOW
        """Nothing of the queue may begin before then, unless something happens to it."""
        self._unanswered = False
        """Whether a BMC may be suspect."""
        self._term = 0
        """What was begun in an earlier one ends unheard."""
        self._looks: deque[tuple[float, Look]] = deque()
        """Due, and for want of a worker not begun."""
        self._writes: deque[Operation] = deque()
        """In the order of submission; those that are begun or withdrawn go when they come first."""
        self._reads: list[tuple[float, int, Operation]] = []
        """A heap of those in the queue by when they are due."""
        self._unbegun: set[int] = set()
        """Of these, the sequence numbers of those that were not begun."""

    def begin_anew(self, queue: ProvisioningQueue) -> None:
        """Whoever did all this is dead; another one begins with a queue of its own."""
        self._term += 1
        self.queue = queue
        self.idle = self._workers
        self._moved = self._begun = 0
        self._wakes_at = float("inf")
        self._none_before, self._unanswered = NOW, False
        self._looks.clear()
        self._writes.clear()
        self._reads.clear()
        self._unbegun.clear()
        self.jobs.leave(self.jobs.inside)
        self.busy.leave(self.busy.inside)

    def look(self, look: Look) -> None:
        """Look at a BMC now, or as soon as a worker is free."""
        if self.idle > 0 and not self._looks:
            self._begin_look(look)
        else:
            self._looks.append((self._env.now, look))

    def submit(self, operation: Operation) -> bool:
        """As :meth:`ProvisioningQueue.submit`; raises QueueFullError."""
        taken = self.queue.submit(operation, self._env.now)
        if taken:
            self.jobs.enter()
            if operation.kind.writes:
                self._writes.append(operation)
            else:
                due = max(operation.submitted, operation.not_before)
                heappush(self._reads, (due, operation.sequence, operation))
                self._unbegun.add(operation.sequence)
            self._moves()
        return taken

    def withdraw(self, host: ObjectKey) -> bool:
        """As :meth:`ProvisioningQueue.withdraw`."""
        found = self.queue.withdraw(host)
        if found:
            self.jobs.leave()
        return found

    def configure(self, workers: int, suspect_workers: int) -> None:
        """From now on; surplus workers leave when they are idle."""
        self.idle += workers - self._workers
        self._workers, self._suspect_workers = workers, suspect_workers
        self._moves()

    def task_left(self) -> None:
        """A task goes on beside the workers."""
        self._free_worker()
        self._moves()

    def task_over(self, *, by_worker: bool) -> None:
        """An operation is over that a task did; the queue knows."""
        if by_worker:
            self._free_worker()
        self.jobs.leave()
        self._moves()

    def _moves(self) -> None:
        """Something happened to what is in the queue."""
        self._none_before = NOW
        self._serve()

    def _serve(self) -> None:
        now = self._env.now
        which = False if self._suspect_workers else None
        while self.idle > 0:
            known = now < self._none_before
            if self._looks and (known or not self._operation_first()):
                self._begin_look(self._looks.popleft()[1])
                continue
            operation = None if known else self._take(now, which)
            if operation is None:
                if not self._looks:
                    break
                self._begin_look(self._looks.popleft()[1])
                continue
            self.idle -= 1
            self.busy.enter()
            self._unbegun.discard(operation.sequence)
            if self.idle < self.kept_free:
                self.crowded()
            if not self.begin_task(operation):
                self._begin(operation, worker=True)
        while self._has_suspects and self._begun < self._suspect_workers:
            operation = self.queue.take(now, suspects=True)
            if operation is None:
                break
            self._begun += 1
            self._begin(operation, worker=False)
        self._wake(which)

    @property
    def _has_suspects(self) -> bool:
        """Whether operations of suspect BMCs may have to be begun here."""
        return self._unanswered and not self.leaves_suspects

    def _take(self, now: float, which: bool | None) -> Operation | None:
        operation = self.queue.take(now, suspects=which)
        if operation is None and not self.leaves_suspects:
            self._none_before = _or_never(self.queue.next_due(now, suspects=which))
        return operation

    def _operation_first(self) -> bool:
        """Whether a read of the queue is due before the first look, or a write has waited so long
        that it comes before it."""
        due = self._looks[0][0]
        while self._reads and not self._waits(self._reads[0][2]):
            self._unbegun.discard(heappop(self._reads)[1])
        if self._reads and self._reads[0][0] < due:
            return True
        while self._writes and not self.queue.holds(self._writes[0].host, self._writes[0].kind):
            self._writes.popleft()
        return bool(self._writes) and self._writes[0].submitted < due - LOOKS_FIRST

    def _waits(self, read: Operation) -> bool:
        """For a worker; those of suspect BMCs do not."""
        held = read.sequence in self._unbegun and self.queue.holds(read.host, read.kind)
        return held and not read.suspect

    def _begin_look(self, look: Look) -> None:
        self.idle -= 1
        self.busy.enter()
        lasts, then = look
        seconds = lasts()
        self.worked += seconds
        after(self._env, seconds, partial(self._looked, self._term, then))

    def _looked(self, term: int, then: Callable[[], None]) -> None:
        if term != self._term:
            return
        self._free_worker()
        then()
        if self._looks or self.queue.length:
            self._serve()

    def _begin(self, operation: Operation, *, worker: bool) -> None:
        service: Service = operation.work()
        self.worked += service.seconds
        run = _Run(operation, service, worker)
        if worker and service.silent and service.seconds > STALLED_AFTER:
            self._after(STALLED_AFTER, partial(self._stalled, run))
        self._after(service.seconds, partial(self._over, run))

    def _stalled(self, run: _Run) -> None:
        """The operation goes on beside the workers, if there is room."""
        if self._moved >= self._suspect_workers:
            return
        self._moved += 1
        run.moved, run.worker = True, False
        self._free_worker()
        self.queue.yield_slot(run.operation)
        self._moves()

    def _over(self, run: _Run) -> None:
        if run.worker:
            self._free_worker()
        elif run.moved:
            self._moved -= 1
        else:
            self._begun -= 1
        self.jobs.leave()
        self._unanswered |= run.service.answered is not True
        self.queue.complete(run.operation, self._env.now, Ending(run.service.answered))
        self._ended(run.operation, run.service)
        self._moves()

    def _free_worker(self) -> None:
        self.idle += 1
        self.busy.leave()

    def _wake(self, which: bool | None) -> None:
        """When time alone makes something ready."""
        now = self._env.now
        due = self._none_before if self.idle > 0 else float("inf")
        if self.idle > 0 and self.leaves_suspects:
            due = _or_never(self.queue.next_due(now, suspects=which))
        if self._has_suspects and self._begun < self._suspect_workers:
            due = min(due, _or_never(self.queue.next_due(now, suspects=True)))
        if due < self._wakes_at:
            self._wakes_at = due
            self._after(due - now, self._woken)

    def _woken(self) -> None:
        if self._wakes_at <= self._env.now:
            self._wakes_at = float("inf")
            self._serve()

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        after(self._env, seconds, partial(self._in_term, self._term, then))

    def _in_term(self, term: int, then: Callable[[], None]) -> None:
        if term == self._term:
            then()


def _or_never(due: float | None) -> float:
    return float("inf") if due is None else due


class _Run:
    """An operation under way."""

    __slots__ = ("moved", "operation", "service", "worker")

    def __init__(self, operation: Operation, service: Service, worker: bool) -> None:
        self.operation = operation
        self.service = service
        self.worker = worker
        self.moved = False
