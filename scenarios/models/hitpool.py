"""The controller's pool of operations, whose workers are those of the model's station.

Operations on BMCs that faults may hit are the controller's own: they block, each as a task. Who
begins them, and when, the station decides; what becomes of them beside the workers (stalled BMCs,
suspect ones, timeouts, write slots) the pool's own code does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy
from beskar7.coordination.operations import Ending, Operation, QueueLimits
from beskar7.coordination.pool import Completion, OperationPool, PoolSettings, _Run
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.runtime import VirtualRuntime
from scenarios.models.station import Station


class StationPool(OperationPool):
    """Without workers of its own."""

    def __init__(
        self,
        runtime: VirtualRuntime,
        queue: ProvisioningQueue,
        station: Station,
        settings: PoolSettings,
        completed: Completion,
        judge: Callable[[BaseException | None], Ending],
    ) -> None:
        super().__init__(runtime, queue, replace(settings, workers=0), completed, judge)
        self._station = station
        self._begun = 0
        self._since: dict[int, float] = {}
        station.begin_task = self._by_worker
        station.leaves_suspects = True
        self.start(after_takeover=False)

    def submit(self, operation: Operation) -> bool:
        taken = self._station.submit(operation)
        self._tell_of(operation)
        return taken

    def withdraw(self, host: ObjectKey) -> bool:
        return self._station.withdraw(host)

    def configure(
        self, limits: QueueLimits, settings: PoolSettings, circuits: CircuitPolicy
    ) -> None:
        super().configure(limits, replace(settings, workers=0), circuits)
        self._station.configure(settings.workers, settings.suspect_workers)

    def _by_worker(self, operation: Operation) -> bool:
        """A worker of the station begins the operation. False: it is none of these."""
        if isinstance(operation.subject, dict):
            self._begun += 1
            run = self._begin(operation, self._runtime.now(), self._begun)
            task = self._runtime.spawn(self._perform, run, name=f"bmc-worker-{self._begun}")
            self._workers[self._begun] = task
            return True
        return False

    def _begin(self, operation: Operation, now: float, number: int | None) -> _Run:
        self._since[operation.sequence] = now
        return super()._begin(operation, now, number)

    def _move_beside(self, run: _Run) -> None:
        worked = run.number is not None
        super()._move_beside(run)
        if worked:
            self._station.task_left()

    def _close(self, run: _Run, ending: Ending) -> None:
        super()._close(run, ending)
        self._station.worked += self._runtime.now() - self._since.pop(run.operation.sequence)
        if run.number is not None:
            del self._workers[run.number]
        self._station.task_over(by_worker=run.number is not None)
