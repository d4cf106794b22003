"""KubeClient against the emulated API server in its own process, over HTTP and TLS."""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.api.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Expired,
    Invalid,
    NotFound,
    ServiceUnavailable,
    Unauthorized,
)
from beskar7.api.kinds import CONFIG_MAP, EVENT, NAMESPACE, PHYSICAL_HOST, SECRET
from beskar7.kube.client import KubeClient, KubeconfigError
from beskar7.kube.events import EventRecorder
from beskar7.kube.port import Kube, Object
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.e2e


def config(name: str, **data: str) -> Object:
    return {"metadata": {"namespace": "default", "name": name}, "data": data}


def host(name: str) -> Object:
    return {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "redfishConnection": {
                "address": "https://127.10.0.1:8443",
                "credentialsSecretRef": "bmc",
            }
        },
    }


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """An object name of this test alone."""
    return str(request.node.originalname).replace("_", "-")


def test_it_is_the_port(kube: KubeClient) -> None:
    port: Kube = kube
    assert port.list(NAMESPACE).items


def test_objects_come_and_go(kube: KubeClient, name: str) -> None:
    created = kube.create(CONFIG_MAP, config(name, a="1"))
    assert created["metadata"]["uid"]
    assert kube.get(CONFIG_MAP, "default", name) == created
    created["data"]["b"] = "2"
    updated = kube.update(CONFIG_MAP, created)
    assert updated["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]
    merged = kube.patch(CONFIG_MAP, "default", name, {"data": {"a": None}})
    assert merged["data"] == {"b": "2"}
    patch = [{"op": "add", "path": "/data/c", "value": "3"}]
    assert kube.patch(CONFIG_MAP, "default", name, patch, type="json")["data"]["c"] == "3"
    kube.delete(CONFIG_MAP, "default", name)
    with pytest.raises(NotFound, match=name):
        kube.get(CONFIG_MAP, "default", name)


def test_a_list_has_typed_items_and_a_version(kube: KubeClient, name: str) -> None:
    obj = config(name)
    obj["metadata"]["labels"] = {"test": name}
    kube.create(CONFIG_MAP, obj)
    found = kube.list(CONFIG_MAP, label_selector=f"test={name}")
    assert [(item["kind"], item["metadata"]["name"]) for item in found.items] == [
        ("ConfigMap", name)
    ]
    assert found.resource_version.isdecimal()
    assert kube.list(CONFIG_MAP, "default", field_selector=f"metadata.name={name}").items
    assert not kube.list(CONFIG_MAP, "kube-system", label_selector=f"test={name}").items


def test_the_status_is_written_apart(kube: KubeClient, name: str) -> None:
    created = kube.create(PHYSICAL_HOST, host(name))
    created["status"] = {"state": "Available"}
    created["spec"]["bootIsoSource"] = "http://127.0.0.1/ignored.iso"
    written = kube.update_status(PHYSICAL_HOST, created)
    assert written["status"]["state"] == "Available"
    assert "bootIsoSource" not in written["spec"]
    patched = kube.patch(
        PHYSICAL_HOST, "default", name, {"status": {"ready": True}}, subresource="status"
    )
    assert patched["status"] == {"state": "Available", "ready": True}


def test_what_the_server_refuses_is_an_error_of_its_class(kube: KubeClient, name: str) -> None:
    created = kube.create(PHYSICAL_HOST, host(name))
    with pytest.raises(AlreadyExists) as already:
        kube.create(PHYSICAL_HOST, host(name))
    assert (already.value.code, already.value.reason) == (409, "AlreadyExists")
    kube.patch(PHYSICAL_HOST, "default", name, {"metadata": {"labels": {"a": "b"}}})
    with pytest.raises(Conflict) as conflict:
        kube.update(PHYSICAL_HOST, created)
    assert (conflict.value.code, conflict.value.details["name"]) == (409, name)
    with pytest.raises(Invalid, match="redfishConnection"):
        kube.create(PHYSICAL_HOST, host(f"{name}-2") | {"spec": {}})
    with pytest.raises(Conflict):
        kube.delete(PHYSICAL_HOST, "default", name, uid="another")
    with pytest.raises(Conflict):
        kube.delete(PHYSICAL_HOST, "default", name, resource_version="1")
    kube.delete(PHYSICAL_HOST, "default", name, uid=created["metadata"]["uid"])
    with pytest.raises(NotFound):
        kube.delete(PHYSICAL_HOST, "default", name)


def test_a_name_cannot_reach_another_resource(kube: KubeClient) -> None:
    with pytest.raises((NotFound, BadRequest)):
        kube.get(CONFIG_MAP, "default", "../secrets")
    with pytest.raises((NotFound, BadRequest)):
        kube.delete(CONFIG_MAP, "default", "a?propagationPolicy=Orphan")
    with pytest.raises(BadRequest, match="ConfigMap: the name of the object is empty"):
        kube.delete(CONFIG_MAP, "default", "")
    with pytest.raises(BadRequest, match="namespace is empty"):
        kube.get(SECRET, None, "a")


def test_a_wrong_token_is_unauthorized(server: Any, tmp_path: Path) -> None:
    content = yaml.safe_load(server.kubeconfig.read_text())
    content["users"][0]["user"]["token"] = "wrong"
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    client = KubeClient.from_kubeconfig(path)
    with pytest.raises(Unauthorized):
        client.list(NAMESPACE)
    with pytest.raises(Unauthorized):
        next(client.watch(NAMESPACE, resource_version="1", timeout=1))


def test_the_server_sees_the_user_agent(kube: KubeClient, server: Any, name: str) -> None:
    kube.create(CONFIG_MAP, config(name))
    token = yaml.safe_load(server.kubeconfig.read_text())["users"][0]["user"]["token"]
    request = urllib.request.Request(
        f"{server.url}/lab/writes", headers={"Authorization": f"Bearer {token}"}
    )
    authority = server.kubeconfig.with_name("ca.crt")
    context = ssl.create_default_context(cafile=authority) if authority.exists() else None
    with urllib.request.urlopen(request, context=context) as response:
        assert '"beskar7-manager/test"' in json.dumps(json.load(response))


def test_a_proxy_of_the_environment_is_not_used_for_this_machine(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert server.client().list(NAMESPACE).items


def test_many_threads_share_a_client(kube: KubeClient, name: str) -> None:
    kube.create(CONFIG_MAP, config(name))
    errors: list[Exception] = []

    def work() -> None:
        try:
            for _ in range(10):
                assert kube.get(CONFIG_MAP, "default", name)["metadata"]["name"] == name
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


def test_a_watch_tells_what_happens(kube: KubeClient, name: str) -> None:
    version = kube.list(CONFIG_MAP).resource_version
    selector = f"metadata.name={name}"
    stream = kube.watch(CONFIG_MAP, resource_version=version, timeout=30, field_selector=selector)
    with stream:
        kube.create(CONFIG_MAP, config(name, a="1"))
        kube.patch(CONFIG_MAP, "default", name, {"data": {"a": "2"}})
        kube.delete(CONFIG_MAP, "default", name)
        events = [next(stream) for _ in range(3)]
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[1].object["data"] == {"a": "2"}
    assert list(stream) == []


def test_a_watch_ends_at_its_timeout(kube: KubeClient) -> None:
    version = kube.list(CONFIG_MAP).resource_version
    start = time.monotonic()
    events = list(kube.watch(SECRET, resource_version=version, timeout=1))
    assert 0.5 < time.monotonic() - start < 3
    assert {event.type for event in events} <= {"BOOKMARK"}


def test_a_forgotten_version_is_expired(kube: KubeClient) -> None:
    with pytest.raises(Expired):
        list(kube.watch(CONFIG_MAP, resource_version="1", timeout=5))


def test_a_waiting_watch_is_closed_from_another_thread_at_once(kube: KubeClient) -> None:
    version = kube.list(SECRET).resource_version
    for _ in range(5):
        stream = kube.watch(SECRET, resource_version=version, timeout=60)
        events: list[Any] = []
        thread = threading.Thread(target=lambda s=stream, e=events: e.extend(s))
        thread.start()
        time.sleep(0.05)
        start = time.monotonic()
        stream.close()
        thread.join(5)
        assert not thread.is_alive()
        assert time.monotonic() - start < 0.5
    # The pool is not poisoned by what was cut off.
    assert kube.list(NAMESPACE).items


def test_closing_twice_or_unread_is_fine(kube: KubeClient) -> None:
    stream = kube.watch(SECRET, resource_version=kube.list(SECRET).resource_version, timeout=60)
    stream.close()
    stream.close()
    assert list(stream) == []


def test_a_server_that_dies_is_unavailable(own_server: Any) -> None:
    kube = own_server.client()
    stream = kube.watch(SECRET, resource_version=kube.list(SECRET).resource_version, timeout=60)
    killer = threading.Timer(0.2, own_server.kill)
    killer.start()
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable, match="the watch broke off"):
        list(stream)
    killer.join()
    with pytest.raises(ServiceUnavailable, match="Connection refused"):
        kube.list(SECRET)
    assert time.monotonic() - start < 5


def test_events_are_found_by_their_object(kube: KubeClient, name: str) -> None:
    created = kube.create(PHYSICAL_HOST, host(name))
    recorder = EventRecorder(kube, LiveRuntime(), "beskar7-controller", "test")
    recorder.start()
    for _ in range(5):
        recorder.event(created, "Normal", "Claimed", "by machine m1")
    assert recorder.stop(10)
    selector = f"involvedObject.name={name},reason=Claimed"
    (event,) = kube.list(EVENT, "default", field_selector=selector).items
    assert event["count"] == 5


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "No such file|not.*found|Invalid kube-config"),
        ("{", "kubeconfig"),
        ("just text", "kubeconfig"),
        ("apiVersion: v1\nkind: Config\n", "kubeconfig"),
        ("current-context: x\ncontexts: []\nclusters: []\nusers: []\n", "kubeconfig"),
    ],
)
def test_an_unusable_kubeconfig_is_one_clear_line(
    content: str | None, text: str, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    with pytest.raises(KubeconfigError, match=text) as caught:
        KubeClient.from_kubeconfig(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_outside_of_a_cluster_there_is_no_service_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(KubeconfigError, match="not in a cluster"):
        KubeClient.in_cluster()
