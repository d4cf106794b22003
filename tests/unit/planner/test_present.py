"""What a cluster shows becomes the scenario to plan for."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, Kind
from beskar7.api.meta import rfc3339
from beskar7.api.objects import ObjectList
from scenarios.engine.loader import build
from scenarios.planner.present import (
    History,
    Present,
    PresentError,
    document,
    of_cluster,
    told,
    with_history,
)

pytestmark = pytest.mark.unit

NOW = 1_800_000_000.0
CONFIG = {"provisioning.workerCount": "7"}


class Kube:
    """What is read of an API server: hosts, machines, and two objects by name."""

    def __init__(self, hosts: list[Any], machines: list[Any], **named: Any) -> None:
        self._listed = {PHYSICAL_HOST: hosts, BESKAR7_MACHINE: machines}
        self._named = named

    def list(self, kind: Kind) -> ObjectList:
        return ObjectList(self._listed[kind], "1")

    def get(self, kind: Kind, namespace: str, name: str) -> Mapping[str, Any]:
        assert namespace == "beskar7-system"
        found = self._named.get(kind.kind)
        if found is None:
            raise NotFound(f"{kind.kind} {name}")
        return found


def host(number: int, vendor: str, state: str = "Available", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"h{number}",
            "namespace": "default",
            "labels": {
                "topology.kubernetes.io/zone": f"rack-{number % 3}",
                "disk": spec.pop("disk", "hdd"),
            },
        },
        "spec": spec,
        "status": {"state": state, "hardwareDetails": {"manufacturer": vendor, "cpuCores": 64}},
    }


def machine(number: int, at: float, ready: float | None = None, **wish: Any) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if ready is not None:
        condition = {"type": "InfrastructureReady", "status": "True"}
        status["conditions"] = [{**condition, "lastTransitionTime": rfc3339(NOW + at + ready)}]
    metadata = {"name": f"m{number}", "namespace": "default"}
    return {
        "metadata": {**metadata, "creationTimestamp": rfc3339(NOW + at)},
        "spec": {"hostRequirements": wish} if wish else {},
        "status": status,
    }


def cluster(hosts: list[Any], machines: list[Any], **named: Any) -> Any:
    return SimpleNamespace(kube=Kube(hosts, machines, **named), namespace="beskar7-system")


FLEET = [host(n, "Dell Inc.") for n in range(6)] + [host(n, "HPE") for n in range(6, 9)]
BURST = [machine(n, 10.0 * n, 100.0 + n) for n in range(8)] + [machine(99, 90_000.0, 500.0)]


def test_a_cluster_becomes_a_scenario() -> None:
    args = ["--leader-elect-lease-duration=20s", "--metrics-bind-address=0.0.0.0:8080"]
    manager = _deployment(3, args)
    broken = [host(20, "Dell Inc.", "Error")]
    found = of_cluster(
        cluster([*FLEET, *broken], BURST, ConfigMap={"data": CONFIG}, Deployment=manager)
    )
    scenario = build(document(found, None, {}))
    assert scenario.world.hosts.count == 9
    assert scenario.world.hosts.vendors == {"dell": 6.0, "hpe": 3.0}
    assert scenario.world.hosts.racks == 3
    assert scenario.world.hosts.groups == ()
    assert scenario.world.config == {"provisioning.workerCount": "7"}
    assert scenario.world.managers.replicas == 3
    assert scenario.world.managers.args == {"leader-elect-lease-duration": "20s"}
    # The busiest hour: eight machines within 70 s.
    assert scenario.load.machines == 8
    assert scenario.load.arrivals.process == "poisson"
    assert scenario.load.arrivals.rate == pytest.approx(8 / 70.0, rel=1e-3)
    assert found.history.quartile == 102.0
    said = " ".join(told(found))
    assert "1 hosts in Error" in said
    assert "refuse" not in said


@pytest.mark.parametrize("bad", [{"unknown.key": "1"}, {"provisioning.maxQueueSize": "0"}])
def test_of_a_configuration_that_is_refused_nothing_is_in_force(bad: dict[str, str]) -> None:
    found = of_cluster(cluster(FLEET, BURST, ConfigMap={"data": {**CONFIG, **bad}}))
    assert build(document(found, None, {})).world.config == {}
    said = " ".join(told(found))
    assert "refuse ConfigMap beskar7-config, so defaults count" in said
    assert next(iter(bad)) in said


def test_flags_make_a_configuration_right_or_are_wrong_themselves() -> None:
    config = {"data": {"leaderElection.renewDeadline": "20s"}}
    longer = _deployment(2, ["--leader-elect-lease-duration=30s"])
    found = of_cluster(cluster(FLEET, BURST, ConfigMap=config, Deployment=longer))
    assert build(document(found, None, {})).world.config == config["data"]
    with pytest.raises(PresentError, match=r"beskar7-controller-manager: .*lease-duration"):
        of_cluster(
            cluster(FLEET, BURST, Deployment=_deployment(2, ["--leader-elect-lease-duration=x"]))
        )


def _deployment(replicas: int, args: list[str]) -> dict[str, Any]:
    manager = {"name": "manager", "image": "image:1", "args": ["manager", *args]}
    return {"spec": {"replicas": replicas, "template": {"spec": {"containers": [manager]}}}}


def test_more_machines_get_the_hosts_that_are_free() -> None:
    owned = host(30, "HPE", "Provisioned", consumerRef={"kind": "Beskar7Machine", "name": "m"})
    found = of_cluster(cluster([*FLEET, owned], BURST), more=True)
    scenario = build(document(found, 5, {"arrivals": "batch"}))
    assert (scenario.world.hosts.count, scenario.load.machines) == (9, 5)
    assert scenario.load.arrivals.process == "batch"
    assert "they stay in use" in " ".join(found.notes)


def test_hosts_are_told_apart_by_what_machines_ask_for() -> None:
    hosts = [host(n, "HPE", disk="ssd" if n < 2 else "hdd") for n in range(6)]
    machines = [machine(1, 0.0, requiredLabels={"disk": "ssd"}), machine(2, 0.0), machine(3, 0.0)]
    scenario = build(document(of_cluster(cluster(hosts, machines)), None, {}))
    assert {group.labels["disk"]: group.count for group in scenario.world.hosts.groups} == {
        "ssd": 2,
        "hdd": 4,
    }
    wishes = {variant.weight: variant.requirements for variant in scenario.load.mix}
    assert wishes[1].required_labels == {"disk": "ssd"}
    assert wishes[2].required_labels == {}
    plain = build(document(of_cluster(cluster(hosts, [machine(1, 0.0)])), None, {}))
    assert plain.world.hosts.groups == ()


def test_a_longer_history_wins_and_options_win_over_it() -> None:
    found = with_history(
        of_cluster(cluster(FLEET, BURST)), History((40, 3600.0), 250.0, 7200.0, "Prometheus")
    )
    scenario = build(document(found, None, {}))
    assert scenario.load.machines == 40
    assert scenario.load.lifetime is not None
    assert scenario.load.lifetime.mean == 7200.0
    chosen = build(document(found, 12, {"arrivals": {"constant": 2.0}, "lifetime": None}))
    assert (chosen.load.machines, chosen.load.arrivals.rate) == (12, 2.0)
    assert chosen.load.lifetime is None


def test_nothing_is_no_plan() -> None:
    with pytest.raises(PresentError, match="no PhysicalHost"):
        of_cluster(cluster([host(1, "HPE", "Error")], []))
    with pytest.raises(PresentError, match="--machines"):
        document(Present({"count": 1, "vendors": {"hpe": 1}}, {}, {}), None, {})
