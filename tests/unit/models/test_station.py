"""The controller's queue behaves as queueing theory says, where theory has an answer."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import simpy

from beskar7.api.meta import ObjectKey
from beskar7.coordination.operations import Operation, OperationKind, QueueLimits
from beskar7.coordination.pool import STALLED_AFTER
from beskar7.coordination.queue import ProvisioningQueue
from scenarios.models import theory
from scenarios.models.estimates import Estimate, estimate
from scenarios.models.station import Service, Station

pytestmark = pytest.mark.unit

CONFIDENCE = 0.999
"""Of each comparison; all seeds are fixed, so a test that passes goes on passing."""
RUNS, JOBS, WARM_UP = 10, 1500, 200


class Bench:
    """A station, its jobs and how long each waited."""

    def __init__(self, seed: int, workers: int, kind: OperationKind) -> None:
        self.env = simpy.Environment()
        self.rng = random.Random(seed)
        self.queue = ProvisioningQueue(QueueLimits(10**6, 10**6))
        self.station = Station(self.env, self.queue, workers, self._ended)
        self.waits: list[float] = []
        self.spent = 0.0
        self.ended: Callable[[Operation], None] = lambda operation: None
        self._kind = kind

    def _ended(self, operation: Operation, service: Service) -> None:
        sojourn = self.env.now - operation.submitted
        self.spent += sojourn
        self.waits.append(sojourn - service.seconds)
        self.ended(operation)

    def submit(
        self, name: int, service: float, cooldown: float = 0.0, bmc: str = "", **how: bool
    ) -> None:
        self.station.submit(
            Operation(
                ObjectKey("default", f"host-{name}"),
                bmc or f"bmc-{name}",
                self._kind,
                cooldown,
                lambda: Service(service, **how),
            )
        )

    def poisson(self, rate: float, arrive: Callable[[int], None]) -> None:
        def come(number: int) -> None:
            arrive(number)
            if number < JOBS:
                self.after(self.rng.expovariate(rate), lambda: come(number + 1))

        come(1)
        self.env.run()

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        self.env.timeout(seconds).callbacks.append(lambda _: then())


def waiting(play: Callable[[int], Bench]) -> Estimate:
    """The mean wait over independent runs, each without its warm-up."""
    means = []
    for seed in range(RUNS):
        bench = play(seed)
        assert bench.station.jobs.agrees(bench.spent), "Little's law"
        rest = bench.waits[WARM_UP:]
        means.append(sum(rest) / len(rest))
    return estimate(means, CONFIDENCE)


def test_reads_of_many_bmcs_are_an_mmc() -> None:
    def play(seed: int) -> Bench:
        bench = Bench(seed, 3, OperationKind.VERIFY)
        bench.poisson(2.1, lambda number: bench.submit(number, bench.rng.expovariate(1.0)))
        return bench

    assert waiting(play).covers(theory.mmc(2.1, 1.0, 3).waiting)


def test_writes_are_bounded_by_their_slots_and_not_by_the_workers() -> None:
    def play(seed: int) -> Bench:
        bench = Bench(seed, 10, OperationKind.PROVISION)
        bench.queue.limits = QueueLimits(10**6, 2)
        bench.poisson(1.4, lambda number: bench.submit(number, bench.rng.expovariate(1.0)))
        return bench

    assert waiting(play).covers(theory.mmc(1.4, 1.0, 2).waiting)


@pytest.mark.parametrize("cooldown", [0.0, 1.0, 4.0])
def test_one_bmc_is_a_server_that_rests(cooldown: float) -> None:
    rate = 0.7 / (1.0 + cooldown)

    def play(seed: int) -> Bench:
        bench = Bench(seed, 10, OperationKind.PROVISION)
        bench.poisson(rate, lambda number: bench.submit(number, 1.0, cooldown, "bmc"))
        return bench

    assert waiting(play).covers(theory.mg1_cooldown(rate, 1.0, 0.0, cooldown).waiting)


def test_hosts_that_come_back_are_a_finite_source() -> None:
    def play(seed: int) -> Bench:
        bench = Bench(seed, 2, OperationKind.VERIFY)

        def again(operation: Operation) -> None:
            if len(bench.waits) < JOBS:
                number = int(operation.host.name.removeprefix("host-"))
                think(number)

        def think(number: int) -> None:
            seconds = bench.rng.expovariate(1 / 5.0)
            bench.after(seconds, lambda: bench.submit(number, bench.rng.expovariate(1.0)))

        bench.ended = again
        for number in range(12):
            think(number)
        bench.env.run()
        return bench

    assert waiting(play).covers(theory.finite_source(12, 5.0, 1.0, 2).waiting)


def test_a_silent_bmc_gives_its_worker_up() -> None:
    bench = Bench(1, 1, OperationKind.VERIFY)
    bench.submit(1, 60.0, silent=True, answered=False)
    bench.submit(2, 1.0)
    bench.env.run()
    assert bench.waits == [pytest.approx(STALLED_AFTER), pytest.approx(0.0)]


def test_looks_come_before_writes_that_have_not_waited_long() -> None:
    order: list[str] = []
    bench = Bench(1, 1, OperationKind.PROVISION)
    bench.ended = lambda operation: order.append(operation.host.name)
    bench.submit(1, 1.0)
    bench.submit(2, 1.0)
    bench.station.look((lambda: 1.0, lambda: order.append("look")))
    bench.env.run()
    assert order == ["host-1", "look", "host-2"]


def test_a_write_that_has_waited_two_minutes_comes_before_new_looks() -> None:
    order: list[str] = []
    bench = Bench(1, 1, OperationKind.PROVISION)
    bench.ended = lambda operation: order.append(operation.host.name)
    bench.submit(1, 130.0)
    bench.submit(2, 1.0)
    bench.after(125.0, lambda: bench.station.look((lambda: 1.0, lambda: order.append("look"))))
    bench.env.run()
    assert order == ["host-1", "host-2", "look"]


def test_a_read_of_the_queue_takes_its_turn_among_looks() -> None:
    """However many looks there are: else a host that is looked at by the queue would starve."""
    bench = Bench(1, 1, OperationKind.VERIFY)

    def look(number: int) -> None:
        if number < 100:
            bench.station.look((lambda: 1.0, lambda: look(number + 3)))

    for first in range(3):
        look(first)
    bench.after(2.5, lambda: bench.submit(1, 1.0))
    bench.env.run()
    assert bench.waits == [pytest.approx(2.5)]
