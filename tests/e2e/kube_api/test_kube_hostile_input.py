"""Malformed input: a proper Status, never a 500, and others served meanwhile.

``BESKAR7_FUZZ_SECONDS`` (default 2) is how long the fuzz test runs.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.e2e

log = logging.getLogger(__name__)
LEAST = 10
"""Requests that are sent even when the time was over before: none would show nothing."""
SECONDS = float(os.environ.get("BESKAR7_FUZZ_SECONDS", "2"))
CORE = "/api/v1/namespaces/default"
HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MEGABYTE = 1024 * 1024
APPLY = {"Content-Type": "application/apply-patch+yaml"}
JSON = {"Content-Type": "application/json"}
YAML = {"Content-Type": "application/yaml"}
STRATEGIC = {"Content-Type": "application/strategic-merge-patch+json"}
MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(12)
)


@pytest.fixture
def http(server: Any) -> requests.Session:
    return server.session  # type: ignore[no-any-return]  # the fixture's class is not importable


def check(answer: requests.Response, code: int, reason: str) -> None:
    status = answer.json()
    assert (answer.status_code, status["reason"]) == (code, reason), answer.text
    assert status["kind"] == "Status"
    assert status["status"] == "Failure"
    assert status["code"] == code
    assert status["message"]


CASES: list[tuple[str, str, dict[str, Any], int, str]] = [
    ("POST", f"{CORE}/configmaps", {"data": "{", "headers": JSON}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": b"\xff\xfe", "headers": JSON}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": "[" * 100_000, "headers": JSON}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": "a: [", "headers": YAML}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": "[" * 50_000, "headers": YAML}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": BOMB, "headers": YAML}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": "&a [*a]", "headers": YAML}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": "!!python/name:os.system x", "headers": YAML}, 400,
     "BadRequest"),
    ("POST", f"{CORE}/configmaps", {"data": b"x" * (10 * MEGABYTE), "headers": JSON}, 413,
     "RequestEntityTooLarge"),
    ("POST", f"{CORE}/configmaps", {"data": "a: b\n" * 200_000, "headers": YAML}, 413,
     "RequestEntityTooLarge"),
    ("POST", f"{CORE}/configmaps", {"data": "x", "headers": {"Content-Type": "text/html"}}, 415,
     "UnsupportedMediaType"),
    ("PATCH", f"{CORE}/configmaps/x", {"data": "x", "headers": {"Content-Type": "a/b"}}, 415,
     "UnsupportedMediaType"),
    ("PATCH", f"{HOSTS}/x", {"data": "{}", "headers": STRATEGIC}, 404, "NotFound"),
    ("PATCH", f"{CORE}/configmaps/x", {"data": "{}", "headers": APPLY}, 422, "Invalid"),
    ("PATCH", f"{CORE}/configmaps/x?fieldManager=a", {"data": "[]", "headers": APPLY}, 400,
     "BadRequest"),
    ("PATCH", f"{CORE}/configmaps/x?fieldManager=a", {"data": "a: [", "headers": APPLY}, 400,
     "BadRequest"),
    ("PATCH", f"{CORE}/configmaps/x?force=true", {"data": "{}", "headers": MERGE}, 422,
     "Invalid"),
    ("PATCH", f"{CORE}/configmaps/x?fieldManager={'m' * 200}", {"data": "{}", "headers": MERGE},
     422, "Invalid"),
    ("POST", f"{CORE}/configmaps?dryRun=Some", {"json": {}}, 400, "BadRequest"),
    ("POST", f"{CORE}/configmaps?fieldValidation=Hard", {"json": {}}, 400, "BadRequest"),
    ("GET", f"{CORE}/configmaps?labelSelector=a%20in", {}, 400, "BadRequest"),
    ("GET", f"{CORE}/configmaps?labelSelector=%3D%3D", {}, 400, "BadRequest"),
    ("GET", f"{CORE}/configmaps?fieldSelector=spec.a%3D1", {}, 400, "BadRequest"),
    ("GET", f"{CORE}/nothings", {}, 404, "NotFound"),
    ("GET", "/apis/no.such.group/v1/things", {}, 404, "NotFound"),
    ("GET", f"{CORE}/configmaps/a/b/c/d", {}, 404, "NotFound"),
    ("GET", "/api/v1/namespaces//configmaps", {}, 404, "NotFound"),
    ("TRACE", f"{CORE}/configmaps", {}, 405, "MethodNotAllowed"),
    ("DELETE", f"{CORE}/configmaps/x", {"json": {"propagationPolicy": "Sideways"}}, 400,
     "BadRequest"),
    ("DELETE", f"{CORE}/configmaps/x", {"json": {"gracePeriodSeconds": "x"}}, 400, "BadRequest"),
    ("DELETE", f"{CORE}/configmaps/x",
     {"json": {"orphanDependents": True, "propagationPolicy": "Orphan"}}, 400, "BadRequest"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "extra", "code", "reason"), CASES)
def test_a_proper_status(
    server: Any,
    http: requests.Session,
    method: str,
    path: str,
    extra: dict[str, Any],
    code: int,
    reason: str,
) -> None:
    start = time.monotonic()
    try:
        answer = http.request(method, server.url + path, timeout=10, **extra)
    except requests.ConnectionError:
        # The server may hang up on a body that it has refused, before the answer is read.
        assert code == 413
    else:
        check(answer, code, reason)
    assert time.monotonic() - start < 5
    assert http.get(server.url + "/readyz", timeout=2).status_code == 200


def connect(server: Any) -> ssl.SSLSocket:
    at = urlsplit(server.url)
    context = ssl.create_default_context(cafile=str(Path(server.directory) / "ca.crt"))
    raw = socket.create_connection((at.hostname or "", at.port or 0), timeout=5)
    return context.wrap_socket(raw, server_hostname=at.hostname)


def test_slow_clients_keep_nobody_waiting(server: Any, http: requests.Session) -> None:
    """Two hundred connections that drip a head or a body, as the attack Slowloris does."""
    length = f"Content-Length: {MEGABYTE}\r\nContent-Type: application/json\r\n"
    body = f"POST {CORE}/configmaps HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n"
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(server)) for _ in range(200)]
        for number, each in enumerate(slow):
            each.sendall(b"GET /ver" if number % 2 else f"{body}{length}\r\n{{".encode())
        taken = []
        for _ in range(50):
            start = time.monotonic()
            assert http.get(f"{server.url}{CORE}/configmaps", timeout=5).status_code == 200
            taken.append(time.monotonic() - start)
            for each in slow[:10]:
                with contextlib.suppress(OSError):
                    each.sendall(b"x")
        assert sorted(taken)[25] < 0.5


@pytest.mark.parametrize("body", ["json", "yaml", "apply"])
@pytest.mark.parametrize("validation", ["Ignore", "Warn", "Strict"])
def test_field_validation_of_every_body(
    server: Any, http: requests.Session, body: str, validation: str
) -> None:
    """Unknown fields and fields that are there twice."""
    name = f"v-{body}-{validation}".lower()
    path = f"{server.url}{CORE}/configmaps"
    query = {"fieldValidation": validation, "fieldManager": "m"}
    start = f'"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}'
    text = f'{{{start},"data":{{"a":"1","a":"2"}},"extra":1}}'
    if body == "yaml":
        meta = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"
        text = meta + 'data: {a: "1", a: "2"}\nextra: 1\n'
        answer = http.post(path, params=query, data=text, headers=YAML)
    elif body == "json":
        answer = http.post(path, params=query, data=text, headers=JSON)
    else:
        answer = http.patch(f"{path}/{name}", params=query, data=text, headers=APPLY)
    said = ['duplicate field "data.a"', 'unknown field "extra"']
    if validation == "Strict":
        check(answer, 400, "BadRequest")
        assert all(words in answer.json()["message"] for words in said)
    else:
        assert answer.status_code == 201, answer.text
        assert answer.json()["data"] == {"a": "2"}
        warnings = answer.headers.get("Warning", "").replace("\\", "")
        assert all((words in warnings) is (validation == "Warn") for words in said)


def test_a_dry_run_of_every_verb_leaves_no_trace(server: Any, http: requests.Session) -> None:
    path = f"{server.url}{CORE}/configmaps"
    dry = {"dryRun": "All", "fieldManager": "m"}
    sent = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "dry"},
        "data": {"a": "1"},
    }
    assert http.post(path, params=dry, json=sent).status_code == 201
    tried = http.patch(f"{path}/dry", params=dry, data=json.dumps(sent), headers=APPLY)
    assert tried.status_code == 201
    assert http.get(f"{path}/dry").status_code == 404
    made = http.post(path, json=sent).json()
    changed = {**made, "data": {"a": "2"}}
    assert http.put(f"{path}/dry", params=dry, json=changed).json()["data"] == {"a": "2"}
    part = json.dumps({"data": {"a": "3"}})
    for headers in (MERGE, STRATEGIC):
        told = http.patch(f"{path}/dry", params=dry, data=part, headers=headers).json()
        assert told["data"] == {"a": "3"}
        assert told["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    replace = json.dumps([{"op": "replace", "path": "/data/a", "value": "4"}])
    assert http.patch(f"{path}/dry", params=dry, data=replace, headers=JSON_PATCH).ok
    forced = {**dry, "force": "true"}
    part = json.dumps({**sent, "data": {"a": "5"}})
    assert http.patch(f"{path}/dry", params=forced, data=part, headers=APPLY).ok
    for policy in ("Background", "Foreground", "Orphan"):
        options = {"propagationPolicy": policy, "dryRun": ["All"]}
        assert http.delete(f"{path}/dry", json=options).ok
        assert http.delete(f"{path}/dry", params={**dry, "propagationPolicy": policy}).ok
    assert http.delete(path, params={**dry, "labelSelector": "!x"}).ok
    assert http.get(f"{path}/dry").json() == made
    assert http.delete(f"{path}/dry").ok


def test_a_dry_run_of_a_namespace_deletion(server: Any, http: requests.Session) -> None:
    assert http.delete(f"{server.url}{CORE}", params={"dryRun": "All"}).ok
    assert http.get(f"{server.url}{CORE}").json()["status"]["phase"] == "Active"


TEXT = st.one_of(
    st.sampled_from(["", "a", "x", "default", "..", "%00", "a=b", "a in (b)", "!a", "a,", "=="]),
    st.text(max_size=8),
)
VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
META = st.fixed_dictionaries(
    {},
    optional={
        key: st.one_of(VALUE, st.just([{"uid": "u", "kind": "K", "name": "n", "apiVersion": "v1"}]))
        for key in (
            "name", "labels", "annotations", "finalizers", "ownerReferences", "managedFields",
            "resourceVersion", "generateName", "deletionTimestamp", "uid", "generation",
        )
    },
)  # fmt: skip
OBJECT = st.fixed_dictionaries(
    {},
    optional={
        "apiVersion": st.one_of(st.sampled_from(["v1", "apps/v1"]), VALUE),
        "kind": st.one_of(st.sampled_from(["ConfigMap", "Deployment", "DeleteOptions"]), VALUE),
        "metadata": st.one_of(META, VALUE),
        "data": VALUE,
        "spec": st.one_of(
            VALUE,
            st.fixed_dictionaries({}, optional={"template": VALUE, "selector": VALUE}),
            st.fixed_dictionaries({"template": st.fixed_dictionaries({"spec": VALUE})}),
            st.fixed_dictionaries(
                {
                    "template": st.fixed_dictionaries(
                        {"spec": st.fixed_dictionaries({"containers": st.lists(VALUE, max_size=3)})}
                    )
                }
            ),
        ),
        "status": VALUE,
        "$patch": TEXT,
        "$retainKeys": VALUE,
        "$setElementOrder/finalizers": VALUE,
        "propagationPolicy": VALUE,
        "preconditions": VALUE,
        "gracePeriodSeconds": VALUE,
        "dryRun": VALUE,
    },
)
OPERATION = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": st.sampled_from(
            ["", "/", "/metadata", "/metadata/labels", "/data", "/data/a", "/spec/x/-", "/kind"]
        ),
        "from": st.sampled_from(["", "/metadata", "/data"]),
        "value": VALUE,
    },
)
BODY = st.one_of(
    st.binary(max_size=30),
    OBJECT.map(lambda found: json.dumps(found).encode()),
    st.lists(OPERATION, max_size=4).map(lambda found: json.dumps(found).encode()),
    st.text(max_size=30).map(lambda found: found.encode("utf-8", "replace")),
)
QUERY = st.dictionaries(
    st.sampled_from(
        [
            "labelSelector", "fieldSelector", "limit", "continue", "resourceVersion",
            "resourceVersionMatch", "dryRun", "fieldValidation", "fieldManager", "force",
            "propagationPolicy", "gracePeriodSeconds", "orphanDependents", "includeObject",
            "pretty", "sendInitialEvents",
        ]
    ),
    st.one_of(TEXT, st.sampled_from(["All", "true", "1", "Strict", "Warn", "Exact", "Orphan"])),
    max_size=3,
)  # fmt: skip
PATH = st.one_of(
    st.builds(
        lambda root, name: root + name,
        st.sampled_from([f"{CORE}/configmaps", f"{CORE}/secrets", f"{CORE}/pods", HOSTS, CORE,
                         f"{CORE}/services", f"{CORE}/events", DEPLOYMENTS, "/api", "/apis", ""]),
        st.one_of(
            st.sampled_from(["", "/x", "/x/status", "/x/scale", "/x/y", "/", "//"]),
            TEXT.map(lambda name: "/" + quote(name, safe="%/")),
        ),
    ),
    TEXT.map(lambda path: "/" + quote(path, safe="%/")),
)  # fmt: skip
TYPE = st.sampled_from(
    [
        "", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
        "application/merge-patch+json", "application/json-patch+json", "text/plain; x",
        "application/strategic-merge-patch+json", "application/apply-patch+yaml",
    ]
)  # fmt: skip
METHOD = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"])
ACCEPT = st.sampled_from(["", "*/*", "text/html", "application/json;as=Table;v=v1;g=meta.k8s.io"])
WILD = st.tuples(METHOD, PATH, QUERY, BODY, TYPE, ACCEPT)

# Requests that come further than the door: objects that nearly are what they should be.
KINDS = [
    (f"{CORE}/configmaps", "v1", "ConfigMap"),
    (f"{CORE}/secrets", "v1", "Secret"),
    (f"{CORE}/pods", "v1", "Pod"),
    (f"{CORE}/services", "v1", "Service"),
    (DEPLOYMENTS, "apps/v1", "Deployment"),
    (HOSTS, "infrastructure.cluster.x-k8s.io/v1beta1", "PhysicalHost"),
]
PATCHES = ["merge-patch+json", "strategic-merge-patch+json", "json-patch+json", "apply-patch+yaml"]


@st.composite
def plausible(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes, str, str]:
    path, version, kind = draw(st.sampled_from(KINDS))
    obj: Any = draw(OBJECT)
    if draw(st.integers(0, 9)):
        meta = obj.get("metadata")
        meta = {**meta, "name": "x"} if isinstance(meta, dict) else {"name": "x"}
        obj |= {"apiVersion": version, "kind": kind, "metadata": meta}
    item = f"{path}/x{draw(st.sampled_from(['', '', '', '/status']))}"
    query = draw(QUERY) if draw(st.booleans()) else {}
    method = draw(st.sampled_from(["POST", "PUT", "PATCH", "PATCH", "PATCH", "DELETE", "GET"]))
    media = "json"
    body: Any = obj
    if method == "PATCH":
        media = draw(st.sampled_from(PATCHES))
        body = draw(st.lists(OPERATION, max_size=4)) if media.startswith("json-") else obj
        if media.startswith("apply"):
            query = {**query, "fieldManager": draw(st.sampled_from(["a", "b"])), "force": "true"}
        elif not media.startswith("json-") and draw(st.booleans()):
            body = {key: obj[key] for key in obj if key not in ("apiVersion", "kind", "metadata")}
    where = path if method in ("POST", "GET") else item
    encoded = b"" if method == "GET" else json.dumps(body).encode()
    return method, where, query, encoded, f"application/{media}", draw(ACCEPT)


def minimal(version: str, kind: str) -> dict[str, Any]:
    """The least that is taken, so that there is something to change."""
    labels = {"app": "x"}
    pod = {"containers": [{"name": "c", "image": "i"}]}
    specs: dict[str, Any] = {
        "Deployment": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
        "Pod": pod,
        "Service": {"ports": [{"port": 80}]},
        "PhysicalHost": {"redfishConnection": {"address": "http://a", "credentialsSecretRef": "b"}},
    }
    spec = {"spec": specs[kind]} if kind in specs else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}, **spec}


def test_fuzz(server: Any) -> None:
    """Whatever is sent, no answer says that the server has failed."""
    end = time.monotonic() + SECONDS
    sent = 0
    codes: dict[int, int] = {}
    http = server.session

    @settings(
        max_examples=200,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(WILD, plausible(), plausible(), plausible()))
    def send(request: tuple[str, str, dict[str, str], bytes, str, str]) -> None:
        nonlocal sent
        method, path, query, body, kind, accept = request
        if sent > LEAST and time.monotonic() > end:
            return
        headers = {"Content-Type": kind, "Accept": accept}
        answer = http.request(
            method, server.url + path, params=query, data=body, headers=headers, timeout=10
        )
        sent += 1
        codes[answer.status_code] = codes.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, (method, path, query, body, kind, answer.text)
        if answer.status_code >= 400 and method != "HEAD":
            status = answer.json()
            assert status["kind"] == "Status"
            assert status["code"] == answer.status_code
            assert status["reason"]

    while sent <= LEAST or time.monotonic() < end:
        for path, version, named in KINDS:
            http.post(server.url + path, json=minimal(version, named), timeout=10)
        send()
    log.info("%d requests in %g s: %s", sent, SECONDS, dict(sorted(codes.items())))
    assert sent > 5 * SECONDS  # a busy machine sends few; none would show nothing
    assert http.get(f"{server.url}/readyz", timeout=5).status_code == 200


test_fuzz = pytest.mark.timeout(SECONDS + 120)(test_fuzz)
