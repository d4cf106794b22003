"""The tasks over the queue, in virtual time: stalled, abandoned, suspect, resized."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy
from beskar7.coordination.operations import Ending, Operation, OperationKind, QueueLimits
from beskar7.coordination.pool import (
    GRACE,
    STALLED_AFTER,
    OperationPool,
    OperationTimedOut,
    PoolSettings,
)
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.sim

READ, WRITE = OperationKind.INSPECT, OperationKind.PROVISION


class Bench:
    """A pool, and what became of its operations: (virtual second, word, host)."""

    def __init__(self, runtime: VirtualRuntime, settings: PoolSettings, **limits: Any) -> None:
        self.runtime = runtime
        self.story: list[tuple[float, str, str]] = []
        self.errors: dict[str, BaseException | None] = {}
        self.running = self.most = 0
        self.queue = ProvisioningQueue(QueueLimits(**limits), circuits=CircuitPolicy(2))
        self.pool = OperationPool(
            runtime, self.queue, settings, self._completed, lambda error: Ending(error is None)
        )
        self.pool.start(after_takeover=False)

    def note(self, word: str, host: str) -> None:
        self.story.append((round(self.runtime.now(), 3), word, host))

    def at(self, word: str, host: str) -> list[float]:
        return [time for time, what, who in self.story if (what, who) == (word, host)]

    def submit(
        self,
        host: str,
        seconds: float,
        kind: OperationKind = READ,
        *,
        fails: bool = False,
        step: float | None = None,
        then: Callable[[Operation], None] = lambda operation: None,
        bmc: str = "",
    ) -> bool:
        """An operation of so many seconds, which tells of progress each ``step``."""

        def work() -> None:
            self.note("begins", host)
            self.running += 1
            self.most = max(self.most, self.running)
            left = seconds
            while left > 0:
                self.runtime.sleep(min(left, step or seconds))
                left -= step or seconds
                self.pool.progressed(operation)
            self.running -= 1
            then(operation)
            if fails:
                raise ConnectionError(host)

        operation = Operation(
            ObjectKey("default", host),
            bmc or f"bmc-{host}",
            kind,
            cooldown=0.0,
            work=work,
            revoke=lambda: self.note("revoked", host),
        )
        return self.pool.submit(operation)

    def _completed(self, operation: Operation, result: object, error: BaseException | None) -> None:
        self.note("ends", operation.host.name)
        self.errors[operation.host.name] = error


@pytest.fixture
def bench():
    """Runs ``body(bench)`` with a pool of these settings and limits."""

    def run(body: Callable[[Bench], None], *, limits: dict | None = None, **settings: Any) -> None:
        runtime = VirtualRuntime(1)
        runtime.run(lambda: body(Bench(runtime, PoolSettings(**settings), **(limits or {}))))

    return run


def test_a_stalled_operation_gives_up_its_worker(bench):
    def body(it: Bench) -> None:
        it.submit("dead", 30.0)
        it.submit("well", 0.5)
        it.runtime.sleep(40)
        assert it.at("begins", "well") == [STALLED_AFTER]
        assert it.at("ends", "dead") == [30.0]
        it.submit("next", 0.5)
        it.submit("other", 0.5)
        it.runtime.sleep(5)
        assert it.at("begins", "other") == it.at("ends", "next"), "one worker, as before"

    bench(body, workers=1)


def test_without_room_beside_the_workers_it_holds_its_worker(bench):
    def body(it: Bench) -> None:
        it.submit("dead", 30.0)
        it.submit("well", 0.5)
        it.runtime.sleep(40)
        assert it.at("begins", "well") == [30.0]

    bench(body, workers=1, suspect_workers=0)


def test_suspects_that_hang_do_not_keep_a_stalled_operation_on_its_worker(bench):
    """All room for suspects is taken: the room for those that are moved is another one."""

    def body(it: Bench) -> None:
        it.submit("dead", 0.1, fails=True)
        it.runtime.sleep(1)
        it.submit("dead", 30.0)
        it.runtime.sleep(1)
        assert it.at("begins", "dead") == [0.0, 1.0], "a suspect, beside the workers"
        it.submit("slow", 2.0)
        it.submit("well", 0.1)
        it.runtime.sleep(5)
        assert it.at("begins", "well") == [2.0 + STALLED_AFTER]

    bench(body, workers=1, suspect_workers=1)


def test_one_that_makes_progress_keeps_its_worker(bench):
    def body(it: Bench) -> None:
        it.submit("slow", 10.0, step=STALLED_AFTER / 2)
        it.submit("well", 0.5)
        it.runtime.sleep(40)
        assert it.at("begins", "well") == [10.0]

    bench(body, workers=1)


def test_a_suspect_bmc_is_served_beside_the_workers_and_the_stalled_are_bounded(bench):
    def body(it: Bench) -> None:
        for name in ("a", "b", "c"):
            it.submit(name, 0.0, fails=True)
        it.runtime.sleep(1)
        for name in ("a", "b", "c"):
            it.submit(name, 20.0)
        it.submit("well", 0.5)
        it.runtime.sleep(60)
        begun = 1.0
        assert it.at("begins", "well") == [begun], "no suspect was on the only worker"
        starts = sorted(it.at("begins", name)[-1] for name in ("a", "b", "c"))
        assert starts == [begun, begun, begun + 20.0], "two beside, the third after them"

    bench(body, workers=1, suspect_workers=2)


@pytest.mark.upstream("U16")
def test_what_outlives_its_timeout_is_abandoned_and_its_bmc_stays_reserved(bench):
    def body(it: Bench) -> None:
        it.submit("lost", 1000.0, WRITE)
        it.runtime.sleep(60 + GRACE + 1)
        told = 60.0 + GRACE
        assert it.at("ends", "lost") == [told]
        assert it.at("revoked", "lost") == [told]
        assert isinstance(it.errors["lost"], OperationTimedOut)
        assert it.pool.load("default").processing == 0, "it had written nothing"
        assert it.submit("lost", 0.5, WRITE), "its host may ask again"
        assert it.submit("well", 0.5, WRITE)
        it.runtime.sleep(100)
        assert len(it.at("begins", "well")) == 1
        assert it.at("begins", "lost") == [0.0, told + 90.0], "when no request can live any more"
        it.runtime.sleep(1000)
        assert len(it.at("ends", "lost")) == 2, "its late end is nobody's outcome"

    bench(body, workers=1, operation_timeout=60.0, longest_call=90.0)


def test_an_abandoned_call_that_comes_back_frees_its_bmc(bench):
    def body(it: Bench) -> None:
        it.submit("late", 70.0)
        it.runtime.sleep(65)
        it.submit("late", 0.5)
        it.runtime.sleep(30)
        assert it.at("begins", "late") == [0.0, 70.0]

    bench(body, workers=1, operation_timeout=60.0, longest_call=90.0)


def test_one_that_stalled_before_it_wrote_leaves_its_write_slot_and_gets_it_back(bench):
    def body(it: Bench) -> None:
        def write(operation: Operation) -> None:
            it.pool.before_write(operation, 60.0)
            assert operation.holds_slot
            it.note("writes", operation.host.name)

        it.submit("dead", 10.0, WRITE, then=write)
        for name in ("a", "b", "c"):
            it.submit(name, 5.0, WRITE, step=0.25, then=write)
        it.runtime.sleep(60)
        assert it.at("begins", "a") == [STALLED_AFTER]
        assert it.at("begins", "b") == [STALLED_AFTER + 5.0]
        assert it.at("writes", "dead") == [STALLED_AFTER + 10.0], "at the first chance, before c"
        assert it.at("begins", "c")[0] >= it.at("writes", "dead")[0]
        assert it.pool.load("default").processing == 0

    bench(body, workers=4, limits={"max_concurrent_ops": 1})


def test_who_gets_no_write_slot_in_time_does_not_write(bench):
    def body(it: Bench) -> None:
        caught: list[str] = []

        def write(operation: Operation) -> None:
            with pytest.raises(OperationTimedOut):
                it.pool.before_write(operation, 2.0)
            caught.append(operation.host.name)

        it.submit("dead", 3.0, WRITE, then=write)
        it.submit("busy", 30.0, WRITE, step=0.25)
        it.runtime.sleep(10)
        assert caught == ["dead"]
        it.runtime.sleep(30)
        it.submit("next", 1.0, WRITE)
        it.runtime.sleep(1)
        assert it.at("begins", "next"), "nobody waits for a slot any more"

    bench(body, workers=2, limits={"max_concurrent_ops": 1})


@pytest.mark.upstream("U35")
def test_workers_and_limits_follow_live_up_and_down_while_operations_run(bench):
    def body(it: Bench) -> None:
        def resize(workers: int, ops: int) -> None:
            it.most = it.running
            it.pool.configure(QueueLimits(100, ops), PoolSettings(workers=workers), CircuitPolicy())

        for number in range(60):
            it.submit(f"h{number}", 4.0, WRITE, step=0.25)
        it.runtime.sleep(5)
        assert it.most == 2
        resize(6, 5)
        it.runtime.sleep(9)
        assert it.most == 5
        resize(1, 5)
        it.runtime.sleep(5)
        it.most = it.running
        it.runtime.sleep(9)
        assert it.most == 1
        resize(4, 0)
        it.runtime.sleep(5)
        begun = len([word for _, word, _ in it.story if word == "begins"])
        it.runtime.sleep(60)
        assert it.pool.load("default").processing == 0
        assert begun == len([word for _, word, _ in it.story if word == "begins"]), "drained"
        resize(20, 50)
        it.runtime.sleep(60)
        ended = [host for _, word, host in it.story if word == "ends"]
        assert sorted(ended) == sorted(f"h{number}" for number in range(60)), "nothing is lost"

    bench(body, workers=2, limits={"max_queue_size": 100, "max_concurrent_ops": 2})


@pytest.mark.upstream("U16")
def test_operations_run_their_work_and_those_of_one_bmc_in_turn(bench):
    def body(it: Bench) -> None:
        it.submit("a", 2.0, step=0.25, bmc="shared")
        it.submit("b", 2.0, step=0.25, bmc="shared")
        it.runtime.sleep(10)
        assert it.at("begins", "b") == it.at("ends", "a") == [2.0]

    bench(body, workers=3)


@pytest.mark.upstream("U16")
def test_a_stop_lets_finish_what_runs_and_says_when_it_does_not(bench):
    def body(it: Bench) -> None:
        it.submit("short", 3.0, step=0.25)
        it.runtime.sleep(0.1)
        it.submit("waits", 3.0)
        assert it.pool.stop(10.0)
        assert it.at("ends", "short") == [3.0]
        assert not it.at("begins", "waits"), "what waits stays in the API's record, not half done"

    bench(body, workers=1)

    def stuck(it: Bench) -> None:
        it.submit("long", 300.0)
        it.runtime.sleep(5)
        assert not it.pool.stop(10.0)
        assert it.runtime.now() == 15.0

    bench(stuck, workers=1)
