"""The official Python client against the real process: every verb, four kinds of objects."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException, NotFoundException

pytestmark = pytest.mark.e2e

GROUP, VERSION, PLURAL = "infrastructure.cluster.x-k8s.io", "v1beta1", "physicalhosts"
AT = (GROUP, VERSION, "default", PLURAL)


def host(name: str, rack: str = "r1") -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "PhysicalHost",
        "metadata": {"name": name, "labels": {"rack": rack, "test": name}},
        "spec": {
            "redfishConnection": {"address": "http://127.10.0.1", "credentialsSecretRef": "b"}
        },
    }


@pytest.fixture
def name(request: pytest.FixtureRequest, custom: Any) -> Any:
    """A host's name of this test's own; the host is deleted afterwards."""
    own = "h-" + request.node.name.replace("_", "-").lower()[:50].rstrip("-")
    yield own
    with suppress(NotFoundException):
        custom.delete_namespaced_custom_object(*AT, own)


def test_the_life_of_a_custom_object(custom: Any, name: str) -> None:
    made = custom.create_namespaced_custom_object(*AT, host(name))
    with pytest.raises(ApiException) as exists:
        custom.create_namespaced_custom_object(*AT, host(name))
    assert exists.value.status == 409
    assert '"AlreadyExists"' in str(exists.value.body)

    stale = dict(made, spec={**made["spec"], "tags": ["b"]})
    made["spec"]["tags"] = ["a"]
    updated = custom.replace_namespaced_custom_object(*AT, name, made)
    assert updated["metadata"]["generation"] == 2
    with pytest.raises(ApiException) as conflict:
        custom.replace_namespaced_custom_object(*AT, name, stale)
    assert conflict.value.status == 409
    assert '"Conflict"' in str(conflict.value.body)

    updated["status"] = {"state": "Available", "ready": True}
    with_status = custom.replace_namespaced_custom_object_status(*AT, name, updated)
    assert with_status["status"]["state"] == "Available"
    merged = custom.patch_namespaced_custom_object(
        *AT, name, {"metadata": {"labels": {"rack": None}}}
    )
    assert merged["metadata"]["labels"] == {"test": name}
    patched = custom.patch_namespaced_custom_object(
        *AT,
        name,
        [{"op": "replace", "path": "/spec/tags/0", "value": "c"}],
        _content_type="application/json-patch+json",
    )
    assert patched["spec"]["tags"] == ["c"]
    custom.patch_namespaced_custom_object_status(*AT, name, {"status": {"state": "Claimed"}})
    assert custom.get_namespaced_custom_object(*AT, name)["status"]["state"] == "Claimed"
    listed = custom.list_cluster_custom_object(
        GROUP, VERSION, PLURAL, label_selector=f"test={name}"
    )
    assert [item["metadata"]["name"] for item in listed["items"]] == [name]
    custom.delete_namespaced_custom_object(*AT, name)
    with pytest.raises(ApiException) as absent:
        custom.get_namespaced_custom_object(*AT, name)
    assert absent.value.status == 404


def test_a_watch_sees_every_change_after_its_list(custom: Any, name: str) -> None:
    listed = custom.list_namespaced_custom_object(*AT)
    version = listed["metadata"]["resourceVersion"]

    def write() -> None:
        custom.create_namespaced_custom_object(*AT, host(name))
        for rack in ("r2", "r1"):
            custom.patch_namespaced_custom_object(
                *AT, name, {"metadata": {"labels": {"rack": rack}}}
            )
        custom.delete_namespaced_custom_object(*AT, name)

    writer = threading.Thread(target=write)
    writer.start()
    untyped: Any = watch
    watcher = untyped.Watch()
    seen = []
    for event in watcher.stream(
        custom.list_namespaced_custom_object,
        *AT,
        resource_version=version,
        label_selector=f"rack=r1,test={name}",
        timeout_seconds=20,
    ):
        seen.append((event["type"], event["object"]["metadata"]["labels"]["rack"]))
        if len(seen) == 4:
            watcher.stop()
    writer.join()
    assert seen == [("ADDED", "r1"), ("DELETED", "r1"), ("ADDED", "r1"), ("DELETED", "r1")]


def test_finalizers_hold_until_they_are_taken_off(custom: Any, name: str) -> None:
    held = host(name)
    held["metadata"]["finalizers"] = [f"physicalhost.{GROUP}"]
    custom.create_namespaced_custom_object(*AT, held)
    going = custom.delete_namespaced_custom_object(*AT, name)
    assert going["metadata"]["deletionTimestamp"]
    custom.patch_namespaced_custom_object(*AT, name, {"metadata": {"finalizers": []}})
    with pytest.raises(ApiException) as absent:
        custom.get_namespaced_custom_object(*AT, name)
    assert absent.value.status == 404


def test_validation_names_the_field(custom: Any, name: str) -> None:
    bad = host(name)
    bad["spec"]["redfishConnection"]["address"] = "ftp://x"
    with pytest.raises(ApiException) as invalid:
        custom.create_namespaced_custom_object(*AT, bad)
    assert invalid.value.status == 422
    assert "spec.redfishConnection.address" in str(invalid.value.body)


def test_secrets(core: Any) -> None:
    body = client.V1Secret(
        metadata=client.V1ObjectMeta(name="bmc-e2e"), string_data={"username": "admin"}
    )
    made = core.create_namespaced_secret("default", body)
    assert (made.data, made.type) == ({"username": "YWRtaW4="}, "Opaque")
    made.data["password"] = "cHc="
    assert core.replace_namespaced_secret("bmc-e2e", "default", made).data["password"] == "cHc="
    core.patch_namespaced_secret("bmc-e2e", "default", {"data": {"password": None}})
    assert core.read_namespaced_secret("bmc-e2e", "default").data == {"username": "YWRtaW4="}
    core.delete_namespaced_secret("bmc-e2e", "default")
    assert core.list_namespaced_secret("default").items == []


def test_a_lease_changes_hands_by_conditional_update(api: Any) -> None:
    leases: Any = client.CoordinationV1Api(api)
    now = datetime.now(UTC)
    spec = client.V1LeaseSpec(
        holder_identity="mgr-1",
        lease_duration_seconds=15,
        acquire_time=now,
        renew_time=now,
        lease_transitions=0,
    )
    lease = client.V1Lease(metadata=client.V1ObjectMeta(name="e2e-leader"), spec=spec)
    first = leases.create_namespaced_lease("kube-system", lease)
    assert first.spec.renew_time == now
    second = leases.read_namespaced_lease("e2e-leader", "kube-system")
    first.spec.holder_identity = "mgr-2"
    taken = leases.replace_namespaced_lease("e2e-leader", "kube-system", first)
    assert taken.spec.holder_identity == "mgr-2"
    second.spec.holder_identity = "mgr-3"
    with pytest.raises(ApiException) as conflict:
        leases.replace_namespaced_lease("e2e-leader", "kube-system", second)
    assert conflict.value.status == 409
    leases.delete_namespaced_lease("e2e-leader", "kube-system")


def test_events_are_found_by_what_they_are_about(core: Any) -> None:
    for number, kind in enumerate(("Warning", "Normal")):
        core.create_namespaced_event(
            "default",
            client.CoreV1Event(
                metadata=client.V1ObjectMeta(name=f"e2e-{number}"),
                involved_object=client.V1ObjectReference(
                    kind="PhysicalHost", name="e2e-host", namespace="default"
                ),
                type=kind,
                reason="ClaimConflict",
                message="lost the race",
                last_timestamp=datetime.now(UTC),
            ),
        )
    found = core.list_event_for_all_namespaces(
        field_selector="involvedObject.name=e2e-host,type=Warning"
    )
    assert [event.metadata.name for event in found.items] == ["e2e-0"]
    core.delete_collection_namespaced_event("default")
    assert core.list_namespaced_event("default").items == []


def test_config_maps_and_namespaces(core: Any) -> None:
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name="e2e")))
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="beskar7-config"), data={"a": "1"})
    core.create_namespaced_config_map("e2e", body)
    core.patch_namespaced_config_map("beskar7-config", "e2e", {"data": {"b": "2"}})
    assert core.read_namespaced_config_map("beskar7-config", "e2e").data == {"a": "1", "b": "2"}
    core.delete_namespace("e2e")
    names = [item.metadata.name for item in core.list_namespace().items]
    assert names == ["beskar7-system", "default", "kube-system"]
    assert core.list_config_map_for_all_namespaces().items == []


def test_the_agent_reaches_the_write_log(server: Any, custom: Any, name: str) -> None:
    custom.create_namespaced_custom_object(*AT, host(name))
    session = server.session
    writes = session.get(f"{server.url}/lab/writes").json()["writes"]
    session.close()
    (record,) = [w for w in writes if w["name"] == name]
    assert record["client"] == "beskar7-manager/e2e"
