"""Client libraries that we did not write: the dynamic client, its watch, a lightkube operator."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import config, dynamic, watch
from kubernetes.client import CoreV1Api

from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.interop

API = "infrastructure.cluster.x-k8s.io/v1beta1"
PATIENCE = 20  # seconds


def host(name: str, **meta: Any) -> dict[str, Any]:
    connection = {"address": "http://127.10.0.1", "credentialsSecretRef": "bmc"}
    return {
        "apiVersion": API,
        "kind": "PhysicalHost",
        "metadata": {"name": name, "namespace": "default", **meta},
        "spec": {"redfishConnection": connection},
    }


@pytest.fixture
def official(kubectl: Any, tmp_path: Any) -> Iterator[Any]:
    untyped: Any = config
    api = untyped.new_client_from_config(str(kubectl.kubeconfig))
    yield api
    api.close()


def test_the_dynamic_client_finds_and_changes_custom_kinds(official: Any, tmp_path: Any) -> None:
    client = dynamic.DynamicClient(official, cache_file=str(tmp_path / "discovery.json"))
    hosts = client.resources.get(api_version=API, kind="PhysicalHost")
    made = hosts.create(body=host("dyn"), namespace="default")
    assert made.metadata.uid
    listed = hosts.get(namespace="default", label_selector="!nothing")
    assert "dyn" in [item.metadata.name for item in listed.items]
    patched = hosts.patch(
        body={"spec": {"tags": ["ssd"]}},
        name="dyn",
        namespace="default",
        content_type="application/merge-patch+json",
    )
    assert patched.spec.tags == ["ssd"]
    applied = hosts.server_side_apply(
        body=host("dyn", labels={"a": "b"}), namespace="default", field_manager="dyn-test"
    )
    assert applied.metadata.labels.a == "b"
    hosts.status.patch(
        body={"status": {"state": "Available"}},
        name="dyn",
        namespace="default",
        content_type="application/merge-patch+json",
    )
    seen = []
    version = listed.metadata.resourceVersion
    for event in hosts.watch(namespace="default", resource_version=version, timeout=PATIENCE):
        if event["object"].metadata.name == "dyn":
            seen.append(event["type"])
            if event["object"].status and event["object"].status.state == "Available":
                break
    assert seen == ["MODIFIED"] * 3
    hosts.delete(name="dyn", namespace="default")
    with pytest.raises(dynamic.exceptions.NotFoundError):
        hosts.get(name="dyn", namespace="default")


def test_the_official_watch_follows_a_built_in_kind(official: Any) -> None:
    core: Any = CoreV1Api(official)
    version = core.list_namespaced_config_map("default").metadata.resource_version
    core.create_namespaced_config_map("default", {"metadata": {"name": "seen"}, "data": {"a": "1"}})
    core.delete_namespaced_config_map("seen", "default")
    stream = watch.Watch()
    types = []
    for event in stream.stream(
        core.list_namespaced_config_map,
        "default",
        resource_version=version,
        timeout_seconds=PATIENCE,
        field_selector="metadata.name=seen",
    ):
        types.append(event["type"])
        if len(types) == 2:
            stream.stop()
    assert types == ["ADDED", "DELETED"]


def test_a_lightkube_operator(kubectl: Any) -> None:
    """For each host labelled so, the operator keeps a ConfigMap that the host owns."""
    if os.environ.get("CI") != "true":
        pytest.importorskip("lightkube")
    from lightkube import Client, KubeConfig
    from lightkube.generic_resource import create_namespaced_resource
    from lightkube.models.meta_v1 import ObjectMeta, OwnerReference
    from lightkube.resources.core_v1 import ConfigMap

    group, version = API.split("/")
    hosts = create_namespaced_resource(group, version, "PhysicalHost", "physicalhosts")
    client = Client(config=KubeConfig.from_file(str(kubectl.kubeconfig)), field_manager="op")
    runtime = LiveRuntime()

    def operate() -> None:
        for kind, found in client.watch(hosts, namespace="default", labels={"op": "yes"}):
            if kind == "DELETED":
                return
            owner = OwnerReference(API, "PhysicalHost", found.metadata.name, found.metadata.uid)
            client.apply(
                ConfigMap(
                    metadata=ObjectMeta(
                        name=f"of-{found.metadata.name}",
                        namespace="default",
                        ownerReferences=[owner],
                    ),
                    data={"tag": (found.spec.get("tags") or [""])[0]},
                )
            )

    operator = runtime.spawn(operate, name="operator")
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(host("lk", labels={"op": "yes"})))
    kubectl("wait", "--for=create", "configmap/of-lk", f"--timeout={PATIENCE}s")
    patch = json.dumps({"spec": {"tags": ["two"]}})
    kubectl("patch", "ph", "lk", "--type=merge", "-p", patch)
    kubectl("wait", "configmap/of-lk", "--for=jsonpath={.data.tag}=two", "--timeout=20s")
    kubectl("delete", "ph", "lk")
    assert operator.join(PATIENCE)
    assert operator.error is None
    # The garbage collector takes along what the host owned.
    kubectl("wait", "--for=delete", "configmap/of-lk", f"--timeout={PATIENCE}s")
