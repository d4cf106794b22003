"""``beskar7 leaks`` on the simulator's cluster: managers at work, one that leaks, one that dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.operations.leaks import leaks
from beskar7.operations.leaks_verdict import LEAK, MEMORY, NO_LEAK, TASKS, UNCLEAR
from scenarios.engine.loader import loads
from scenarios.engine.virtual import VirtualWorld, run_virtual

pytestmark = pytest.mark.sim
T = TypeVar("T")

WORLD = """
name: watched
world:
  hosts: {count: 6, scale: {boot: 0.02, latency: 0.2}}
  managers:
    replicas: 2
    deployed: true
    args: {leader-elect-lease-duration: 4s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
load: {machines: 0}
"""

MACHINE = {
    "apiVersion": BESKAR7_MACHINE.api_version,
    "kind": BESKAR7_MACHINE.kind,
    "spec": {"imageURL": "http://images.example/x.iso", "osFamily": "kairos"},
}


@pytest.fixture
def in_world() -> Callable[..., Any]:
    def play(body: Callable[[VirtualWorld], T]) -> T:
        def main(world: Any) -> T:
            try:
                world.start()
                world.runtime.sleep(10.0)
                return body(world)
            finally:
                world.stop()

        return run_virtual(loads(WORLD), 3, main)

    return play


def test_managers_at_work_do_not_leak(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        stop = world.runtime.event()

        def load() -> None:
            """Machines that come and go."""
            while not stop.is_set():
                for number in range(3):
                    meta = {"namespace": "default", "name": f"m-{number}"}
                    world.kube.create(BESKAR7_MACHINE, MACHINE | {"metadata": meta})
                stop.wait(12.0)
                for number in range(3):
                    world.kube.delete(BESKAR7_MACHINE, "default", f"m-{number}")
                stop.wait(13.0)

        world.runtime.spawn(load, name="load")
        found = leaks(world.cluster(), 100.0, 4.0)
        stop.set()
        assert found.verdict == NO_LEAK
        assert len(found.managers) == 2
        assert found.watch.count == 26
        loads = {sample.load for each in found.watch.samples.values() for sample in each}
        assert len(loads) > 1  # the load moved, and was seen

    in_world(body)


def test_row_18_tasks_that_are_lost_are_found_in_the_manager_that_loses_them(
    in_world: Callable[..., Any],
) -> None:
    def body(world: VirtualWorld) -> None:
        process, _ = world.living()[0]
        (leaky,) = [name for name, alive in world.managers()[:1] if alive]
        never = process.event()

        def lose() -> None:
            for number in range(100):
                process.spawn(never.wait, name=f"lost-{number}")
                process.sleep(3.0)

        process.spawn(lose, name="loser")
        found = leaks(world.cluster(), 200.0, 5.0)
        assert found.verdict == LEAK
        verdicts = {each.manager: each for each in found.managers}
        assert [name for name, each in verdicts.items() if each.verdict == LEAK] == [leaky]
        bad = next(each for each in verdicts[leaky].judgements if each.verdict == LEAK)
        assert bad.of == TASKS
        assert bad.per_hour == pytest.approx(1200.0, rel=0.05)
        assert verdicts[leaky].grown_tasks[0][0].startswith("lost")

    in_world(body)


def test_memory_that_is_lost_is_found_in_the_pod_that_loses_it(
    in_world: Callable[..., Any],
) -> None:
    def body(world: VirtualWorld) -> None:
        leaky = world.managers()[0][0]
        client = f"beskar7-manager/{leaky}"
        leak = {"id": "leak", "target": "api", "kind": "memory-leak", "rate": 0.5}
        world.add_fault(leak | {"select": {"clients": [client]}})
        found = leaks(world.cluster(), 100.0, 4.0)
        assert found.verdict == LEAK
        verdicts = {each.manager: each for each in found.managers}
        assert [name for name, each in verdicts.items() if each.verdict == LEAK] == [leaky]
        memory = verdicts[leaky].judgements[0]
        assert (memory.of, memory.verdict) == (MEMORY, LEAK)
        assert memory.per_hour == pytest.approx(0.5 * 3600 * 2**20, rel=0.05)

    in_world(body)


def test_a_manager_that_dies_meanwhile_is_judged_by_its_lives(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        world.runtime.timer(100.0, world.kill_manager, "leader", name="killer")
        found = leaks(world.cluster(), 200.0, 5.0)
        assert found.verdict == NO_LEAK
        assert sorted(each.restarts for each in found.managers) == [0, 1]

    in_world(body)


def test_an_interrupt_gives_the_verdict_on_what_there_is(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        looks = 0

        def progress(text: str) -> None:
            nonlocal looks
            looks += 1
            if looks == 5:
                raise KeyboardInterrupt

        found = leaks(world.cluster(), 200.0, 5.0, progress)
        assert found.watch.interrupted
        assert found.watch.count == 5
        assert found.verdict == UNCLEAR
        assert "5 samples" in found.managers[0].judgements[0].reason

    in_world(body)
