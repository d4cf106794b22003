"""The HTTP face: authentication, bad input, discovery, the write log. Never a 500."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
import requests

from beskar7.runtime import LiveRuntime
from emulator.kube.api.server import Api, Serving
from emulator.kube.world import furnish

pytestmark = pytest.mark.e2e

HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"


def typed(subtype: str) -> dict[str, str]:
    return {"Content-Type": f"application/{subtype}"}


JSON = typed("json")
DEFAULT = "/api/v1/namespaces/default"
MERGE = typed("merge-patch+json")


@pytest.fixture
def http(server: Any) -> Iterator[requests.Session]:
    session = server.session
    yield session
    session.close()


def host(name: str, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "PhysicalHost",
        "metadata": {"name": name, **meta},
        "spec": {
            "redfishConnection": {"address": "http://127.10.0.1", "credentialsSecretRef": "b"}
        },
    }


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer wrong", "Basic YTpi", "bearer", "Bearer \xff"]
)
def test_without_the_token_nothing_is_served(
    server: Any, http: requests.Session, authorization: str | None
) -> None:
    headers = {"Authorization": authorization}
    for path in ("/api", "/api/v1/secrets", "/lab/writes", "/metrics", "/nowhere", "/openapi/v3"):
        answer = http.get(server.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["reason"] == "Unauthorized"
        assert "WWW-Authenticate" in answer.headers


def test_health_and_version_are_open(server: Any, http: requests.Session) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert http.get(server.url + path, headers={"Authorization": None}).status_code == 200
    assert http.get(server.url + "/metrics").text == ""


BAD: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/", {}, 200),
    ("GET", "/nowhere", {}, 404),
    ("GET", "/api/v2", {}, 404),
    ("GET", "/api/v1/absents", {}, 404),
    ("GET", "/apis/absent.io/v1/things", {}, 404),
    ("GET", HOSTS + "/absent", {}, 404),
    ("GET", HOSTS + "/a/absent", {}, 404),
    ("GET", HOSTS + "/a/b/c", {}, 404),
    ("GET", HOSTS + "/", {}, 404),
    ("GET", "/api/v1/namespaces//configmaps", {}, 404),
    ("GET", "/api/v1/configmaps/no-namespace", {}, 404),
    ("GET", HOSTS + "?labelSelector=a+in", {}, 400),
    ("GET", HOSTS + "?fieldSelector=spec.x%3D1", {}, 400),
    ("GET", HOSTS + "?limit=many", {}, 400),
    ("GET", HOSTS + "?watch=perhaps", {}, 400),
    ("GET", HOSTS + "?watch=1&timeoutSeconds=-1", {}, 400),
    ("GET", HOSTS + "?watch=1&resourceVersion=abc", {}, 400),
    ("GET", HOSTS + "?resourceVersion=abc", {}, 400),
    ("GET", HOSTS + "?resourceVersion=9999999999999999999", {}, 504),
    ("GET", HOSTS + "?resourceVersion=5&resourceVersionMatch=Exact", {}, 410),
    ("GET", HOSTS + "?continue=xyz", {}, 400),
    ("GET", HOSTS + "?watch=1&sendInitialEvents=true", {}, 422),
    ("GET", HOSTS + "?watch=1&resourceVersionMatch=NotOlderThan", {}, 422),
    ("GET", HOSTS + "?" + "&".join(f"a{n}=1" for n in range(200)), {}, 400),
    ("GET", HOSTS, {"headers": {"Accept": "application/vnd.kubernetes.protobuf"}}, 406),
    ("GET", HOSTS, {"headers": {"Accept": ";;;,,="}}, 406),
    ("GET", "/lab/writes?after=x", {}, 400),
    ("GET", "/lab/writes?limit=0", {}, 400),
    ("POST", "/version", {"data": "{}"}, 405),
    ("POST", "/lab/writes", {"data": "{}"}, 405),
    ("PUT", HOSTS, {"data": "{}"}, 405),
    ("POST", HOSTS + "/a", {"data": "{}"}, 405),
    ("DELETE", "/api/v1/namespaces/default/status", {}, 405),
    ("OPTIONS", HOSTS, {}, 405),
    ("POST", HOSTS, {"data": "{", "headers": JSON}, 400),
    ("POST", HOSTS, {"data": b"\xff\xfe", "headers": JSON}, 400),
    ("POST", HOSTS, {"data": "", "headers": JSON}, 400),
    ("POST", HOSTS, {"data": "[]", "headers": JSON}, 400),
    ("POST", HOSTS, {"data": "[" * 5000, "headers": JSON}, 400),
    ("POST", HOSTS, {"data": '{"a":' * 120 + "1" + "}" * 120, "headers": JSON}, 400),
    ("POST", HOSTS, {"data": "a: [", "headers": typed("yaml")}, 400),
    ("POST", HOSTS, {"data": "a: !!set {b}", "headers": typed("yaml")}, 400),
    ("POST", HOSTS, {"data": "x", "headers": {"Content-Type": "text/plain"}}, 415),
    ("POST", HOSTS, {"data": b"k8s\0\xff", "headers": typed("vnd.kubernetes.protobuf")}, 400),
    ("POST", HOSTS, {"json": {"kind": "PhysicalHost"}}, 400),
    ("POST", HOSTS, {"json": host("Upper")}, 422),
    ("POST", HOSTS, {"json": host("x", namespace="kube-system")}, 400),
    ("POST", HOSTS + "?dryRun=Some", {"json": host("x")}, 400),
    ("POST", HOSTS + "?fieldValidation=Harsh", {"json": host("x")}, 400),
    ("POST", HOSTS + "?fieldValidation=Strict", {"json": {**host("x"), "extra": 1}}, 400),
    ("POST", HOSTS.replace("default", "absent"), {"json": host("x")}, 404),
    ("POST", HOSTS.replace("namespaces/default/", ""), {"json": host("x")}, 405),
    ("PUT", HOSTS + "/absent", {"json": host("absent", resourceVersion="1")}, 404),
    ("PUT", HOSTS + "/a", {"json": host("b", resourceVersion="1")}, 404),
    ("PUT", HOSTS + "/a", {"json": {"metadata": 5}}, 400),
    ("PATCH", HOSTS + "/absent", {"json": {}, "headers": MERGE}, 404),
    ("PATCH", HOSTS + "/absent", {"json": {}, "headers": typed("json")}, 415),
    ("PATCH", DEFAULT, {"data": "a: 1", "headers": typed("apply-patch+yaml")}, 422),
    ("PATCH", DEFAULT, {"json": 5, "headers": MERGE}, 400),
    ("PATCH", DEFAULT, {"json": [5], "headers": typed("json-patch+json")}, 400),
    ("DELETE", HOSTS + "/absent", {}, 404),
    ("DELETE", HOSTS + "/absent", {"json": []}, 400),
    ("DELETE", HOSTS + "/absent", {"json": {"preconditions": 5}}, 400),
    ("DELETE", HOSTS + "/absent", {"json": {"preconditions": {"uid": 5}}}, 400),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "extra", "code"), BAD)
def test_bad_input_is_told_as_a_status(
    server: Any, http: requests.Session, method: str, path: str, extra: dict[str, Any], code: int
) -> None:
    answer = http.request(method, server.url + path, **extra)
    assert answer.status_code == code, answer.text
    if code >= 400:
        status = answer.json()
        assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", code)
        assert status["message"]
        assert status["reason"]


def test_a_body_is_bounded(server: Any, http: requests.Session) -> None:
    big = b'{"a":"' + b"x" * (4 * 1024 * 1024) + b'"}'
    for data in (big, iter([big])):  # with a length, and in chunks
        try:
            answer = http.post(server.url + HOSTS, data=data, headers=JSON)
        except requests.ConnectionError:
            continue  # refused while it was still being sent
        assert answer.status_code == 413
        assert answer.json()["reason"] == "RequestEntityTooLarge"


def test_what_is_not_http_does_not_disturb(server: Any, http: requests.Session) -> None:
    name, port = server.url.rpartition("/")[2].split(":")
    context = ssl.create_default_context(cafile=str(server.directory / "ca.crt"))
    for garbage in (b"\0" * 100, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nA\r\n\r\n"):
        with socket.create_connection((name, int(port)), timeout=10) as raw:
            tls = context.wrap_socket(raw, server_hostname="127.0.0.1")
            tls.sendall(garbage)
            tls.shutdown(socket.SHUT_WR)
            tls.close()
    with socket.create_connection((name, int(port)), timeout=10) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\n\r\n")  # plain text to a TLS port
    assert http.get(server.url + "/healthz").text == "ok"


def test_unknown_fields_are_warned_of(server: Any, http: requests.Session) -> None:
    sent = host("warned")
    sent["spec"]["t\u00fcg\n"] = 1
    answer = http.post(server.url + HOSTS, json=sent)
    assert answer.status_code == 201
    unknown = '299 - "unknown field \\"spec.t?g?\\"", '
    assert answer.headers["Warning"].startswith(unknown)  # and one of the absent Secret
    assert http.delete(server.url + HOSTS + "/warned").json()["status"] == "Success"


def test_discovery_in_both_forms(server: Any, http: requests.Session) -> None:
    legacy = http.get(server.url + "/apis/infrastructure.cluster.x-k8s.io/v1beta1").json()
    names = {resource["name"]: resource for resource in legacy["resources"]}
    assert names["physicalhosts"]["shortNames"] == ["ph"]
    assert {"physicalhosts/status", "beskar7machinetemplates"} <= names.keys()
    assert "beskar7machinetemplates/status" not in names
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = http.get(server.url + "/apis", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == accept
    groups = {item["metadata"]["name"] for item in answer.json()["items"]}
    assert groups >= {
        "apiextensions.k8s.io",
        "coordination.k8s.io",
        "infrastructure.cluster.x-k8s.io",
    }
    assert http.get(server.url + "/api").json()["versions"] == ["v1"]
    group = http.get(server.url + "/apis/coordination.k8s.io").json()
    assert group["preferredVersion"]["groupVersion"] == "coordination.k8s.io/v1"


def test_openapi_names_field_validation_on_every_patch(server: Any, http: requests.Session) -> None:
    index = http.get(server.url + "/openapi/v3").json()["paths"]
    assert "apis/infrastructure.cluster.x-k8s.io/v1beta1" in index
    for entry in index.values():
        document = http.get(server.url + entry["serverRelativeURL"]).json()
        served = [operation for path in document["paths"].values() for operation in path.values()]
        patches = [path["patch"] for path in document["paths"].values() if "patch" in path]
        updates = [each for each in served if each["x-kubernetes-action"] == "put"]
        assert served
        assert len(patches) == len(updates)
        for patch in patches:
            assert patch["x-kubernetes-group-version-kind"]["kind"]
            assert "fieldValidation" in {each["name"] for each in patch["parameters"]}
    protobuf = {"Accept": "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"}
    assert http.get(server.url + "/openapi/v2", headers=protobuf).content == b""
    whole = http.get(server.url + "/openapi/v2").json()["definitions"]
    assert whole["io.k8s.api.apps.v1.Deployment"]["properties"]["spec"]


def test_delete_collection_by_selector(server: Any, http: requests.Session) -> None:
    for name, rack in (("d1", "r1"), ("d2", "r2"), ("d3", "r1")):
        made = http.post(server.url + HOSTS, json=host(name, labels={"rack": rack}))
        assert made.status_code == 201
    answer = http.delete(server.url + HOSTS, params={"labelSelector": "rack=r1"}).json()
    assert [item["metadata"]["name"] for item in answer["items"]] == ["d1", "d3"]
    left = http.get(server.url + HOSTS, params={"labelSelector": "rack"}).json()["items"]
    assert [item["metadata"]["name"] for item in left] == ["d2"]
    http.delete(server.url + HOSTS + "/d2")


def watch_lines(http: requests.Session, url: str, **query: Any) -> list[dict[str, Any]]:
    """All events of a watch that ends by its own timeout."""
    answer = http.get(url, params={"watch": "true", **query}, stream=True, timeout=30)
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.iter_lines()]


def test_a_version_too_old_is_an_event_in_a_good_answer(
    server: Any, http: requests.Session
) -> None:
    (event,) = watch_lines(http, server.url + HOSTS, resourceVersion="1")
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")


def test_initial_events_end_with_their_bookmark(server: Any, http: requests.Session) -> None:
    http.post(server.url + HOSTS, json=host("initial"))
    events = watch_lines(
        http,
        server.url + HOSTS,
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        timeoutSeconds=1,
    )
    http.delete(server.url + HOSTS + "/initial")
    assert [event["type"] for event in events] == ["ADDED", "BOOKMARK", "BOOKMARK"]
    first, last = events[1]["object"], events[2]["object"]
    assert first["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert first["kind"] == "PhysicalHost"
    assert "annotations" not in last["metadata"]  # the one before the end of every watch
    assert last["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_the_write_log_tells_who_did_what(server: Any, http: requests.Session) -> None:
    last = http.get(server.url + "/lab/writes", params={"limit": 1}).json()["last"]
    while (page := http.get(server.url + "/lab/writes", params={"after": last}).json())["writes"]:
        last = page["last"]
    http.post(server.url + HOSTS, json=host("logged"))
    http.post(server.url + HOSTS, json=host("logged"))
    http.delete(server.url + HOSTS + "/logged")
    page = http.get(server.url + "/lab/writes", params={"after": last}).json()
    assert [(w["client"], w["verb"], w["outcome"]) for w in page["writes"]] == [
        ("e2e/1", "create", "ok"),
        ("e2e/1", "create", "AlreadyExists"),
        ("e2e/1", "delete", "ok"),
    ]
    assert page["last"] == last + 3
    assert page["dropped"] == 0


def test_one_of_many_conditional_writers_wins(server: Any, http: requests.Session) -> None:
    made = http.post(server.url + HOSTS, json=host("raced")).json()
    outcomes: list[int] = []
    ready = threading.Barrier(8)

    def claim(number: int) -> None:
        mine = json.loads(json.dumps(made))
        mine["spec"]["consumerRef"] = {
            "apiVersion": mine["apiVersion"],
            "kind": "Beskar7Machine",
            "namespace": "default",
            "name": f"m{number}",
        }
        session = server.session
        session.get(server.url + "/healthz")
        ready.wait(timeout=20)
        outcomes.append(session.put(server.url + HOSTS + "/raced", json=mine).status_code)
        session.close()

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    http.delete(server.url + HOSTS + "/raced")
    assert sorted(outcomes) == [200] + [409] * 7


def test_a_watch_ends_when_its_client_goes_away() -> None:
    async def main() -> None:
        store, collector = furnish(LiveRuntime(seed=1), crds=[])
        api = Api(store, collector, token="t")
        headers = {"Authorization": "Bearer t"}
        async with (
            Serving(api) as serving,
            aiohttp.ClientSession(headers=headers) as client,
            asyncio.timeout(20),
        ):
            watch = await client.get(f"{serving.url}/api/v1/configmaps?watch=1")
            assert store.history.watching == 1
            watch.close()
            while store.history.watching:
                await asyncio.sleep(0.01)

    asyncio.run(main())
