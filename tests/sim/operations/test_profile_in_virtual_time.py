"""``beskar7 profile`` on the simulator's cluster: row 17 of the guide's blocks, and what is beside.

The figures are held against what the world saw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.operations.profile import Plan, Profile, Refused, profile
from beskar7.operations.profile_load import RUN_LABEL
from scenarios.engine.history import consumer_uid
from scenarios.engine.loader import loads
from scenarios.engine.measures import sets_owner
from scenarios.engine.virtual import VirtualWorld, run_virtual

pytestmark = pytest.mark.sim
T = TypeVar("T")

WORLD = """
name: profiled
world:
  hosts: {count: 6, scale: {boot: 0.02, latency: 0.2}, vendors: {dell: 1, hpe: 1}}
  managers:
    replicas: 2
    deployed: true
    args: {leader-elect-lease-duration: 4s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s%s}
  config: {provisioning.bmcCooldownPeriod: 2s}
load: {machines: 0}
"""


@pytest.fixture
def in_world() -> Callable[..., Any]:
    def play(body: Callable[[VirtualWorld], T], *, args: str = "", seed: int = 3) -> T:
        def main(world: Any) -> T:
            try:
                world.start()
                world.runtime.sleep(10.0)
                assert states(world) == ["Available"] * 6
                return body(world)
            finally:
                world.stop()

        return run_virtual(loads(WORLD % args), seed, main)

    return play


def states(world: VirtualWorld) -> list[str]:
    return [host["status"]["state"] for host in world.kube.list(PHYSICAL_HOST, "default").items]


def left_over(world: VirtualWorld) -> list[str]:
    found = world.kube.list(BESKAR7_MACHINE, "default").items
    return [machine["metadata"]["name"] for machine in found]


def as_it_was(world: VirtualWorld, found: Profile) -> None:
    assert found.cleanup.done
    assert found.cleanup.left == []
    assert left_over(world) == []
    assert states(world) == ["Available"] * 6


def test_row_17_the_difference_is_of_this_load_alone(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        first = profile(world.cluster(), Plan(machines=2))
        before, _ = world.writes(0)
        found = profile(world.cluster(), Plan(machines=5))
        told = found.to_json()
        assert found.run != first.run  # names of its own
        assert found.reached
        as_it_was(world, found)
        since = before[-1].seq
        writes, _ = world.writes(since)
        uids = set(found.load.machines)
        claims = [w for w in writes if sets_owner(w)]
        assert {consumer_uid(write.object) for write in claims} == uids
        # Not what was counted since the managers began: the first run's claims are not in it.
        assert told["claims"]["by_outcome"]["success"] == 5
        assert told["claims"]["duration"]["count"] == 5
        assert told["operations"]["provision"]["by_outcome"] == {"success": 5}
        assert set(told["requests_by_vendor"]) == {"dell", "hpe"}
        assert told["machines"]["to_provisioned"]["count"] == 5
        # A mean is a mean, and no sum: it lies among the values.
        times = told["machines"]["to_provisioned"]
        assert 0.0 < times["p50"] <= times["mean"] * 1.5 <= times["max"] * 1.5
        counted = told["provisioning"]
        assert counted["count"] == 5
        assert counted["mean"] == pytest.approx(times["mean"], abs=1.0)  # creation in whole seconds
        # It waits for the machines, not for a minute.
        assert told["seconds"] == pytest.approx(times["max"], abs=1.0)

    in_world(body)


def test_row_17_a_machine_passes_admission_and_one_that_does_not_is_refused_in_words(
    in_world: Callable[..., Any],
) -> None:
    def body(world: VirtualWorld) -> None:
        found = profile(world.cluster(), Plan(machines=5, dry_run=True))
        assert found.reached
        assert left_over(world) == []
        with pytest.raises(Refused, match="imageURL"):
            profile(world.cluster(), Plan(machines=5, image_url="http://images.example/no-image"))
        with pytest.raises(Refused, match="osFamily"):
            profile(world.cluster(), Plan(machines=5, os_family="plan9", dry_run=True))
        assert left_over(world) == []

    in_world(body)


def test_row_17_managers_that_want_an_owner_are_told_and_not_waited_for(
    in_world: Callable[..., Any],
) -> None:
    def body(world: VirtualWorld) -> None:
        found = profile(world.cluster(), Plan(machines=2, seconds=600.0))
        assert not found.reached
        assert found.seconds < 10.0
        assert any("--require-owner-machine" in note for note in found.notes)
        as_it_was(world, found)

    in_world(body, args=', require-owner-machine: "true"')


def test_too_few_hosts_are_refused_unless_forced(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        with pytest.raises(Refused, match="6 of 6 in namespace default"):
            profile(world.cluster(), Plan(machines=7))
        assert left_over(world) == []
        found = profile(world.cluster(), Plan(machines=7, seconds=20.0, force=True))
        assert not found.reached
        assert found.to_json()["machines"]["provisioned"] == 6
        assert found.seconds == pytest.approx(20.0, abs=1.0)
        as_it_was(world, found)

    in_world(body)


def test_a_manager_that_dies_is_no_shrinking_counter(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        profile(world.cluster(), Plan(machines=2))  # counters that a new life has not
        killed = world.runtime.event()

        def progress(text: str) -> None:
            if text.startswith("1 of") and not killed.is_set():
                killed.set()
                world.kill_manager("leader")

        found = profile(world.cluster(), Plan(machines=6), progress)
        told = found.to_json()
        assert killed.is_set()
        assert found.reached
        assert told["managers"]["restarts"] >= 1
        successes = told["claims"]["by_outcome"]["success"]
        # What a manager counted between the last look and its end is lost, but nothing is double.
        assert 1 <= successes <= 6
        assert all(value >= 0 for value in found.counters.grown.values())
        as_it_was(world, found)

    in_world(body)


def test_an_interrupt_ends_the_wait_and_not_the_cleanup(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        def progress(text: str) -> None:
            if text.startswith("1 of"):
                raise KeyboardInterrupt

        found = profile(world.cluster(), Plan(machines=5), progress)
        assert found.interrupted
        assert not found.reached
        as_it_was(world, found)

    in_world(body)


def test_a_load_that_breaks_off_is_cleaned_up_too(
    in_world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def body(world: VirtualWorld) -> None:
        cluster = world.cluster()
        create, made = cluster.kube.create, []

        def breaks(kind: Any, obj: Any, *, dry_run: bool = False) -> Any:
            if not dry_run:
                made.append(obj)
            created = create(kind, obj, dry_run=dry_run)
            if len(made) == 3:  # made, but nobody hears of it
                raise ApiError("the server has gone away")
            return created

        monkeypatch.setattr(cluster.kube, "create", breaks)
        found = profile(cluster, Plan(machines=5))
        assert len(found.load.machines) == 3  # the one of which it did not hear as well
        assert any("gone away" in note for note in found.notes)
        assert not found.reached
        as_it_was(world, found)

    in_world(body)


def test_machines_that_are_kept_can_be_found_by_their_label(in_world: Callable[..., Any]) -> None:
    def body(world: VirtualWorld) -> None:
        found = profile(world.cluster(), Plan(machines=2, keep=True))
        assert found.reached
        selector = f"{RUN_LABEL}={found.run}"
        kept = world.kube.list(BESKAR7_MACHINE, "default", label_selector=selector).items
        assert len(kept) == 2
        assert selector in found.cleanup.command

    in_world(body)
