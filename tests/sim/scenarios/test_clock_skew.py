"""Managers whose wall clocks are wrong: nobody decides anything by another's timestamp."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.meta import parse_rfc3339
from beskar7.api.problems import DocumentError
from beskar7.kube.leases import LeaderElector
from beskar7.redfish.sushy_bmc import agent
from beskar7.runtime import VirtualRuntime
from beskar7.runtime.virtual import EPOCH
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.faults.faultspec import ApiFault
from emulator.kube.inprocess import InProcessKube
from emulator.kube.world import new_store
from scenarios.engine.history import consumer_uid, dig
from scenarios.engine.loader import loads

pytestmark = pytest.mark.sim

STORM = """\
name: skewed
world:
  hosts: {count: 6, scale: {boot: 0.005, latency: 0.05}}
  managers: {replicas: 2}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 4}
faults: [FAULTS]
acts:
  - when: {provisioned: 2}
    kill_manager: {target: leader}
  - when: {settled: true}
    delete_machines: {count: 2}
checks:
  - {measure: provisioned, equals: 4}
  - {measure: released, equals: 2}
limits: {timeout: 5m, enrol_timeout: 60s}
"""
ONE = "{id: %s, target: api, kind: clock-skew, select: {clients: [%s]}, %s}"
LEASE, RENEW, RETRY = 15.0, 10.0, 2.0


@pytest.mark.parametrize("who", ["beskar7-manager/manager-1", "beskar7-manager/manager-2"])
@pytest.mark.parametrize("how", ["offset: 10m", "offset: -10m", "offset: 1h, drift: -0.4"])
def test_a_storm_and_a_fail_over(play: Any, who: str, how: str) -> None:
    result = play(STORM.replace("FAULTS", ONE % ("a", who, how)))
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)


@pytest.mark.parametrize("offset", [0, 600])
def test_the_times_that_a_skewed_manager_writes_are_its_own(play: Any, offset: int) -> None:
    """Or the fault had hit nobody, and the runs above would show nothing."""
    fault = ONE % ("a", "beskar7-manager/*", f"offset: {offset}s, drift: 1.0e-9")
    evidence = play(STORM.replace("FAULTS", fault)).evidence
    ahead = [
        parse_rfc3339(claimed) - EPOCH - version.time
        for track in evidence.history.hosts.values()
        for before, version in track.pairs()
        if consumer_uid(version.object) and not consumer_uid(before and before.object)
        if (claimed := dig(version.object, "metadata", "annotations", "beskar7.io/claimed-at"))
    ]
    assert len(ahead) >= 4
    assert ahead == pytest.approx([offset] * len(ahead), abs=1.1)


class World:
    """Two electors, each a process of its own, and faults for their clocks."""

    def __init__(self, runtime: VirtualRuntime, *faults: dict[str, Any]) -> None:
        self.runtime = runtime
        self.store = new_store(runtime)
        self.faults = ApiFaults(runtime, self.store.forget_history)
        for number, fault in enumerate(faults):
            self.faults.add(ApiFault.from_dict({"id": f"f{number}", "kind": "clock-skew", **fault}))
        self.electors: dict[str, LeaderElector] = {}
        self.processes: dict[str, Any] = {}

    def elect(self, identity: str) -> LeaderElector:
        process = self.processes[identity] = self.runtime.group(identity)
        process.skew = lambda now: self.faults.clock_error(agent(identity), now)
        kube = InProcessKube(self.store, process, client=agent(identity))
        elector = self.electors[identity] = LeaderElector(
            process,
            kube,
            "beskar7-system",
            "lease",
            identity,
            lease_duration=LEASE,
            renew_deadline=RENEW,
            retry_period=RETRY,
        )
        elector.start()
        return elector

    def leaders(self) -> list[str]:
        return [name for name, elector in self.electors.items() if elector.is_leader()]


@pytest.mark.parametrize("ahead", ["first", "second"])
@pytest.mark.parametrize("offset", [600.0, -600.0])
def test_the_lease_is_not_judged_by_the_times_in_it(ahead: str, offset: float) -> None:
    """With a rival ahead, a lease judged so would seem long over, and with one behind, not for
    ten minutes after the holder's death."""

    def main() -> None:
        fault = {"select": {"clients": [agent(ahead)]}, "offset": offset}
        world = World(runtime, fault)
        assert world.elect("first").wait_leading(5)
        world.elect("second")
        until = runtime.now() + 300
        while runtime.now() < until:
            assert world.leaders() == ["first"]
            runtime.sleep(0.1)
        world.processes["first"].kill()
        del world.electors["first"]
        killed = runtime.now()
        assert world.electors["second"].wait_leading(60)
        assert RENEW - RETRY < runtime.now() - killed <= LEASE + RETRY

    runtime = VirtualRuntime(3)
    runtime.run(main, until=3600)


def test_a_skew_begins_ends_and_is_cleared() -> None:
    def main() -> None:
        fault = {"select": {"clients": [agent("a")]}, "offset": 5.0, "drift": 0.1}
        world = World(runtime, {**fault, "start": 10.0, "duration": 20.0})
        world.elect("a"), world.elect("b")
        errors = []
        for _ in range(4):
            runtime.sleep(10.0)
            own, other = (world.processes[name].wall() - runtime.wall() for name in "ab")
            errors.append(round(own, 6))
            assert other == 0.0
        assert errors == [5.0, 6.0, 0.0, 0.0]
        world.faults.add(ApiFault.from_dict({"id": "again", "kind": "clock-skew", "offset": -7}))
        assert world.processes["b"].wall() - runtime.wall() == -7.0
        world.faults.clear("again")
        assert world.processes["b"].wall() == runtime.wall()

    runtime = VirtualRuntime(3)
    runtime.run(main, until=3600)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("kind: clock-skew", "kind clock-skew needs an offset or a drift"),
        ("kind: clock-skew, offset: 600", "600 has no unit; write for example 600s"),
        ("kind: clock-skew, offset: 100000h", "it has to be from -87600h to 87600h"),
        ("kind: clock-skew, drift: 2", "it has to be from -0.5 to 0.5"),
        ("kind: clock-skew, offset: 1s, probability: 0.5", "neither count nor probability"),
        ("kind: clock-skew, offset: 1s, select: {kinds: [Lease]}", "selects clients only"),
        ("kind: hang, offset: 1s", "belongs to faults of kind clock-skew"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(fault: str, said: str) -> None:
    text = STORM.replace("FAULTS", f"{{id: a, target: api, {fault}}}")
    with pytest.raises(DocumentError, match=r"s\.yaml:7") as caught:
        loads(text, "s.yaml")
    assert said in str(caught.value)
