"""``beskar7 trace`` on the simulator's cluster: contention, a boot that fails, a dead manager.

What it tells is held against what the world saw: the API's log of writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from beskar7.api.errors import ApiError
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, DEPLOYMENT, PHYSICAL_HOST
from beskar7.api.meta import ObjectKey
from beskar7.config import CONFIG_MAP_NAME
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations import trace_entries as kinds
from beskar7.operations import trace_time as time
from beskar7.operations import trace_verdict as verdict
from beskar7.operations.trace import Trace, trace
from beskar7.operations.trace_time import totals
from scenarios.engine.history import consumer_uid
from scenarios.engine.loader import loads
from scenarios.engine.measures import sets_owner
from scenarios.engine.virtual import VirtualWorld, run_virtual

pytestmark = pytest.mark.sim
T = TypeVar("T")

WORLD = """
name: traced
world:
  hosts: {count: %d, scale: {boot: 0.1, latency: 0.2}}
  managers:
    replicas: 2
    deployed: true
    args: {leader-elect-lease-duration: 4s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s%s}
  config: {provisioning.bmcCooldownPeriod: 2s, bmc.bootTimeout: 1m%s}
load: {machines: 0}
"""
HOUR = 3600.0


class Stage:
    """A world with an operator in it."""

    def __init__(self, world: VirtualWorld) -> None:
        self.world = world
        self.kube = world.kube

    def machine(self, name: str) -> str:
        """Create one; its uid."""
        made = self.kube.create(
            BESKAR7_MACHINE,
            {
                "apiVersion": BESKAR7_MACHINE.api_version,
                "kind": BESKAR7_MACHINE.kind,
                "metadata": {"namespace": "default", "name": name},
                "spec": {"imageURL": "http://images.example/x.iso", "osFamily": "kairos"},
            },
        )
        return str(made["metadata"]["uid"])

    def phase(self, name: str) -> str:
        found = self.kube.get(BESKAR7_MACHINE, "default", name)
        return str((found.get("status") or {}).get("phase") or "")

    def until(self, holds: Callable[[], bool], seconds: float = 600.0) -> None:
        end = self.world.runtime.now() + seconds
        while not holds():
            assert self.world.runtime.now() < end, "not in time"
            self.world.runtime.sleep(0.1)

    def states(self) -> list[str]:
        hosts = self.kube.list(PHYSICAL_HOST, "default").items
        return [str((host.get("status") or {}).get("state")) for host in hosts]

    def enrolled(self) -> bool:
        hosts = self.kube.list(PHYSICAL_HOST, "default").items
        return all((host.get("status") or {}).get("ready") for host in hosts)

    def trace(self, name: str, since: float = HOUR) -> Trace:
        return trace(self.world.cluster(), ObjectKey("default", name), since)

    def wall(self, now: float) -> float:
        return self.world.runtime.wall() - self.world.runtime.now() + now


@pytest.fixture
def on_stage() -> Callable[..., Any]:
    def play(
        body: Callable[[Stage], T],
        *,
        hosts: int = 2,
        args: str = "",
        config: str = "",
        seed: int = 3,
    ) -> T:
        def main(world: Any) -> T:
            stage = Stage(world)
            try:
                world.start()
                stage.until(stage.enrolled)
                return body(stage)
            finally:
                world.stop()

        return run_virtual(loads(WORLD % (hosts, args, config)), seed, main)

    return play


def adds_up(found: Trace) -> None:
    assert sum(totals(found.way).values()) == pytest.approx(found.end - found.start)
    assert [entry.at for entry in found.entries] == sorted(entry.at for entry in found.entries)


def sums(found: Trace) -> dict[str, float]:
    return dict.fromkeys(time.PHASES, 0.0) | totals(found.way)


@pytest.mark.parametrize(
    ("args", "style"),
    [("", "json"), (', enable-claim-coordinator-leader-election: "true"', "console")],
)
def test_row_16_claims_under_contention(
    on_stage: Callable[..., Any], args: str, style: str
) -> None:
    def body(stage: Stage) -> None:
        stop = stage.world.runtime.event()

        def meddle() -> None:
            """Changes hosts all the time, so that claims of a version fail."""
            number = 0
            while not stop.wait(0.002):
                number += 1
                for host in stage.kube.list(PHYSICAL_HOST, "default").items:
                    patch = {"metadata": {"annotations": {"meddled": str(number)}}}
                    try:
                        stage.kube.patch(PHYSICAL_HOST, "default", host["metadata"]["name"], patch)
                    except ApiError:
                        continue

        stage.world.runtime.spawn(meddle, name="meddler")
        uids = {name: stage.machine(name) for name in ("worker-01", "worker-010", "worker-011")}
        stage.world.runtime.sleep(1.0)
        stop.set()
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        stage.until(lambda: stage.phase("worker-010") == "Provisioned")
        stage.until(lambda: stage.phase("worker-011") == "Provisioned")
        writes, _ = stage.world.writes(0)
        conflicts = 0
        for name, uid in uids.items():
            found = stage.trace(name)
            adds_up(found)
            assert found.verdict.state == verdict.DONE
            claims = [w for w in writes if sets_owner(w) and consumer_uid(w.object) == uid]
            told = [entry for entry in found.entries if entry.kind == kinds.CONFLICT]
            lost = [write for write in claims if write.outcome == "Conflict"]
            # Logs, with the fields of this machine alone, tell each conflict, and once.
            assert sum(entry.count for entry in told) == len(lost)
            conflicts += len(lost)
            (won,) = [write for write in claims if write.outcome == "ok"]
            (claimed,) = [entry for entry in found.entries if entry.kind == kinds.CLAIMED]
            assert claimed.at == pytest.approx(stage.wall(won.time), abs=0.05)
            assert found.hosts == (won.name,)
            texts = " ".join(entry.text for entry in found.entries)
            others = set(uids) - {name}
            words = texts.replace("/", " ").replace(":", " ").split()
            assert not others & set(words)
            assert sums(found)[time.BOOT] > 0
            assert sums(found)[time.OPERATION] > 0
            assert sums(found)[time.UNTOLD] == 0
        assert conflicts > 0

    on_stage(body, hosts=4, args=args, config=f", log.format: {style}")


def test_a_boot_that_fails_is_told_with_the_time_in_error(on_stage: Callable[..., Any]) -> None:
    def body(stage: Stage) -> None:
        stage.world.add_fault({"id": "lost", "kind": "media-lost", "count": 1})
        stage.machine("worker-01")
        stage.until(lambda: "Error" in stage.states())
        stuck = stage.trace("worker-01")
        assert stuck.verdict.state == verdict.STUCK
        assert "is in Error" in stuck.verdict.text
        assert stuck.verdict.since is not None
        adds_up(stuck)
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        found = stage.trace("worker-01")
        adds_up(found)
        assert found.verdict.state == verdict.DONE
        assert sums(found)[time.ERROR] > 1.0
        assert any(entry.kind == kinds.FAILURE for entry in found.entries)  # the host's Event

    on_stage(body)


def test_a_manager_that_dies_leaves_its_part_of_the_story(on_stage: Callable[..., Any]) -> None:
    def body(stage: Stage) -> None:
        stage.machine("worker-01")
        stage.until(lambda: stage.phase("worker-01") == "Provisioning")
        stage.world.kill_manager("leader")
        orphan = stage.trace("worker-01")
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        found = stage.trace("worker-01")
        adds_up(found)
        assert orphan.verdict.state != verdict.DONE
        assert found.verdict.state == verdict.DONE
        speakers = {e.source for e in found.entries if e.source.startswith("log ")}
        assert len(speakers) == 2  # all managers' logs, not one pod's
        assert [e.kind for e in found.entries].count(kinds.CLAIMED) == 1
        assert any(e.kind == kinds.LEADER and "started" in e.text for e in found.entries)

    on_stage(body)


def test_who_waits_is_told_for_what_and_who_is_gone_what_is_left(
    on_stage: Callable[..., Any],
) -> None:
    def body(stage: Stage) -> None:
        stage.machine("first")
        stage.until(lambda: stage.phase("first") == "Provisioned")
        stage.machine("second")
        stage.world.runtime.sleep(100.0)
        waits = stage.trace("second")
        assert waits.verdict.state == verdict.WAITING
        assert "1 Provisioned" in waits.verdict.text
        assert sums(waits) == pytest.approx(sums(waits) | {time.WAIT: waits.end - waits.start})
        stage.kube.delete(BESKAR7_MACHINE, "default", "first")
        stage.until(lambda: stage.phase("second") == "Provisioned")
        gone = stage.trace("first")
        assert gone.machine is None
        assert gone.verdict.state == verdict.GONE
        assert gone.hosts == ("host-001",)
        adds_up(gone)
        released = [e for e in gone.entries if e.kind == kinds.RELEASED]
        assert len(released) == 1
        # Its host's later life belongs to the next owner.
        assert all(entry.at <= released[0].at + 1 for entry in gone.entries)
        assert stage.trace("nobody").verdict.state == verdict.UNKNOWN

    on_stage(body, hosts=1)


def test_without_logs_events_and_objects_tell_what_they_can(on_stage: Callable[..., Any]) -> None:
    def body(stage: Stage) -> None:
        stage.machine("worker-01")
        stage.world.runtime.sleep(20.0)
        data = {"provisioning.maxConcurrentOps": "5"}
        stage.kube.patch(CONFIG_MAP, NAMESPACE, CONFIG_MAP_NAME, {"data": data})
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        stage.world.runtime.sleep(5.0)
        found = stage.trace("worker-01", since=1.0)
        assert not any(entry.exact for entry in found.entries)
        assert [e.kind for e in found.entries].count(kinds.CLAIMED) == 1
        assert found.verdict.state == verdict.DONE
        adds_up(found)
        assert sums(found)[time.UNTOLD] > 15.0  # it was the queue's, but nothing is left to say so
        assert sums(found)[time.QUEUE] == 0.0

    on_stage(body, config=", provisioning.maxConcurrentOps: 0")


def test_a_machine_of_a_name_that_was_borne_before_has_a_story_of_its_own(
    on_stage: Callable[..., Any],
) -> None:
    def body(stage: Stage) -> None:
        former = stage.machine("worker-01")
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        stage.kube.delete(BESKAR7_MACHINE, "default", "worker-01")
        stage.until(lambda: stage.states() == ["Available"])
        uid = stage.machine("worker-01")
        stage.until(lambda: stage.phase("worker-01") == "Provisioned")
        found = stage.trace("worker-01")
        adds_up(found)
        assert found.uid == uid != former
        assert all(entry.at >= found.start for entry in found.entries)
        assert [entry.kind for entry in found.entries].count(kinds.CLAIMED) == 1
        assert sums(found)[time.BOOT] > 1.0
        assert sums(found)[time.WAIT] < 2.0

    on_stage(body, hosts=1)


def test_without_a_leader_it_is_stuck(on_stage: Callable[..., Any]) -> None:
    def body(stage: Stage) -> None:
        stage.kube.patch(DEPLOYMENT, NAMESPACE, NAME, {"spec": {"replicas": 0}})
        stage.machine("worker-01")
        stage.world.runtime.sleep(30.0)
        found = stage.trace("worker-01")
        assert found.verdict.state == verdict.STUCK
        assert found.verdict.text == "stuck: no manager leads, the lease was given up"
        assert found.verdict.since is not None
        assert found.verdict.since < stage.world.runtime.wall() - 20.0
        assert found.managers == ()

    on_stage(body)


def test_a_drained_queue_is_what_it_waits_for(on_stage: Callable[..., Any]) -> None:
    def body(stage: Stage) -> None:
        stage.machine("worker-01")
        stage.until(lambda: len(stage.trace("worker-01").hosts) == 1)
        stage.world.runtime.sleep(20.0)
        found = stage.trace("worker-01")
        assert found.verdict.state == verdict.WAITING
        assert "maxConcurrentOps: 0" in found.verdict.text
        assert sums(found)[time.QUEUE] > 15.0

    on_stage(body, config=", provisioning.maxConcurrentOps: 0")
