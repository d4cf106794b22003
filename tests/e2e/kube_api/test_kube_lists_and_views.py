"""Over HTTP: pages of lists, scale, the two faces of Events, health."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from emulator.kube.api.pagination import NOW, encode_token

pytestmark = pytest.mark.e2e

DEFAULT = "/api/v1/namespaces/default"
MACHINES = "/apis/cluster.x-k8s.io/v1beta1/namespaces/default/machinedeployments"
MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}


@pytest.fixture
def http(server: Any) -> Iterator[requests.Session]:
    session = server.session
    yield session
    session.close()


def test_a_list_comes_in_pages(server: Any, http: requests.Session) -> None:
    url = f"{server.url}{DEFAULT}/configmaps"
    for index in range(5):
        meta = {"name": f"page-{index}", "labels": {"paged": "yes"}}
        assert http.post(url, json={"metadata": meta}).status_code == 201
    query = {"labelSelector": "paged=yes", "limit": "2"}
    first = http.get(url, params=query).json()
    assert http.delete(f"{url}/page-3").status_code == 200
    query["continue"] = first["metadata"]["continue"]
    second = http.get(url, params=query).json()
    query["continue"] = second["metadata"]["continue"]
    third = http.get(url, params=query, headers=TABLE).json()
    assert [item["metadata"]["name"] for item in second["items"]] == ["page-2", "page-3"]
    assert [row["cells"][0] for row in third["rows"]] == ["page-4"]
    versions = {each["metadata"]["resourceVersion"] for each in (first, second, third)}
    assert len(versions) == 1
    assert "continue" not in third["metadata"]
    exact = {"resourceVersion": versions.pop(), "resourceVersionMatch": "Exact", "limit": "1"}
    shown = http.get(url, params=exact).json()
    assert shown["metadata"]["remainingItemCount"] >= 4
    refused = http.get(url, params={"continue": "x"})
    assert (refused.status_code, refused.json()["reason"]) == (400, "BadRequest")


def test_a_collection_is_deleted_only_in_a_namespace(server: Any, http: requests.Session) -> None:
    answer = http.delete(f"{server.url}/api/v1/configmaps")
    assert (answer.status_code, answer.json()["reason"]) == (405, "MethodNotAllowed")


def machine_deployment(name: str) -> dict[str, Any]:
    spec = {"clusterName": "c", "bootstrap": {}, "infrastructureRef": {"kind": "Beskar7Machine"}}
    return {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "MachineDeployment",
        "metadata": {"name": name},
        "spec": {
            "clusterName": "c",
            "replicas": 3,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec},
        },
    }


def test_scale_of_a_custom_kind(server: Any, http: requests.Session) -> None:
    url = server.url + MACHINES
    made = http.post(url, json=machine_deployment("workers")).json()
    scale = http.get(f"{url}/workers/scale").json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"]["replicas"] == 3
    scale["spec"]["replicas"] = 5
    assert http.put(f"{url}/workers/scale", json=scale).json()["spec"]["replicas"] == 5
    stale = http.put(f"{url}/workers/scale", json=scale)
    assert (stale.status_code, stale.json()["reason"]) == (409, "Conflict")
    patched = http.patch(f"{url}/workers/scale", json={"spec": {"replicas": 0}}, headers=MERGE)
    assert patched.json()["spec"] == {"replicas": 0}
    now = http.get(f"{url}/workers").json()
    assert now["spec"]["replicas"] == 0
    assert now["metadata"]["generation"] == made["metadata"]["generation"] + 2
    dry = {"dryRun": "All"}
    http.patch(f"{url}/workers/scale", params=dry, json={"spec": {"replicas": 9}}, headers=MERGE)
    assert http.get(f"{url}/workers").json()["spec"]["replicas"] == 0
    for method, body, code in (
        ("patch", {"spec": {"replicas": -1}}, 422),
        ("patch", {"metadata": {"uid": "other"}}, 409),
        ("put", [], 400),
        ("delete", None, 405),
        ("post", {}, 405),
    ):
        headers = MERGE if method == "patch" else {}
        refused = http.request(method, f"{url}/workers/scale", json=body, headers=headers)
        assert refused.status_code == code, (method, body)
    assert http.get(f"{url}/absent/scale").status_code == 404
    # A kind without a scale has none.
    assert http.get(f"{server.url}{DEFAULT}/configmaps/x/scale").status_code == 404


def test_an_event_by_either_name(server: Any, http: requests.Session) -> None:
    old = f"{server.url}{DEFAULT}/events"
    new = f"{server.url}/apis/events.k8s.io/v1/namespaces/default/events"
    about = {"kind": "PhysicalHost", "name": "two-faced", "namespace": "default"}
    version = http.get(new).json()["metadata"]["resourceVersion"]
    event = {"metadata": {"name": "e"}, "involvedObject": about, "message": "m", "type": "Normal"}
    made = http.post(old, json=event).json()
    shown = http.get(f"{new}/e").json()
    assert shown["metadata"] == made["metadata"]
    assert shown["apiVersion"] == "events.k8s.io/v1"
    assert (shown["regarding"], shown["note"]) == (about, "m")
    selected = http.get(new, params={"fieldSelector": "regarding.name=two-faced"}).json()
    assert selected["kind"] == "EventList"
    assert [each["note"] for each in selected["items"]] == ["m"]
    assert http.get(new, params={"fieldSelector": "involvedObject.name=x"}).status_code == 400
    patched = http.patch(f"{new}/e", json={"note": "n"}, headers=MERGE).json()
    assert patched["note"] == "n"
    with http.get(new, params={"watch": "1", "resourceVersion": version}, stream=True) as watch:
        lines = watch.iter_lines()
        seen = [json.loads(next(lines))["object"] for _ in range(2)]
    assert [each["note"] for each in seen] == ["m", "n"]
    assert all(each["apiVersion"] == "events.k8s.io/v1" for each in seen)
    created = {
        "metadata": {"name": "f"},
        "regarding": about,
        "reportingController": "beskar7.io/x",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    }
    assert http.post(new, json=created).json()["regarding"] == about
    assert http.get(f"{old}/f").json()["involvedObject"] == about
    assert http.post(new, json={**created, "apiVersion": "v1"}).status_code == 400
    assert {each["apiVersion"] for each in http.get(new).json()["items"]} == {"events.k8s.io/v1"}
    assert {each["apiVersion"] for each in http.get(old).json()["items"]} == {"v1"}
    rows = http.get(new, headers=TABLE).json()["rows"]
    assert "physicalhost/two-faced" in [row["cells"][3] for row in rows]
    assert http.delete(f"{new}/e").json()["details"]["group"] == "events.k8s.io"
    assert http.get(f"{old}/e").status_code == 404


def test_health_is_told_in_detail(server: Any, http: requests.Session) -> None:
    assert http.get(f"{server.url}/readyz").text == "ok"
    whole = http.get(f"{server.url}/readyz?verbose").text
    assert "[+]ping ok\n" in whole
    assert whole.endswith("readyz check passed\n")
    assert "[+]ping ok" not in http.get(f"{server.url}/livez?verbose=1&exclude=ping").text
    assert http.get(f"{server.url}/livez/ping").text == "ok"
    assert http.get(f"{server.url}/livez/nothing").status_code == 404


def test_a_list_right_after_any_write_shows_it(server: Any, http: requests.Session) -> None:
    """A whole list is sent from bytes that are kept until the next write; no other list is.

    A list in pages, which is put together anew each time, says what is right.
    """
    namespaces = f"{server.url}/api/v1/namespaces"
    assert http.post(namespaces, json={"metadata": {"name": "kept"}}).status_code == 201
    other, url = f"{namespaces}/default/configmaps", f"{namespaces}/kept/configmaps"

    def listed(where: str, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = http.get(where, params=query).json()
        return found

    def checked(where: str) -> dict[str, Any]:
        whole = listed(where)
        pages = [listed(where, limit=1)]
        while (token := pages[-1]["metadata"].get("continue")) is not None:
            pages.append(listed(where, **{"limit": 1, "continue": token}))
        assert whole["items"] == [item for page in pages for item in page["items"]]
        assert whole["metadata"] == {"resourceVersion": pages[0]["metadata"]["resourceVersion"]}
        marked = [item for item in whole["items"] if "mark" in item["metadata"].get("labels", {})]
        assert listed(where, labelSelector="mark")["items"] == marked
        for index, item in enumerate(whole["items"]):
            after = encode_token(NOW, (item["metadata"]["namespace"], item["metadata"]["name"]))
            assert listed(where, **{"continue": after})["items"] == whole["items"][index + 1 :]
        return whole

    marked = {"metadata": {"name": "b", "labels": {"mark": ""}}}
    for method, where, body in (
        ("POST", url, {"metadata": {"name": "a"}}),
        ("POST", url, marked),
        ("PUT", f"{url}/a", {"metadata": {"name": "a"}, "data": {"k": "1"}}),
        ("PATCH", f"{url}/b", {"data": {"k": "2"}}),
        ("POST", other, {"metadata": {"name": "kept-not"}}),
        ("DELETE", f"{other}/kept-not", None),
        ("DELETE", f"{url}/a", None),
        ("PATCH", f"{url}/b", {"metadata": {"finalizers": ["a.example/keep"]}}),
        ("DELETE", f"{url}/b", None),
        ("PATCH", f"{url}/b", {"metadata": {"finalizers": None}}),
    ):
        before = checked(url)
        headers = MERGE if method == "PATCH" else {}
        answer = http.request(method, where, json=body, headers=headers)
        assert answer.status_code in (200, 201), answer.text
        after = checked(url)
        assert (after["items"] != before["items"]) == where.startswith(url), (method, where)
        exact = {**before["metadata"], "resourceVersionMatch": "Exact"}
        assert listed(url, **exact)["items"] == before["items"]
        checked(f"{server.url}/api/v1/configmaps")
    assert checked(url)["items"] == []
