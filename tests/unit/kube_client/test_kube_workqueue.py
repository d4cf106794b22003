"""The work queue: once each, never at two workers, the urgent first, on both runtimes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beskar7.kube.backoff import Exponential
from beskar7.kube.workqueue import WorkQueue
from beskar7.runtime import Random, Runtime, VirtualRuntime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]


def make(runtime: Runtime, **options: Any) -> WorkQueue[str]:
    return WorkQueue(runtime, "test", runtime.rng("queue"), **options)


def test_a_key_that_is_added_twice_is_handed_out_once(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        queue.add("a")
        queue.add("a")
        assert len(queue) == 1
        assert queue.get() == "a"
        assert len(queue) == 0
        assert queue.get(timeout=0.01) is None

    run(main)


def test_a_key_in_process_waits_for_done(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        queue.add("a")
        assert queue.get() == "a"
        queue.add("a")
        assert queue.get(timeout=0.01) is None
        queue.done("a")
        assert queue.get(timeout=1) == "a"
        queue.done("a")
        assert queue.get(timeout=0.01) is None

    run(main)


def test_the_urgent_come_first_and_equals_in_their_order(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        for key, priority in (("a", 0), ("b", 5), ("c", 0), ("d", 5), ("e", -1)):
            queue.add(key, priority=priority)
        queue.add("c", priority=9)
        queue.add("b", priority=-5)
        assert [queue.get() for _ in range(5)] == ["c", "b", "d", "a", "e"]

    run(main)


def test_a_delayed_key_comes_when_it_is_due_and_the_sooner_time_holds(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        start = runtime.now()
        queue.add_after("late", 30)
        queue.add_after("late", 0.08)
        queue.add_after("late", 30)
        queue.add_after("soon", 0.03)
        assert (len(queue), queue.delayed) == (0, 2)
        assert queue.get() == "soon"
        assert runtime.now() - start == pytest.approx(0.03, abs=0.02)
        assert queue.get() == "late"
        assert runtime.now() - start == pytest.approx(0.08, abs=0.03)

    run(main)


def test_adding_a_delayed_key_makes_it_ready_and_forgets_the_delay(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        queue.add_after("a", 0.02)
        queue.add("a")
        assert queue.get(timeout=0.01) == "a"
        queue.done("a")
        assert queue.get(timeout=0.1) is None

    run(main)


def test_a_waiting_worker_hears_of_a_sooner_time(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        got: list[str | None] = []
        queue.add_after("late", 60)
        workers = [runtime.spawn(lambda: got.append(queue.get()), name=f"w{n}") for n in range(2)]
        runtime.sleep(0.02)
        queue.add_after("soon", 0.02)
        queue.add("now")
        assert all(worker.join(5) for worker in workers)
        assert sorted(map(str, got)) == ["now", "soon"]

    run(main)


def test_failures_delay_ever_longer_up_to_the_maximum_until_forgotten() -> None:
    runtime = VirtualRuntime(1)
    queue = make(runtime, retry=Exponential(base=0.005, maximum=1000, jitter=0.0))
    delays = [queue.add_rate_limited("a") for _ in range(20)]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[-1] == 1000
    assert queue.failures("a") == 20
    queue.forget("a")
    assert queue.add_rate_limited("a") == 0.005


def test_jitter_only_shortens() -> None:
    runtime = VirtualRuntime(1)
    queue = make(runtime)
    delays = [queue.add_rate_limited(f"k{n}") for n in range(200)]
    assert max(delays) <= 0.005
    assert min(delays) >= 0.004
    assert len(set(delays)) > 100


def test_a_retry_keeps_the_priority_it_was_handed_out_with(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        queue.add("retried", priority=7)
        assert queue.get() == "retried"
        queue.add_after("retried", 0.01)
        queue.add("other", priority=5)
        runtime.sleep(0.05)
        queue.done("retried")
        assert [queue.get(), queue.get()] == ["retried", "other"]

    run(main)


def test_shutting_down_wakes_everybody_and_takes_nothing_more(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        got: list[str | None] = []
        workers = [runtime.spawn(lambda: got.append(queue.get()), name=f"w{n}") for n in range(3)]
        runtime.sleep(0.02)
        queue.shut_down()
        assert all(worker.join(5) for worker in workers)
        assert got == [None, None, None]
        queue.add("a")
        queue.add_after("b", 0.01)
        assert queue.get() is None
        assert (len(queue), queue.delayed) == (0, 0)

    run(main)


def test_the_hooks_hear_the_depth_and_the_wait() -> None:
    runtime = VirtualRuntime(1)
    depths: list[int] = []
    waits: list[float] = []
    queue = make(runtime, on_depth=depths.append, on_wait=waits.append)

    def main() -> None:
        queue.add("a")
        queue.add("b")
        runtime.sleep(2)
        queue.get()
        queue.add_after("c", 3)
        queue.get()
        queue.get()

    runtime.run(main)
    assert depths == [1, 2, 1, 0, 1, 0]
    assert waits == [2, 2, 0]


def test_many_workers_lose_nothing_and_share_nothing(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        queue = make(runtime)
        lock = runtime.lock()
        wanted = {f"k{n}": 0 for n in range(20)}
        served: dict[str, int] = {}
        inside: list[str] = []
        clashes: list[str] = []

        def work() -> None:
            while (key := queue.get()) is not None:
                with lock:
                    clashes.extend([key] if key in inside else [])
                    inside.append(key)
                    served[key] = wanted[key]
                runtime.sleep(0.0005)
                with lock:
                    inside.remove(key)
                queue.done(key)

        workers = [runtime.spawn(work, name=f"w{n}") for n in range(5)]
        rng = runtime.rng("load")
        for _ in range(400):
            key = rng.choice(list(wanted))
            with lock:
                wanted[key] += 1
            queue.add(key) if rng.random() < 0.7 else queue.add_after(key, rng.random() * 0.01)
        end = runtime.now() + 10
        while runtime.now() < end:
            with lock:
                if all(served.get(key, 0) == count for key, count in wanted.items()):
                    break
            runtime.sleep(0.01)
        queue.shut_down()
        assert all(worker.join(5) for worker in workers)
        assert clashes == []
        # Every key was served after the last time that it was asked for.
        assert served == wanted

    run(main)


class Queueing(RuleBasedStateMachine):
    """The queue beside a model that is too simple to be wrong."""

    KEYS = st.sampled_from("abcde")
    PRIORITIES = st.integers(-2, 2)

    def __init__(self) -> None:
        super().__init__()
        self.runtime = VirtualRuntime(3)
        self.queue = WorkQueue[str](self.runtime, "model", Random(1))
        self.ready: dict[str, tuple[int, int]] = {}  # key: (priority, order)
        self.delayed: dict[str, tuple[float, int, int]] = {}  # key: (due, order, priority)
        self.processing: dict[str, int] = {}
        self.order = 0

    def call(self, action: Callable[[], Any]) -> Any:
        # The main task of a world ends it, so each step runs beside the loop.
        result: list[Any] = []
        kernel = self.runtime._kernel
        task = self.runtime.spawn(lambda: result.append(action()), name="step")
        while not task.done:
            kernel.env.step()
        assert task.error is None
        return result[0]

    @property
    def now(self) -> float:
        return self.runtime.now()

    def make_ready(self, key: str, priority: int) -> None:
        self.order += 1
        self.ready[key] = (priority, self.order)

    def pass_time(self) -> None:
        due = [(entry, key) for key, entry in self.delayed.items() if entry[0] <= self.now]
        for entry, key in sorted(due):
            del self.delayed[key]
            self.make_ready(key, entry[2])

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: int) -> None:
        self.pass_time()
        self.call(lambda: self.queue.add(key, priority=priority))
        if key in self.ready:
            self.ready[key] = (max(priority, self.ready[key][0]), self.ready[key][1])
        else:
            _, _, before = self.delayed.pop(key, (0.0, 0, priority))
            self.make_ready(key, max(priority, before))

    @rule(key=KEYS, priority=PRIORITIES, delay=st.sampled_from([1.0, 2.0, 5.0]))
    def add_after(self, key: str, priority: int, delay: float) -> None:
        self.call(lambda: self.queue.add_after(key, delay, priority=priority))
        due = self.now + delay
        self.order += 1
        if key in self.ready:
            self.ready[key] = (max(priority, self.ready[key][0]), self.ready[key][1])
        else:
            at, order, before = self.delayed.get(key, (due, self.order, priority))
            soonest = (due, self.order) if due < at else (at, order)
            self.delayed[key] = (*soonest, max(priority, before))

    @rule()
    def get(self) -> None:
        self.pass_time()
        got = self.call(lambda: self.queue.get(timeout=0))
        free = {key: entry for key, entry in self.ready.items() if key not in self.processing}
        best = min(free, key=lambda key: (-free[key][0], free[key][1]), default=None)
        assert got == best
        if got is not None:
            self.processing[got] = self.ready.pop(got)[0]

    @precondition(lambda self: self.processing)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        self.pass_time()
        key = data.draw(st.sampled_from(sorted(self.processing)))
        self.call(lambda: self.queue.done(key))
        del self.processing[key]

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def wait(self, seconds: float) -> None:
        self.call(lambda: self.runtime.sleep(seconds))
        # The queue looks at the clock only when a worker asks.
        self.get()

    @invariant()
    def nothing_is_lost(self) -> None:
        known = set(self.queue._entries)
        assert known == set(self.ready) | set(self.delayed)
        assert set(self.queue._processing) == set(self.processing)
        assert len(self.queue) == len(self.queue_ready())

    def queue_ready(self) -> list[str]:
        return [
            key
            for key, entry in self.queue._entries.items()
            if entry.ready_at is None and key not in self.queue._processing
        ]


TestQueueing = Queueing.TestCase
TestQueueing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
