"""The workers that run the provisioning queue's operations."""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.meta import ObjectKey
from beskar7.coordination.queue import Operation, OperationKind, ProvisioningQueue, QueueLimits
from beskar7.runtime import Runtime, RuntimeClosed, Task

log = logging.getLogger(__name__)

Completion = Callable[[Operation, object, BaseException | None], None]


class OperationPool:
    """``workers`` tasks over one queue. ``completed`` gets each operation with its result or error.

    More workers than ``maxConcurrentOps`` are useful: reading operations take a worker, too.
    """

    def __init__(
        self, runtime: Runtime, queue: ProvisioningQueue, workers: int, completed: Completion
    ) -> None:
        self._runtime = runtime
        self._queue = queue
        self._completed = completed
        self._changed = runtime.condition()
        self._wanted = workers
        self._tasks: dict[int, Task] = {}
        self._stopping = False
        self._started = False

    @property
    def length(self) -> int:
        with self._changed:
            return self._queue.length

    @property
    def processing(self) -> int:
        with self._changed:
            return self._queue.processing

    def start(self, *, after_takeover: bool) -> None:
        """Begin. ``after_takeover``: another process led before and may have touched BMCs."""
        with self._changed:
            if after_takeover:
                self._queue.assume_all_touched(self._runtime.now())
            self._started = True
            self._grow()

    def stop(self, timeout: float) -> bool:
        """Let what runs finish, start nothing more; False when ``timeout`` seconds came first."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            tasks = list(self._tasks.values())
        end = self._runtime.now() + timeout
        return all(task.join(max(0.0, end - self._runtime.now())) for task in tasks)

    def submit(self, operation: Operation) -> bool:
        """As :meth:`ProvisioningQueue.submit`."""
        with self._changed:
            taken = self._queue.submit(operation, self._runtime.now())
            self._changed.notify()
            return taken

    def holds(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        with self._changed:
            return self._queue.holds(host, kind)

    def withdraw(self, host: ObjectKey) -> bool:
        with self._changed:
            return self._queue.withdraw(host)

    def configure(self, limits: QueueLimits, workers: int) -> None:
        """Take over new limits at once; surplus workers leave when they are idle."""
        with self._changed:
            self._queue.limits = limits
            self._wanted = workers
            if self._started:
                self._grow()
            self._changed.notify_all()

    def _grow(self) -> None:
        for number in range(self._wanted):
            if number not in self._tasks:
                self._tasks[number] = self._runtime.spawn(
                    self._work, number, name=f"bmc-worker-{number}"
                )

    def _work(self, number: int) -> None:
        while (operation := self._next(number)) is not None:
            result: object = None
            failure: BaseException | None = None
            try:
                result = operation.work()
            except RuntimeClosed:
                raise
            except Exception as error:  # the operation's owner decides what it means
                failure = error
            with self._changed:
                self._queue.complete(operation, self._runtime.now())
                self._changed.notify_all()
            self._completed(operation, result, failure)

    def _next(self, number: int) -> Operation | None:
        """The next operation for this worker; None when it shall leave."""
        with self._changed:
            while True:
                if self._stopping or number >= self._wanted:
                    self._tasks.pop(number, None)
                    return None
                now = self._runtime.now()
                operation = self._queue.take(now)
                if operation is not None:
                    return operation
                due = self._queue.next_due(now)
                self._changed.wait(None if due is None else due - now)
