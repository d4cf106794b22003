"""Installations as doctor reads them, made by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from beskar7.api.errors import Forbidden, NotFound, ServiceUnavailable
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CONFIG_MAP,
    DEPLOYMENT,
    LEASE,
    PHYSICAL_HOST,
    POD,
)
from beskar7.api.meta import rfc3339, rfc3339_micro
from beskar7.api.objects import ObjectList
from beskar7.manifests.objects import deployment
from beskar7.operations.cluster import Profile, Usage
from beskar7.operations.doctor.snapshot import Snapshot, Window
from beskar7.operations.series import Managers, Series

NOW = 1_800_000_000.0
SYSTEM = "beskar7-system"
IMAGE = "beskar7/manager:1"
LEADER = "manager-a"


def pod(name: str, **changes: Any) -> dict[str, Any]:
    """Its manager stands behind a proxy, as under kube-rbac-proxy."""
    status = {
        "name": "manager",
        "ready": changes.pop("ready", True),
        "restartCount": changes.pop("restarts", 0),
        "state": changes.pop("state", {"running": {"startedAt": rfc3339(NOW - 9000)}}),
        "lastState": changes.pop("last", {}),
    }
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    proxy = {"name": "kube-rbac-proxy", "image": "proxy:1", "args": ["--leader-elect=false"]}
    image = changes.pop("image", IMAGE)
    assert not changes
    return {
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": {
            "containers": [proxy, {"name": "manager", "image": image, "resources": limits}],
        },
        "status": {
            "conditions": [{"type": "Ready", "status": "True" if status["ready"] else "False"}],
            "containerStatuses": [
                {"name": "kube-rbac-proxy", "ready": True, "restartCount": 7, "state": {}},
                status,
            ],
        },
    }


def managers(**texts: str) -> Managers:
    """By the managers' names, with underscores for dashes."""
    return Managers({name.replace("_", "-"): Series.of(text) for name, text in texts.items()})


def host(name: str, state: str | None = "Available", **changes: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"stateSince": rfc3339(NOW - changes.pop("age", 60))}
    if state is not None:
        status["state"] = state
    for name_of in ("errorMessage", "conditions", "hardwareDetails"):
        if name_of in changes:
            status[name_of] = changes.pop(name_of)
    metadata = {"name": name, "namespace": changes.pop("namespace", "default"), "uid": f"h-{name}"}
    for name_of in ("annotations", "labels"):
        if name_of in changes:
            metadata[name_of] = changes.pop(name_of)
    spec = {"redfishConnection": {"address": f"https://{name}", "credentialsSecretRef": "bmc"}}
    return {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": metadata,
        "spec": {**spec, **changes},
        "status": status,
    }


def machine(name: str, phase: str | None = None, reason: str = "", **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {} if phase is None else {"phase": phase}
    at = rfc3339(NOW - more.pop("age", 60))
    if reason:
        condition = {"type": "InfrastructureReady", "status": "False", "reason": reason}
        status["conditions"] = [{**condition, "lastTransitionTime": at}]
    for name_of in ("hostRef", "failureReason", "failureMessage"):
        if name_of in more:
            status[name_of] = more.pop(name_of)
    metadata = {"name": name, "namespace": more.pop("namespace", "default"), "uid": f"m-{name}"}
    if "deletionTimestamp" in more:
        metadata["deletionTimestamp"] = more.pop("deletionTimestamp")
    return {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": BESKAR7_MACHINE.kind,
        "metadata": {**metadata, "creationTimestamp": at},
        "spec": {"imageURL": "http://images/a.iso", "osFamily": "kairos", **more},
        "status": status,
    }


def event(reason: str, kind: str = "PhysicalHost", **more: Any) -> dict[str, Any]:
    ours = kind in ("PhysicalHost", "Beskar7Machine", "Beskar7Cluster")
    last = rfc3339(NOW - more.pop("ago", 30))
    return {
        "metadata": {"name": f"{reason}.1", "namespace": more.get("namespace", "default")},
        "type": "Warning",
        "reason": reason,
        "message": more.pop("message", "it happened"),
        "count": more.pop("count", 1),
        "firstTimestamp": more.pop("first", last),
        "lastTimestamp": last,
        "involvedObject": {
            "apiVersion": PHYSICAL_HOST.api_version if ours else "v1",
            "kind": kind,
            "namespace": more.pop("namespace", "default"),
            "name": more.pop("name", "host-1"),
        },
    }


def lease(holder: str, age: float = 1.0, transitions: int = 0) -> dict[str, Any]:
    return {
        "metadata": {"name": "lease", "namespace": SYSTEM},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 15,
            "renewTime": rfc3339_micro(NOW - age),
            "leaseTransitions": transitions,
        },
    }


def deployed(replicas: int = 2, ready: int = 2, **flags: str) -> dict[str, Any]:
    args = {name.replace("_", "-"): value for name, value in flags.items()}
    obj = deployment(IMAGE, replicas, args)
    obj["status"] = {"readyReplicas": ready}
    return obj


QUIET = """\
# HELP beskar7_provisioning_queue_length Writing BMC operations that wait
# TYPE beskar7_provisioning_queue_length gauge
beskar7_provisioning_queue_length{namespace="default"} 0
# HELP beskar7_provisioning_queue_capacity How many may wait
# TYPE beskar7_provisioning_queue_capacity gauge
beskar7_provisioning_queue_capacity 50
# TYPE beskar7_configuration_valid gauge
beskar7_configuration_valid 1
"""


def leads(identity: str, value: int) -> str:
    return f'# TYPE beskar7_leader gauge\nbeskar7_leader{{identity="{identity}"}} {value}\n'


@pytest.fixture
def make() -> SimpleNamespace:
    """The makers above, and ``healthy()``: two managers, two hosts, one machine on a host."""
    names = (pod, managers, host, machine, event, lease, deployed, leads, cluster)
    return SimpleNamespace(
        now=NOW,
        system=SYSTEM,
        quiet=QUIET,
        healthy=healthy,
        **{each.__name__: each for each in names},
    )


def healthy() -> Snapshot:
    owner = {"consumerRef": {"kind": "Beskar7Machine", "name": "m1", "uid": "m-m1"}}
    return Snapshot(
        at=NOW,
        namespace=SYSTEM,
        deployment=deployed(),
        pods=[pod("manager-a"), pod("manager-b")],
        leases={"beskar7-controller-manager": lease(LEADER)},
        config_map={"data": {"provisioning.workerCount": "8"}},
        hosts=[host("host-1", "Provisioned", **owner), host("host-2")],
        machines=[machine("m1", "Provisioned", hostRef={"name": "host-1"})],
        managers=managers(manager_a=QUIET + leads(LEADER, 1), manager_b=leads("manager-b", 0)),
        window=Window(Managers(), 5.0),
        logs={"manager-a": ["2027-01-15T08:00:00Z INFO    term: the leader is here"]},
        usage={"manager-a": Usage(0.1, 2**26), "manager-b": Usage(0.0, 2**26)},
    )


@dataclass
class FakeKube:
    """Lists and gets what it holds; ``refused`` kinds are forbidden; it may be ``down``."""

    held: Mapping[Any, Sequence[dict[str, Any]]]
    refused: tuple[Any, ...] = ()
    asked: list[tuple[str, Any, str | None, dict[str, str]]] = field(default_factory=list)
    down: bool = False

    def _answer(self, verb: str, kind: Any, namespace: str | None, more: dict[str, str]) -> None:
        self.asked.append((verb, kind, namespace, more))
        if self.down:
            raise ServiceUnavailable("connection refused")
        if kind in self.refused:
            raise Forbidden(f"may not {verb} {kind}")

    def get(self, kind: Any, namespace: str | None, name: str) -> dict[str, Any]:
        self._answer("get", kind, namespace, {"name": name})
        for obj in self.held.get(kind, ()):
            if obj["metadata"]["name"] == name:
                return obj
        raise NotFound(name)

    def list(self, kind: Any, namespace: str | None = None, **selectors: str) -> ObjectList:
        self._answer("list", kind, namespace, selectors)
        return ObjectList(list(self.held.get(kind, ())), "1")


@dataclass
class FakeCluster:
    kube: Any
    texts: Mapping[str, str]
    now: float
    namespace: str = "beskar7-system"

    @property
    def runtime(self) -> Any:
        return SimpleNamespace(wall=lambda: self.now, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def metrics(self) -> Mapping[str, str]:
        return self.texts

    def logs(self, seconds: float) -> Mapping[str, Sequence[str]]:
        return {}

    def usage(self) -> Mapping[str, Usage] | None:
        return None

    def profiles(self) -> Mapping[str, Profile]:
        return {}


def cluster(*refused: Any, **texts: str) -> FakeCluster:
    whole = healthy()
    held = {
        DEPLOYMENT: [whole.deployment],
        POD: whole.pods,
        LEASE: [{**lease, "metadata": {"name": name}} for name, lease in whole.leases.items()],
        PHYSICAL_HOST: whole.hosts,
        BESKAR7_MACHINE: whole.machines,
        CONFIG_MAP: [{"metadata": {"name": "beskar7-config"}, **whole.config_map}],
    }
    said = {"manager-a": QUIET + leads(LEADER, 1)}
    said["manager-b"] = leads("manager-b", 0)
    said |= {
        name.replace("_", "-"): said[name.replace("_", "-")] + more for name, more in texts.items()
    }
    return FakeCluster(FakeKube(held, refused), said, NOW)
