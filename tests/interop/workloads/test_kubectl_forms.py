"""What a scenario's kubectl commands do, by the real kubectl and by the interpreter of virtual
time: the same objects come of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import CONFIG_MAP, LEASE
from beskar7.kube.client import KubeClient
from beskar7.runtime import LiveRuntime
from emulator.deployed import manifest
from emulator.kube.workloads.objects import DEPLOYMENT
from scenarios.engine.rehearsal.kubectl_child import KubectlChild
from scenarios.engine.rehearsal.kubectl_line import read_kubectl
from scenarios.engine.rehearsal.kubectl_play import perform
from scenarios.engine.rehearsal.kubectl_waits import KubectlError

pytestmark = pytest.mark.interop

SPACE = "default"
WAYS = ("real", "interpreted")
RESTARTED = ("spec", "template", "metadata", "annotations", "kubectl.kubernetes.io/restartedAt")
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CONFIG = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "applied-WAY", "labels": {"b": "2"}},
    "data": {"y": "2"},
}


@pytest.fixture
def kube(kubectl_lab: Any) -> Iterator[KubeClient]:
    """A Deployment without pods, a ConfigMap and a Lease for each way."""
    client = KubeClient.from_kubeconfig(kubectl_lab.kubeconfig, user_agent="test")
    for way in WAYS:
        deployment = manifest(0, {"leader-elect": "true"})
        deployment["metadata"] = {"name": way, "namespace": SPACE, "labels": {"app": way}}
        client.create(DEPLOYMENT, deployment)
        data = {"a": "1", "b": "2"}
        config = {"metadata": {"name": way, "namespace": SPACE, "labels": {"old": "x"}}}
        client.create(CONFIG_MAP, {**config, "data": data})
        client.create(LEASE, {"metadata": {"name": way, "namespace": SPACE}, "spec": {}})
    yield client
    for way in WAYS:
        for kind, name in (
            (DEPLOYMENT, way),
            (CONFIG_MAP, way),
            (LEASE, way),
            (CONFIG_MAP, f"applied-{way}"),
        ):
            try:
                client.delete(kind, SPACE, name)
            except NotFound:
                continue
    client.close()


def renamed(value: Any, way: str) -> Any:
    if isinstance(value, dict):
        return {key: renamed(item, way) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, way) for item in value]
    return value.replace("WAY", way) if isinstance(value, str) else value


def plain(value: Any, way: str) -> Any:
    """Without what differs between two objects and two moments."""
    if isinstance(value, dict):
        return {key: plain(item, way) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, way) for item in value]
    return value.replace(way, "WAY") if isinstance(value, str) else value


def left(kube: KubeClient, way: str) -> dict[str, Any]:
    """What there is of one way's objects, as far as it does not depend on the moment."""
    found = {}
    for kind, name in (
        (DEPLOYMENT, way),
        (CONFIG_MAP, way),
        (LEASE, way),
        (CONFIG_MAP, f"applied-{way}"),
    ):
        try:
            obj = kube.get(kind, SPACE, name)
        except NotFound:
            continue
        for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            obj["metadata"].pop(field, None)
        obj.pop("status", None)
        annotations = obj["metadata"].get("annotations") or {}
        annotations.pop("deployment.kubernetes.io/revision", None)
        place = obj
        for part in RESTARTED[:-1]:
            place = place.get(part) or {}
        if RESTARTED[-1] in place:
            place[RESTARTED[-1]] = "then"
        if APPLIED in annotations:
            annotations[APPLIED] = json.loads(annotations[APPLIED])
        found[f"{kind}/{name.replace(way, 'WAY')}"] = obj
    told: dict[str, Any] = plain(found, way)
    return told


def do(way: str, line: str, kubectl_lab: Any, kube: KubeClient, manifests: Any = ()) -> None:
    command = read_kubectl(line.replace("WAY", way), renamed(manifests, way))
    if way == "real":
        KubectlChild(kubectl_lab.program, kubectl_lab.kubeconfig, command).run()
    else:
        perform(command.command, kube, LiveRuntime())


@pytest.mark.parametrize(
    "lines",
    [
        ['patch configmap WAY -p \'{"data":{"a":"5","b":null,"c":"3"}}\''],
        ['patch configmap WAY --type=merge -p \'{"data":{"a":"5"}}\''],
        ['patch cm/WAY --type=json -p \'[{"op":"remove","path":"/data/a"}]\''],
        [
            'patch deployment WAY -p \'{"spec":{"template":{"spec":{"containers":'
            '[{"name":"manager","args":["manager","--leader-elect=false"]}]}}}}\''
        ],
        ["scale deployment/WAY --replicas=0"],
        ["rollout restart deployment WAY", "rollout status deployment WAY --timeout=60s"],
        ["delete lease WAY"],
        ["delete lease WAY nonesuch --ignore-not-found"],
        [
            "annotate configmap WAY example.com/x=1 example.com/y=2",
            "annotate cm WAY example.com/x-",
        ],
        ["label configmap WAY old=new fresh=1 --overwrite"],
        ["set env deployment/WAY A=1 B=2", "set env deployment/WAY A- B=3"],
        ["set resources deployment WAY -c manager --limits=cpu=500m,memory=256Mi"],
        ["set resources deployment WAY --limits=memory=1Gi --requests=cpu=100m"],
    ],
)
def test_both_ways_leave_the_same(kubectl_lab: Any, kube: KubeClient, lines: list[str]) -> None:
    before = left(kube, "real")
    for line in lines:
        for way in WAYS:
            do(way, line, kubectl_lab, kube)
    assert left(kube, "real") == left(kube, "interpreted")
    if "replicas=0" not in lines[0]:
        assert left(kube, "real") != before, "the command changes something"


def test_apply_creates_and_then_changes_what_it_owns(kubectl_lab: Any, kube: KubeClient) -> None:
    first = {**CONFIG, "metadata": {"name": "applied-WAY", "labels": {"a": "1"}}}
    first = {**first, "data": {"x": "1", "y": "1"}}
    for manifests in ([first], [CONFIG]):
        for way in WAYS:
            do(way, "apply -f -", kubectl_lab, kube, manifests)
        assert left(kube, "real") == left(kube, "interpreted")
    assert kube.get(CONFIG_MAP, SPACE, "applied-real")["data"] == {"y": "2"}


@pytest.mark.parametrize(
    "line",
    [
        "patch configmap nonesuch -p '{}'",
        "delete lease nonesuch",
        "annotate configmap WAY old=1 --overwrite=false",
        "label configmap WAY old=1",
        "set env deployment/WAY -c nonesuch A=1",
        "set resources deployment/WAY -c nonesuch --limits=cpu=1",
    ],
)
def test_what_one_refuses_the_other_refuses(kubectl_lab: Any, kube: KubeClient, line: str) -> None:
    def refused(way: str) -> bool:
        try:
            do(way, line, kubectl_lab, kube)
        except KubectlError:
            return True
        return False

    assert refused("real") == refused("interpreted")
