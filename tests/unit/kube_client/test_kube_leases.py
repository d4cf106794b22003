"""Leader election: never two fenced leaders, whatever fails; and a leader again soon after."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import LEASE
from beskar7.api.meta import parse_rfc3339
from beskar7.kube.leases import LeaderElector
from beskar7.runtime import Runtime, VirtualRuntime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]
NAMESPACE = "beskar7-system"
NAME = "beskar7-controller-manager"
LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD = 15.0, 10.0, 2.0


def elector(kube: Any, runtime: Runtime, identity: str, **options: Any) -> LeaderElector:
    return LeaderElector(runtime, kube, NAMESPACE, NAME, identity, **options)


def spec(kube: Any) -> dict[str, Any]:
    held: dict[str, Any] = kube.get(LEASE, NAMESPACE, NAME)["spec"]
    return held


class Referee:
    """Asks every elector, ever again, whether it leads."""

    def __init__(self, runtime: VirtualRuntime) -> None:
        self.runtime = runtime
        self.electors: dict[str, LeaderElector] = {}
        self.violations: list[tuple[float, list[str]]] = []
        self.leaders: list[tuple[float, str]] = []

    def watch(self, interval: float = 0.05) -> None:
        while True:
            leading = [name for name, one in self.electors.items() if one.is_leader()]
            if len(leading) > 1:
                self.violations.append((self.runtime.now(), leading))
            leader = leading[0] if leading else ""
            if not self.leaders or self.leaders[-1][1] != leader:
                self.leaders.append((self.runtime.now(), leader))
            self.runtime.sleep(interval)


def test_the_first_one_leads_and_says_so_in_the_lease(run: Run, world: Any) -> None:
    def main(runtime: Runtime) -> None:
        kube = world(runtime).kube()
        news: list[str] = []
        one = elector(
            kube,
            runtime,
            "mgr-1",
            lease_duration=14.2,
            on_started_leading=lambda: news.append("started"),
            on_stopped_leading=lambda: news.append("stopped"),
            on_new_leader=lambda who: news.append(f"leader {who}"),
        )
        assert not one.is_leader()
        one.start()
        assert one.wait_leading(5)
        assert one.leader() == "mgr-1"
        assert 0 < one.valid_until() - runtime.now() <= RENEW_DEADLINE
        held = spec(kube)
        assert held["holderIdentity"] == "mgr-1"
        assert held["leaseDurationSeconds"] == 15
        assert held["leaseTransitions"] == 0
        assert abs(parse_rfc3339(held["renewTime"]) - runtime.wall()) < 5
        while "started" not in news:
            runtime.sleep(0.01)
        assert one.stop(5)
        assert not one.is_leader()
        assert one.valid_until() == float("-inf")
        assert spec(kube)["holderIdentity"] == ""
        assert news == ["leader mgr-1", "started", "stopped"]

    run(main)


def test_a_released_lease_is_taken_at_once_and_counted(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        first = elector(here.kube("1"), runtime, "mgr-1")
        second = elector(here.kube("2"), runtime, "mgr-2")
        first.start()
        assert first.wait_leading(5)
        second.start()
        runtime.sleep(30)
        assert first.is_leader()
        assert not second.is_leader()
        assert second.leader() == "mgr-1"
        assert first.stop()
        assert second.wait_leading(RETRY_PERIOD + 0.1)
        assert spec(here.kube())["leaseTransitions"] == 1

    runtime.run(main)


def test_a_renewal_is_one_request_and_keeps_the_acquire_time(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        one = elector(here.kube("1"), runtime, "mgr-1")
        one.start()
        assert one.wait_leading(5)
        before = spec(here.kube())
        here.calls.clear()
        runtime.sleep(20)
        after = spec(here.kube())
        verbs = {verb for _, client, verb in here.calls if client == "1"}
        assert verbs == {"update"}
        assert after["acquireTime"] == before["acquireTime"]
        assert after["renewTime"] > before["renewTime"]

    runtime.run(main)


@pytest.mark.parametrize("seed", range(12))
def test_a_killed_leader_is_followed_within_lease_duration_and_a_retry(
    seed: int, world: Any
) -> None:
    runtime = VirtualRuntime(seed)

    def main() -> None:
        here = world(runtime, latency=0.005)
        referee = Referee(runtime)
        groups = {}
        for name in ("a", "b"):
            groups[name] = runtime.group(name)
            referee.electors[name] = elector(here.kube(name, groups[name]), groups[name], name)
            referee.electors[name].start()
        runtime.spawn(referee.watch, name="referee")
        runtime.sleep(20 + 5 * runtime.rng("moment").random())
        dead = referee.leaders[-1][1]
        groups[dead].kill()
        killed = runtime.now()
        del referee.electors[dead]
        runtime.sleep(LEASE_DURATION + RETRY_PERIOD + 0.5)
        since, leader = referee.leaders[-1]
        assert leader not in ("", dead)
        assert since - killed <= LEASE_DURATION + RETRY_PERIOD + 0.1
        assert referee.violations == []

    runtime.run(main)


@pytest.mark.parametrize("seed", range(25))
def test_there_are_never_two_leaders_under_partitions_kills_and_pauses(
    seed: int, world: Any
) -> None:
    runtime = VirtualRuntime(seed)

    def main() -> None:
        here = world(runtime, latency=0.02)
        rng = runtime.rng("chaos")
        referee = Referee(runtime)
        lives = itertools.count()
        groups: dict[str, Any] = {}
        holds: dict[str, float] = {}

        def born(slot: str) -> None:
            identity = f"{slot}-{next(lives)}"
            group = groups[slot] = runtime.group(identity)
            kube = here.kube(slot, group)
            refuse = kube.before

            def before(*call: Any) -> float | None:
                # A request that hangs, or a process that is stopped in the middle of one.
                refuse(*call)
                return max(0.0, holds.get(slot, 0.0) - runtime.now())

            kube.before = before
            referee.electors[slot] = elector(kube, group, identity)
            referee.electors[slot].start()

        for slot in ("a", "b", "c"):
            born(slot)
        runtime.spawn(referee.watch, name="referee")
        for _ in range(12):
            runtime.sleep(rng.random() * 25)
            slot = rng.choice(["a", "b", "c"])
            match rng.choice(
                ["kill", "partition", "pause", "stop", "everybody", "touch", "delete"]
            ):
                case "kill":
                    groups[slot].kill()
                    del referee.electors[slot]
                    runtime.sleep(rng.random() * 20)
                    born(slot)
                case "partition":
                    here.down.add(slot)
                    runtime.sleep(rng.random() * 30)
                    here.down.discard(slot)
                case "pause":
                    holds[slot] = runtime.now() + rng.random() * 40
                case "stop":
                    referee.electors[slot].stop()
                    born(slot)
                case "everybody":
                    here.down.add("*")
                    runtime.sleep(rng.random() * 30)
                    here.down.clear()
                case "touch":
                    note = {"metadata": {"annotations": {"touched": str(runtime.now())}}}
                    here.kube("user").patch(LEASE, NAMESPACE, NAME, note)
                case "delete" if all(one.leader() for one in referee.electors.values()):
                    # Those who know of a lease keep its time; one born just now could not.
                    here.kube("user").delete(LEASE, NAMESPACE, NAME)
                    runtime.sleep(LEASE_DURATION)
        holds.clear()
        runtime.sleep(60)
        assert referee.violations == []
        assert referee.leaders[-1][1] != ""
        assert len({leader for _, leader in referee.leaders}) > 1

    runtime.run(main)


def test_who_is_cut_off_stops_in_time_and_contends_again(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        news: list[tuple[float, str]] = []
        one = elector(
            here.kube("1"),
            runtime,
            "mgr-1",
            on_started_leading=lambda: news.append((runtime.now(), "started")),
            on_stopped_leading=lambda: news.append((runtime.now(), "stopped")),
        )
        one.start()
        assert one.wait_leading(5)
        runtime.sleep(10)
        here.down.add("1")
        cut = runtime.now()
        runtime.sleep(RENEW_DEADLINE)
        assert not one.is_leader()
        assert news[-1][1] == "stopped"
        assert news[-1][0] - cut <= RENEW_DEADLINE
        here.down.clear()
        assert one.wait_leading(RETRY_PERIOD + 0.1)
        runtime.sleep(0.1)
        assert [what for _, what in news] == ["started", "stopped", "started"]

    runtime.run(main)


def test_a_deposed_leader_does_not_take_a_deleted_lease_for_its_own(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        first = elector(here.kube("1"), runtime, "mgr-1")
        second = elector(here.kube("2"), runtime, "mgr-2")
        first.start()
        assert first.wait_leading(5)
        second.start()
        runtime.sleep(5)
        here.down.add("1")
        assert second.wait_leading(LEASE_DURATION + RETRY_PERIOD)
        here.down.add("2")
        here.kube("user").delete(LEASE, NAMESPACE, NAME)
        here.down.remove("1")
        end = second.valid_until()
        assert first.wait_leading(2 * LEASE_DURATION)
        assert runtime.now() > end

    runtime.run(main)


def test_a_request_that_hangs_past_the_deadline_does_not_delay_the_news(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime, latency=0.005).kube()
        stopped: list[float] = []
        one = elector(
            kube, runtime, "mgr-1", on_stopped_leading=lambda: stopped.append(runtime.now())
        )
        one.start()
        assert one.wait_leading(5)
        kube.before = lambda *_: 300.0
        end = one.valid_until()
        runtime.sleep(60)
        assert stopped == [pytest.approx(end, abs=0.01)] or stopped[0] <= end + RETRY_PERIOD

    runtime.run(main)


def test_a_slow_callback_delays_no_renewal(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime, latency=0.005).kube()
        one = elector(kube, runtime, "mgr-1", on_started_leading=lambda: runtime.sleep(100))
        one.start()
        assert one.wait_leading(5)
        for _ in range(90):
            runtime.sleep(1)
            assert one.is_leader()

    runtime.run(main)


def test_the_lease_is_kept_while_the_work_may_go_on(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        one = elector(
            here.kube("1"), runtime, "mgr-1", on_stopped_leading=lambda: runtime.sleep(60)
        )
        one.start()
        assert one.wait_leading(5)
        runtime.sleep(1)
        assert not one.stop(3)
        assert not one.is_leader()
        assert spec(here.kube())["holderIdentity"] == "mgr-1"

    runtime.run(main)


def test_without_release_the_lease_expires(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime)
        one = elector(here.kube("1"), runtime, "mgr-1", release_on_cancel=False)
        one.start()
        assert one.wait_leading(5)
        assert one.stop()
        assert spec(here.kube())["holderIdentity"] == "mgr-1"

    runtime.run(main)


def test_an_answer_that_is_lost_does_not_lock_the_lease_against_ourselves(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        kube = here.kube("1")
        create, update = kube.create, kube.update
        lost = [True, True]

        def losing(write: Any) -> Any:
            def call(*args: Any) -> Any:
                answer = write(*args)
                if lost:
                    lost.pop()
                    raise ConnectionResetError("the answer was lost")
                return answer

            return call

        kube.create, kube.update = losing(create), losing(update)
        one = elector(kube, runtime, "mgr-1")
        one.start()
        assert one.wait_leading(3 * RETRY_PERIOD)
        assert spec(here.kube())["leaseTransitions"] == 0

    runtime.run(main)


def test_an_earlier_life_of_the_same_identity_is_waited_for(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.005)
        first = runtime.group("first")
        elector(here.kube("1", first), first, "same").start()
        runtime.sleep(5)
        first.kill()
        second = elector(here.kube("2"), runtime, "same")
        second.start()
        assert not second.wait_leading(LEASE_DURATION - 1)
        assert second.wait_leading(RETRY_PERIOD + 1)

    runtime.run(main)


def test_becoming_leader_is_an_event_of_the_lease(world: Any) -> None:
    runtime = VirtualRuntime(1)

    class Events:
        seen: list[tuple[Any, ...]]

        def __init__(self) -> None:
            self.seen = []

        def event(self, *args: Any) -> None:
            self.seen.append(args)

    def main() -> None:
        events = Events()
        one = elector(world(runtime).kube(), runtime, "mgr-1", recorder=events)
        one.start()
        assert one.wait_leading(5)
        runtime.sleep(30)
        (lease, kind, reason, message), *more = events.seen
        assert more == []
        assert (lease["kind"], lease["metadata"]["name"]) == ("Lease", NAME)
        assert lease["metadata"]["uid"]
        assert (kind, reason, message) == ("Normal", "LeaderElected", "mgr-1 became leader")

    runtime.run(main)


@pytest.mark.parametrize(
    ("times", "text"),
    [
        ((10.0, 10.0, 2.0), r"renew deadline 10s must be less than lease duration 10s"),
        ((15.0, 10.0, 8.5), r"retry period 8.5s times 1.2 must be less than renew deadline 10s"),
        ((15.0, 10.0, 0.0), r"retry period 0s must be over 0"),
        ((99999.0, 10.0, 2.0), r"that at most 3600s"),
        ((float("nan"), 10.0, 2.0), r"must be less than lease duration nan"),
    ],
)
def test_times_that_do_not_fit_are_refused(times: tuple[float, ...], text: str, world: Any) -> None:
    runtime = VirtualRuntime(1)
    lease, renew, retry = times
    with pytest.raises(ValueError, match=text):
        elector(
            None,
            runtime,
            "mgr-1",
            lease_duration=lease,
            renew_deadline=renew,
            retry_period=retry,
        )
    with pytest.raises(ValueError, match="identity is empty"):
        elector(None, runtime, "")
