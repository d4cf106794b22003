"""The same behaviour of both runtimes: threads on wall time, greenlets on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.runtime import (
    Deadline,
    DeadlineExceeded,
    LiveRuntime,
    QueueEmpty,
    QueueFull,
    Runtime,
    VirtualRuntime,
)

pytestmark = pytest.mark.unit

TICK = 0.02
"""Seconds; long enough that threads do what they were started for."""

Body = Callable[[Runtime], Any]


@pytest.fixture(params=["live", "virtual"])
def run(request: pytest.FixtureRequest) -> Callable[[Body], Any]:
    """Runs a body as the main task of either runtime."""

    def execute(body: Body) -> Any:
        if request.param == "live":
            return body(LiveRuntime(seed=1))
        runtime = VirtualRuntime(seed=1)
        return runtime.run(body, runtime)

    return execute


def test_sleep_takes_its_time_and_now_is_monotonic(run):
    def body(runtime: Runtime) -> float:
        start = runtime.now()
        runtime.sleep(TICK)
        return runtime.now() - start

    assert run(body) >= TICK * 0.99


def test_wall_time_advances_with_now(run):
    def body(runtime: Runtime) -> float:
        wall, now = runtime.wall(), runtime.now()
        runtime.sleep(TICK)
        return (runtime.wall() - wall) - (runtime.now() - now)

    assert abs(run(body)) < 0.5


def test_spawned_task_is_joined_and_its_error_kept(run):
    def body(runtime: Runtime) -> None:
        def fail() -> None:
            raise ValueError("broken on purpose")

        release = runtime.event()
        good = runtime.spawn(release.wait, name="good")
        bad = runtime.spawn(fail, name="bad")
        assert not good.join(0)
        assert not good.done
        release.set()
        assert good.join(5)
        assert bad.join(5)
        assert good.done
        assert good.error is None
        assert isinstance(bad.error, ValueError)

    run(body)


def test_lock_excludes_and_times_out(run):
    def body(runtime: Runtime) -> list[str]:
        lock = runtime.lock()
        entered, release = runtime.event(), runtime.event()
        seen: list[str] = []

        def hold(name: str) -> None:
            with lock:
                seen.append(f"{name} in")
                entered.set()
                release.wait()
                runtime.sleep(TICK / 10)
                seen.append(f"{name} out")

        tasks = [runtime.spawn(hold, name, name=name) for name in ("a", "b", "c")]
        assert entered.wait(5)
        assert lock.locked()
        assert not lock.acquire(timeout=0)
        assert not lock.acquire(timeout=TICK / 10)
        release.set()
        assert all(task.join(5) for task in tasks)
        assert not lock.locked()
        return seen

    seen = run(body)
    assert len(seen) == 6
    for entered, left in zip(seen[::2], seen[1::2], strict=True):
        assert entered.split()[0] == left.split()[0]


def test_condition_wakes_on_notify_and_gives_up_after_its_timeout(run):
    def body(runtime: Runtime) -> None:
        changed = runtime.condition()
        box: list[int] = []

        def produce() -> None:
            for number in range(3):
                runtime.sleep(TICK)
                with changed:
                    box.append(number)
                    changed.notify_all()

        task = runtime.spawn(produce, name="producer")
        with changed:
            assert not changed.wait(timeout=TICK / 10)
            assert changed.wait_for(lambda: len(box) == 3, timeout=5)
            assert not changed.wait_for(lambda: len(box) == 4, timeout=TICK)
        assert task.join(5)

    run(body)


def test_notify_wakes_as_many_as_asked(run):
    def body(runtime: Runtime) -> None:
        changed = runtime.condition()
        waiting: list[int] = []
        woken: list[int] = []

        def wait(number: int) -> None:
            with changed:
                waiting.append(number)
                changed.wait(timeout=60)
                woken.append(number)

        def wait_until(holds: Callable[[], bool]) -> None:
            while not holds():
                runtime.sleep(TICK / 10)

        tasks = [runtime.spawn(wait, number, name=f"w{number}") for number in range(3)]
        wait_until(lambda: len(waiting) == 3)
        with changed:  # whoever is in the list waits, for it let go of the lock
            changed.notify(2)
        wait_until(lambda: len(woken) == 2)
        runtime.sleep(TICK)
        assert len(woken) == 2
        with changed:
            changed.notify_all()
        assert all(task.join(5) for task in tasks)
        assert sorted(woken) == [0, 1, 2]

    run(body)


def test_event_is_seen_by_all_waiters_and_can_be_cleared(run):
    def body(runtime: Runtime) -> None:
        event = runtime.event()
        assert not event.wait(timeout=0)
        tasks = [runtime.spawn(event.wait, 5, name=f"w{number}") for number in range(3)]
        runtime.timer(TICK, event.set, name="set")
        assert event.wait(timeout=5)
        assert all(task.join(5) for task in tasks)
        event.clear()
        assert not event.is_set()
        assert not event.wait(timeout=TICK / 10)

    run(body)


def test_queue_is_first_in_first_out_bounded_and_times_out(run):
    def body(runtime: Runtime) -> None:
        queue = runtime.queue(maxsize=2)
        queue.put("a")
        queue.put("b")
        assert len(queue) == 2
        with pytest.raises(QueueFull):
            queue.put("c", timeout=TICK / 10)
        runtime.timer(TICK, queue.get, name="make room")
        queue.put("c", timeout=5)
        assert [queue.get(), queue.get()] == ["b", "c"]
        with pytest.raises(QueueEmpty):
            queue.get(timeout=TICK / 10)

    run(body)


def test_cancelled_timer_does_nothing(run):
    def body(runtime: Runtime) -> list[str]:
        fired: list[str] = []
        runtime.timer(TICK, fired.append, "kept", name="kept")
        runtime.timer(TICK, fired.append, "cancelled", name="cancelled").cancel()
        runtime.sleep(TICK * 3)
        return fired

    assert run(body) == ["kept"]


def test_deadline_counts_down_to_zero_and_then_raises(run):
    def body(runtime: Runtime) -> None:
        deadline = Deadline(runtime, TICK, "the test")
        deadline.check()
        assert 0 < (deadline.remaining() or 0) <= TICK
        runtime.sleep(TICK * 1.5)
        assert deadline.remaining() == 0
        with pytest.raises(DeadlineExceeded, match="the test"):
            deadline.check()
        assert Deadline(runtime, None).remaining() is None

    run(body)


def test_random_streams_are_seeded_by_name_and_independent(run):
    def body(runtime: Runtime) -> tuple[list[float], float]:
        runtime.rng("other").random()
        first = [runtime.rng("latency/host-1").random() for _ in range(3)]
        return first, runtime.rng("latency/host-2").random()

    fresh = LiveRuntime(seed=1)
    expected = [fresh.rng("latency/host-1").random() for _ in range(3)]
    draws, other = run(body)
    assert draws == expected
    assert other not in draws
