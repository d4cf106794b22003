"""doctor on an installation in virtual time: the same code, the same findings, run after run."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, DEPLOYMENT, PHYSICAL_HOST, SECRET
from beskar7.config import CONFIG_MAP_NAME
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.capacity import capacity
from beskar7.operations.doctor.diagnosis import Diagnosis
from beskar7.operations.doctor.gather import counters
from beskar7.operations.doctor.judging import diagnose
from scenarios.engine.expand import CREDENTIALS_SECRET, machine
from scenarios.engine.loader import loads
from scenarios.engine.virtual import VirtualWorld, run_virtual

pytestmark = pytest.mark.sim

WORLD = """
name: doctor
world:
  hosts: {count: 4, vendors: {dell: 1, hpe: 1}, racks: 2, scale: {boot: 0.02, latency: 1}}
  managers:
    replicas: 2
    deployed: true
    args:
      leader-elect-lease-duration: 4s
      leader-elect-renew-deadline: 3s
      leader-elect-retry-period: 500ms
  config: {provisioning.workerCount: 8}
load: {machines: 1}
"""


def play(body: Callable[[VirtualWorld], Any], seed: int = 1) -> Any:
    def run(world: VirtualWorld) -> Any:
        world.start()
        try:
            states(world, "Available")
            return body(world)
        finally:
            world.stop()

    return run_virtual(loads(WORLD), seed, run)


def until(world: VirtualWorld, holds: Callable[[], bool], seconds: float = 300.0) -> None:
    end = world.runtime.now() + seconds
    while not holds():
        assert world.runtime.now() < end, "it did not come to that"
        world.runtime.sleep(0.5)


def states(world: VirtualWorld, *wanted: str) -> None:
    def holds() -> bool:
        hosts = world.kube.list(PHYSICAL_HOST).items
        return all((host.get("status") or {}).get("state") in wanted for host in hosts)

    until(world, holds)


def found(world: VirtualWorld, id: str) -> Diagnosis:
    seen: list[Diagnosis] = []

    def holds() -> bool:
        seen.append(diagnose(world.cluster()))
        return seen[-1].has(id)

    until(world, holds)
    return seen[-1]


def configure(world: VirtualWorld, value: str | None) -> None:
    patch = {"data": {"provisioning.maxConcurrentOps": value}}
    world.kube.patch(CONFIG_MAP, NAMESPACE, CONFIG_MAP_NAME, patch)


def test_a_world_that_is_well_has_no_finding_and_one_seed_gives_one_diagnosis() -> None:
    def body(world: VirtualWorld) -> str:
        diagnosis = diagnose(world.cluster(), window=5.0)
        assert diagnosis.findings == (), diagnosis.to_json()
        assert diagnosis.window == "5s"
        return json.dumps(diagnosis.to_json())

    assert play(body) == play(body)


def test_a_drained_queue_is_found_and_over_when_it_runs_again() -> None:
    def body(world: VirtualWorld) -> None:
        configure(world, "0")
        world.kube.create(BESKAR7_MACHINE, machine(loads(WORLD).load, 1))
        assert not found(world, "queue-drained").healthy
        configure(world, None)
        until(world, lambda: diagnose(world.cluster()).healthy)
        states(world, "Available", "Provisioned")
        demands = capacity(world.cluster()).demands
        assert demands == []

    play(body)


def test_refused_credentials_are_told_by_host() -> None:
    def body(world: VirtualWorld) -> None:
        patch = {"data": {"password": base64.b64encode(b"wrong").decode()}}
        world.kube.patch(SECRET, "default", CREDENTIALS_SECRET, patch)
        states(world, "Error")
        finding = next(
            each for each in found(world, "hosts-in-error").findings if each.id == "hosts-in-error"
        )
        assert finding.message == "4 hosts in Error: 4 RedfishCredentialsRefused"
        assert len(finding.about) == 4

    play(body)


def test_a_shortage_is_told_by_doctor_and_by_capacity() -> None:
    def body(world: VirtualWorld) -> None:
        for number in range(1, 7):
            world.kube.create(BESKAR7_MACHINE, machine(loads(WORLD).load, number))
        until(world, lambda: capacity(world.cluster()).pool.used == 4)
        assert found(world, "host-shortage")
        report = capacity(world.cluster())
        assert (report.pool.use, report.pool.available) == (1.0, 0)
        assert [(each.machines, each.fitting, each.free) for each in report.demands] == [(2, 4, 0)]
        assert "namespace default is short of 2 hosts: add 3, at most 5 at a time" in (
            report.recommendations
        )
        assert sorted(report.groups["zone"]) == ["rack-1", "rack-2"]

    play(body)


def test_managers_that_cannot_start_and_a_lease_that_nobody_renews() -> None:
    def body(world: VirtualWorld) -> None:
        before = counters(world.cluster())
        deployment = world.kube.get(DEPLOYMENT, NAMESPACE, NAME)
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        container["args"].append("--max-concurrent-reconcile=5")
        world.kube.update(DEPLOYMENT, deployment)
        world.kill_manager("leader")
        diagnosis = found(world, "manager-crashing")
        assert diagnosis.has("flags-refused")
        assert diagnosis.has("manager-restarted")
        # A manager that began anew has counted from 0: nothing is negative.
        window = diagnose(world.cluster(), before=before)
        claims = next(section.facts for section in window.sections if section.name == "claims")
        assert (claims["tries"], claims["conflicts"]) == (0, 0)
        world.kube.patch(DEPLOYMENT, NAMESPACE, NAME, {"spec": {"replicas": 0}})
        last = found(world, "no-leader")
        assert last.has("scaled-to-zero")
        leads = next(section for section in last.sections if section.name == "leadership")
        assert leads.severity.word == "critical"

    play(body)
