"""What dead BMCs cost the healthy ones: queue wait with 0 and 20 of 200 BMCs hanging, virtual time.

By hand: ``python benchmarks/dead_bmcs.py [--workers 1 2 3 4 8] [--hours 1] [--seeds 3]``.
The controller's queue, circuits and workers are the real ones. A host is a model: a healthy one
asks for an operation of four requests, 0.6 s together on average, once a minute on average; the
BMC of a dead one leaves each request unanswered for 30 s, and the host asks again after the
controller's backoff. The 180 healthy hosts are the same, with the same luck, in every run; so the
growth is what the dead ones cost. ``off`` is the queue with circuits and suspect workers turned
off by ``bmc.circuitBreaker.failureThreshold: 0`` and ``provisioning.suspectWorkerCount: 0``.
"""

from __future__ import annotations

import argparse
import statistics

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy
from beskar7.coordination.operations import Ending, Operation, OperationKind, QueueLimits
from beskar7.coordination.pool import OperationPool, PoolSettings
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.kube.backoff import Exponential
from beskar7.runtime import VirtualRuntime

HOSTS = 200
DEAD = 20
SERVICE = 0.6
REQUESTS = 4
THINK = 60.0
HANG = 30.0
RETRY = Exponential(5.0, 30.0)
"""Of the default tuning: bmc.retryDelay, hostSelection.maxBackoffDelay."""


class Unanswered(Exception):
    """The request was given up."""


class Run:
    """One virtual run; ``waits`` are the seconds for which healthy hosts' operations were due."""

    def __init__(self, dead: int, workers: int, protected: bool, seconds: float, seed: int) -> None:
        self.waits: list[float] = []
        self.failures: dict[str, int] = {}
        self._runtime = VirtualRuntime(seed)
        self._dead = dead
        self._seconds = seconds
        rng = self._runtime.rng
        circuit = Exponential(5.0, 60.0)
        self._pool = OperationPool(
            self._runtime,
            ProvisioningQueue(
                QueueLimits(),
                circuits=CircuitPolicy(
                    3 if protected else 0,
                    lambda bmc, trials: circuit.delay(trials, rng(f"circuit/{bmc}")),
                ),
            ),
            PoolSettings(workers=workers, suspect_workers=16 if protected else 0),
            self._completed,
            lambda error: Ending(answered=error is None),
        )
        self._runtime.run(self._main)

    def _main(self) -> None:
        self._pool.start(after_takeover=False)
        for number in range(HOSTS - DEAD + self._dead):
            name = f"host-{number:03d}"
            self._ask(name, self._runtime.rng(f"think/{name}").uniform(0.0, THINK))
        self._runtime.sleep(self._seconds)

    def _ask(self, name: str, delay: float) -> None:
        operation = Operation(
            ObjectKey("default", name),
            name,
            OperationKind.INSPECT,
            cooldown=0.0,
            work=lambda: self._work(name, operation),
            not_before=self._runtime.now() + delay,
        )
        self._pool.submit(operation)

    def _work(self, name: str, operation: Operation) -> None:
        if int(name[-3:]) >= HOSTS - DEAD:
            self._runtime.sleep(HANG)
            raise Unanswered(name)
        self.waits.append(self._runtime.now() - operation.not_before)
        for _ in range(REQUESTS):
            mean = SERVICE / REQUESTS
            self._runtime.sleep(self._runtime.rng(f"service/{name}").expovariate(1 / mean))
            self._pool.progressed(operation)

    def _completed(self, operation: Operation, result: object, error: BaseException | None) -> None:
        name = operation.host.name
        if error is None:
            think = self._runtime.rng(f"think/{name}").expovariate(1 / THINK)
            self._ask(name, think)
        else:
            failures = self.failures[name] = self.failures.get(name, 0) + 1
            self._ask(name, RETRY.delay(failures - 1, self._runtime.rng(f"retry/{name}")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 3, 4, 8])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each, taken together")
    options = parser.parse_args()
    seconds = options.hours * 3600
    print(f"wait of {HOSTS - DEAD} healthy hosts' operations, seconds: mean / P99 (operations)")
    print(f"workers  protection  {'no BMC dead':>24}  {f'{DEAD} BMCs dead':>24}  mean grows by")
    for workers in options.workers:
        for protected in (False, True):
            alone, beside = (
                sorted(
                    wait
                    for seed in range(1, options.seeds + 1)
                    for wait in Run(dead, workers, protected, seconds, seed).waits
                )
                for dead in (0, DEAD)
            )
            cells = [
                f"{statistics.fmean(waits):8.3f} / {waits[int(0.99 * len(waits))]:7.2f} "
                f"({len(waits):5d})"
                for waits in (alone, beside)
            ]
            mean = statistics.fmean(alone)
            growth = statistics.fmean(beside) - mean
            print(
                f"{workers:7d}  {'on' if protected else 'off':10}  {cells[0]:>24}  {cells[1]:>24}"
                f"  {growth:8.3f} s ({growth / max(mean, 1e-9):+.1%})"
            )


if __name__ == "__main__":
    main()
