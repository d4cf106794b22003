"""What only virtual time has: determinism, killed processes, deadlock detection."""

from __future__ import annotations

import pytest

from beskar7.runtime import RuntimeClosed, VirtualRuntime
from beskar7.runtime.virtual import Deadlock

pytestmark = pytest.mark.unit


def _world(seed: int) -> tuple[str, list[str]]:
    """A small contended world; its trace hash and what happened."""
    runtime = VirtualRuntime(seed)
    seen: list[str] = []

    def worker(number: int, lock) -> None:
        rng = runtime.rng(f"worker/{number}")
        for _ in range(5):
            runtime.sleep(rng.random())
            with lock:
                seen.append(f"{number} {runtime.now():.6f}")
                runtime.sleep(0.1)

    def main() -> None:
        lock = runtime.lock()
        tasks = [runtime.spawn(worker, number, lock, name=f"w{number}") for number in range(4)]
        for task in tasks:
            task.join()

    runtime.run(main)
    return runtime.trace_hash, seen


def test_same_seed_same_trace_and_other_seed_other_trace():
    assert _world(7) == _world(7)
    assert _world(7)[0] != _world(8)[0]


def _order(seed: int, schedule: str) -> list[int]:
    """In which six tasks run that are woken at one instant."""
    runtime = VirtualRuntime(seed, schedule=schedule)
    seen: list[int] = []

    def wait(number: int, event) -> None:
        event.wait()
        seen.append(number)

    def main() -> None:
        event = runtime.event()
        tasks = [runtime.spawn(wait, number, event, name=f"w{number}") for number in range(6)]
        runtime.sleep(1)
        event.set()
        for task in tasks:
            task.join()

    runtime.run(main)
    return seen


def test_what_is_due_at_one_instant_runs_in_an_order_that_the_seed_draws():
    orders = {tuple(_order(seed, "seeded")) for seed in range(8)}
    assert len(orders) > 4
    assert all(sorted(order) == list(range(6)) for order in orders)
    assert _order(3, "seeded") == _order(3, "seeded")


def test_on_request_it_runs_in_the_order_in_which_it_became_due():
    assert [_order(seed, "fifo") for seed in range(3)] == [list(range(6))] * 3


def test_the_order_shifts_no_streams_draws():
    def draws(schedule: str) -> list[float]:
        runtime = VirtualRuntime(5, schedule=schedule)

        def main() -> list[float]:
            runtime.spawn(runtime.sleep, 1.0, name="other").join()
            return [runtime.rng("schedule").random() for _ in range(3)]

        return runtime.run(main)

    assert draws("seeded") == draws("fifo")


def test_simpys_own_events_happen_on_the_same_environment():
    """The queueing models' kind of process beside ours."""
    runtime = VirtualRuntime(0)
    seen: list[float] = []

    def process(env):
        yield env.timeout(2.0)
        seen.append(env.now)

    def main() -> None:
        env = runtime._kernel.env
        env.process(process(env))
        runtime.sleep(1)
        assert seen == []
        runtime.sleep(2)

    runtime.run(main)
    assert seen == [2.0]


def test_an_hour_passes_at_once():
    runtime = VirtualRuntime(0)
    runtime.run(runtime.sleep, 3600.0)
    assert runtime.now() == 3600.0


def test_killed_process_does_nothing_more_wherever_it_waits():
    runtime = VirtualRuntime(0)
    seen: list[str] = []

    def main() -> None:
        victim = runtime.group("victim")
        lock = victim.lock()

        def sleeper() -> None:
            try:
                victim.sleep(10)
                seen.append("woke")
            finally:
                try:
                    victim.sleep(1)
                    seen.append("worked in finally")
                except RuntimeClosed:
                    seen.append("refused")
                    raise

        def locker() -> None:
            with lock:
                victim.sleep(10)
                seen.append("left the lock")

        def waiter() -> None:
            with lock:
                seen.append("got the lock")

        tasks = [victim.spawn(body, name=body.__name__) for body in (sleeper, locker, waiter)]
        victim.timer(2, seen.append, "timer", name="timer")
        runtime.sleep(1)
        victim.kill()
        runtime.sleep(20)
        assert all(task.done for task in tasks)
        with pytest.raises(RuntimeClosed):
            victim.spawn(sleeper, name="late")

    runtime.run(main)
    assert seen == ["refused"]


def test_other_processes_go_on_after_a_kill():
    runtime = VirtualRuntime(0)
    ticks: list[float] = []

    def tick(process) -> None:
        while True:
            process.sleep(1)
            ticks.append(process.now())

    def main() -> None:
        first, second = runtime.group("first"), runtime.group("second")
        first.spawn(tick, first, name="first")
        second.spawn(tick, second, name="second")
        runtime.sleep(2.5)
        first.kill()
        runtime.sleep(2)

    runtime.run(main)
    assert ticks == [1, 1, 2, 2, 3, 4]


def test_waiting_for_ever_is_reported_with_the_names_of_the_waiters():
    runtime = VirtualRuntime(0)

    def main() -> None:
        event = runtime.event()
        runtime.spawn(event.wait, name="hopeful")
        event.wait()

    with pytest.raises(Deadlock, match="hopeful"):
        runtime.run(main)


def test_run_ends_at_its_limit():
    runtime = VirtualRuntime(0)

    def main() -> None:
        while True:
            runtime.sleep(1)

    with pytest.raises(Deadlock, match="100"):
        runtime.run(main, until=100)


def test_a_loop_that_waits_for_nothing_is_named(monkeypatch):
    monkeypatch.setattr("beskar7.runtime.virtual.STANDSTILL", 1000)
    runtime = VirtualRuntime(0)

    def spin() -> None:
        while True:
            runtime.sleep(0.0)

    def main() -> None:
        runtime.sleep(3.0)
        runtime.spawn(spin, name="impatient")
        runtime.sleep(1.0)

    with pytest.raises(Deadlock, match=r"stands still at 3 s.*impatient"):
        runtime.run(main)


def test_error_of_the_main_task_comes_out():
    runtime = VirtualRuntime(0)

    def main() -> None:
        runtime.sleep(1)
        raise LookupError("from inside")

    with pytest.raises(LookupError, match="from inside"):
        runtime.run(main)


def test_ctrl_c_in_any_task_comes_out_of_run():
    runtime = VirtualRuntime(0)

    def interrupted() -> None:
        raise KeyboardInterrupt

    def main() -> None:
        runtime.spawn(interrupted, name="victim")
        runtime.sleep(10)

    with pytest.raises(KeyboardInterrupt):
        runtime.run(main)


def test_blocking_outside_of_a_task_is_an_error():
    with pytest.raises(RuntimeError, match="outside"):
        VirtualRuntime(0).sleep(1)


def test_between_two_calls_time_stands_still_and_tasks_go_on_with_the_next():
    runtime = VirtualRuntime(1)
    ticks = []

    def tick():
        while True:
            runtime.sleep(1.0)
            ticks.append(runtime.now())

    def begin():
        runtime.spawn(tick, name="tick")
        runtime.sleep(2.5)
        return runtime.now()

    assert runtime.call(begin) == 2.5
    assert ticks == [1.0, 2.0]
    assert runtime.now() == 2.5
    runtime.call(runtime.sleep, 1.0)
    assert ticks == [1.0, 2.0, 3.0]
    runtime.close()
    with pytest.raises(RuntimeClosed):
        runtime.call(runtime.sleep, 1.0)


class TimeLimit(BaseException):
    """As a test runner raises it from a signal handler, wherever the program is."""


def test_a_test_runners_time_limit_comes_out_of_whichever_task_it_lands_in():
    runtime = VirtualRuntime(1)

    def struck():
        runtime.sleep(1.0)
        raise TimeLimit

    def main():
        runtime.spawn(struck, name="struck")
        runtime.sleep(60.0)

    with pytest.raises(TimeLimit):
        runtime.call(main)
    # What takes the world down afterwards is no task of it.
    assert runtime.running is None
    runtime.call(runtime.sleep, 1.0)
    runtime.close()
