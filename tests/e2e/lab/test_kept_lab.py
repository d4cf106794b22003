"""A lab with --data-dir goes on where the one before ended; and a scenario's faults of its API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, PHYSICAL_HOST
from beskar7.kube.client import KubeClient
from scenarios.engine.expand import machine
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load
from scenarios.engine.world import WorldError

pytestmark = pytest.mark.e2e

SCENARIO = ["world.hosts.count=2"]


def kept(directory: Path) -> LiveWorld:
    return LiveWorld(
        load("smoke", SCENARIO), seed=1, directory=directory, deployed=True, data_dir=directory
    )


def test_the_next_lab_goes_on(tmp_path: Path, waiter_on: Any) -> None:
    first = kept(tmp_path)
    try:
        first.start()
        for name in ("host-001", "host-002"):
            waiter_on(first.kube).until(PHYSICAL_HOST, name, state("Available"))
        first.kube.create(BESKAR7_MACHINE, machine(load("smoke").load, 1))
        made = waiter_on(first.kube).until(BESKAR7_MACHINE, "machine-001", provisioned)
        change = {"data": {"provisioning.workerCount": "7"}}
        first.kube.patch(CONFIG_MAP, "beskar7-system", "beskar7-config", change)
        old = KubeClient.from_kubeconfig(first.lab.kubeconfig, user_agent="kubectl/old")
    finally:
        first.stop()
    second = kept(tmp_path)
    try:
        second.start()
        # By the client that loaded its kubeconfig from the lab before.
        found = old.get(BESKAR7_MACHINE, "default", "machine-001")
        assert found["metadata"]["uid"] == made["metadata"]["uid"]
        config = old.get(CONFIG_MAP, "beskar7-system", "beskar7-config")
        assert config["data"]["provisioning.workerCount"] == "7"
        for name, address in second.lab.addresses.items():
            host = old.get(PHYSICAL_HOST, "default", name)
            assert host["spec"]["redfishConnection"]["address"] == address
        old.create(BESKAR7_MACHINE, machine(load("smoke").load, 2))
        waiter_on(second.kube).until(BESKAR7_MACHINE, "machine-002", provisioned)
    finally:
        second.stop()


def test_a_scenarios_fault_reaches_the_api(world: LiveWorld) -> None:
    manager = KubeClient.from_kubeconfig(world.lab.kubeconfig, user_agent="beskar7-manager/test")
    fault = {
        "id": "a",
        "target": "api",
        "kind": "error",
        "status": 503,
        "select": {"clients": ["beskar7-manager/test"]},
    }
    world.add_fault(fault)
    world.add_fault({"id": "b", "kind": "reset", "select": {"hosts": ["host-001"]}})
    with pytest.raises(ServiceUnavailable):
        manager.list(PHYSICAL_HOST)
    assert world.kube.list(PHYSICAL_HOST).items
    with pytest.raises(WorldError, match=r"fault a: .*in force already"):
        world.add_fault(fault)
    world.clear_faults("a")
    manager.list(PHYSICAL_HOST)
    assert [entry["id"] for entry in world.lab.fleet.faults()] == ["b"]
    world.add_fault(fault)
    world.clear_faults(None)
    assert world.lab.fleet.faults() == world.lab.api.faults() == []


def state(wanted: str) -> Any:
    return lambda obj: obj.get("status", {}).get("state") == wanted


def provisioned(obj: dict[str, Any]) -> bool:
    return obj.get("status", {}).get("phase") == "Provisioned"
