"""The built-in kinds: types, defaults, rules, columns, scale, the two faces of Events."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from beskar7.api.errors import ApiError, BadRequest, Invalid
from beskar7.api.kinds import CAPI_GROUP, EVENT, Kind
from emulator.kube.api.discovery import Discovery
from emulator.kube.api.openapi import OpenApi
from emulator.kube.api.scale import read_scale, scale_of
from emulator.kube.api.views import EVENTS, VIEWS
from emulator.kube.kinds import apitypes
from emulator.kube.kinds.registry import Registry
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.tables.printers import COMPUTED, format_selector
from emulator.kube.tables.table import row
from emulator.kube.world import CAPI_DIRECTORY

pytestmark = pytest.mark.unit

WALL = 1_767_225_600.0  # the virtual runtime's second zero
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")
POD = Kind("", "v1", "Pod", "pods")
NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
SERVICE = Kind("", "v1", "Service", "services")
NETWORK_POLICY = Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
LABELLED = {"metadata": {"labels": {"app": "web"}}}
MACHINE_DEPLOYMENT = Kind(CAPI_GROUP, "v1beta1", "MachineDeployment", "machinedeployments")


def deployment(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}, "creationTimestamp": None},
                "spec": {"containers": [{"name": "c", "image": "nginx:1.27", "resources": {}}]},
            },
            **spec,
        },
    }


def pod(status: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "x"}, {"name": "d", "image": "y"}]
    metadata = {"name": "p", "namespace": "default", **meta}
    return {"metadata": metadata, "spec": {"containers": containers}, "status": status or {}}


def test_every_type_that_is_named_is_known() -> None:
    table = apitypes.table()
    plain = {"str", "bool", "int32", "int64", "bytes", "strings", "Time", "MicroTime", "Duration"}
    plain |= {"IntOrString", "Quantity", "Raw", "FieldsV1"}
    for name, fields in table.items():
        for field in fields.values():
            assert field.type in table or field.type in plain, (name, field)
        numbers = [field.number for field in fields.values()]
        assert len(set(numbers)) == len(numbers), name
    for resource in Registry():
        assert not resource.type or resource.type in table
        assert all(not c.compute or c.compute in COMPUTED for c in resource.columns)


def test_every_rule_is_about_a_field_that_exists() -> None:
    for name, rules in apitypes._rules().items():
        assert rules.keys() <= {"_", *apitypes.fields(name)}, name


def test_a_deployment_is_filled_with_the_servers_defaults(store: Store) -> None:
    made = store.create(DEPLOYMENT, deployment()).obj
    assert made["metadata"]["generation"] == 1
    spec = made["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    inner = spec["template"]["spec"]
    assert (inner["restartPolicy"], inner["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert inner["terminationGracePeriodSeconds"] == 30
    assert inner["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert "creationTimestamp" not in spec["template"]["metadata"]  # a null is nothing
    # What comes back is what a second write of the same leaves alone.
    again = store.update(DEPLOYMENT, deployment()).obj
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(store: Store, image: str, policy: str) -> None:
    made = store.create(POD, {**pod(), "spec": {"containers": [{"name": "c", "image": image}]}})
    assert made.obj["spec"]["containers"][0]["imagePullPolicy"] == policy
    assert made.obj["spec"]["serviceAccountName"] == "default"
    assert made.obj["status"] == {"phase": "Pending"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"selector": {"matchLabels": {"app": "other"}}}, "does not match template"),
        ({"selector": {}}, "empty selector"),
        ({"replicas": -1}, "greater than or equal to 0"),
        ({"replicas": "two"}, "must be of type integer"),
        ({"strategy": {"type": "Sudden"}}, "supported values"),
        ({"template": {"spec": {"containers": []}}}, "at least 1 items"),
        (
            {"template": {**LABELLED, "spec": {"containers": [{"name": "c"}]}}},
            r"spec.template.spec.containers\[0\].image: Required",
        ),
        (
            {
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "x"}] * 2},
                }
            },
            "Duplicate value",
        ),
        ({"template": LABELLED}, "spec.template.spec: Required"),
    ],
)  # fmt: skip
def test_bad_deployments_are_refused(store: Store, change: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        store.create(DEPLOYMENT, deployment(**change))


def test_a_replica_set_needs_its_template(store: Store) -> None:
    spec = {"selector": {"matchLabels": {"app": "web"}}}
    with pytest.raises(Invalid, match=r"spec\.template: Required"):
        store.create(REPLICA_SET, {"metadata": {"name": "r", "namespace": "default"}, "spec": spec})


def test_a_selector_stays_as_it_is(store: Store) -> None:
    store.create(DEPLOYMENT, deployment())
    patch = {
        "spec": {
            "selector": {"matchLabels": {"app": "new"}},
            "template": {"metadata": {"labels": {"app": "new"}}},
        }
    }
    with pytest.raises(Invalid, match="field is immutable"):
        store.patch(DEPLOYMENT, "default", "web", patch)


def test_unknown_fields_are_named_with_their_path(store: Store) -> None:
    sent = deployment()
    sent["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(BadRequest, match=r'unknown field "spec.template.spec.containers\[0\]'):
        store.create(DEPLOYMENT, sent, call=Call(field_validation="Strict"))


def test_quantities_may_be_numbers(store: Store) -> None:
    container = {"name": "c", "image": "x", "resources": {"limits": {"cpu": 0.5, "memory": "1Gi"}}}
    made = store.create(POD, {**pod(), "spec": {"containers": [container]}})
    assert made.obj["spec"]["containers"][0]["resources"]["limits"] == {
        "cpu": "0.5",
        "memory": "1Gi",
    }
    bad = {**container, "resources": {"limits": {"cpu": "many"}}}
    with pytest.raises(Invalid, match="cpu"):
        store.create(POD, {**pod(name="q"), "spec": {"containers": [bad]}})


def test_services_have_an_address_and_keep_it(store: Store) -> None:
    sent = {
        "metadata": {"name": "s", "namespace": "default"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    made = store.create(SERVICE, sent).obj
    address = made["spec"]["clusterIP"]
    assert address.startswith("10.")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    assert store.update(SERVICE, sent).obj["spec"]["clusterIP"] == address
    with pytest.raises(Invalid, match="immutable"):
        store.patch(SERVICE, "default", "s", {"spec": {"clusterIP": "10.1.2.3"}})
    with pytest.raises(Invalid, match=r"spec\.ports: Required"):
        store.create(SERVICE, {"metadata": {"name": "t", "namespace": "default"}})
    with pytest.raises(ApiError):
        store.update(SERVICE, {"metadata": {"name": "s", "namespace": "default"}, "spec": None})


def cells(store: Store, kind: Kind, obj: dict[str, Any]) -> list[Any]:
    obj.setdefault("metadata", {}).setdefault("creationTimestamp", "2025-12-31T23:00:00Z")
    return list(row(store.resource(kind), obj, "None", WALL)["cells"])


RUNNING = {"ready": True, "restartCount": 0, "state": {"running": {}}}
CRASHED = {
    "ready": False,
    "restartCount": 3,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2025-12-31T23:55:00Z"}},
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ["0/2", "Unknown", "0"]),
        ({"phase": "Pending"}, ["0/2", "Pending", "0"]),
        ({"phase": "Running", "containerStatuses": [RUNNING] * 2}, ["2/2", "Running", "0"]),
        (
            {"phase": "Running", "containerStatuses": [RUNNING, CRASHED]},
            ["1/2", "CrashLoopBackOff", "3 (5m ago)"],
        ),
        (
            {"containerStatuses": [{"state": {"terminated": {"exitCode": 2}}}]},
            ["0/2", "ExitCode:2", "0"],
        ),
        (
            {"containerStatuses": [{"state": {"terminated": {"signal": 9, "exitCode": 137}}}]},
            ["0/2", "Signal:9", "0"],
        ),
        ({"phase": "Failed", "reason": "Evicted"}, ["0/2", "Evicted", "0"]),
        (
            {
                "phase": "Running",
                "conditions": [{"type": "Ready", "status": "True"}],
                "containerStatuses": [
                    RUNNING,
                    {"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
                ],
            },
            ["1/2", "Running", "0"],
        ),
    ],
)
def test_pods_say_what_is_the_matter(
    store: Store, status: dict[str, Any], expected: list[Any]
) -> None:
    assert cells(store, POD, pod(status))[1:4] == expected


def test_pods_that_start_or_go(store: Store) -> None:
    starting = pod({"initContainerStatuses": [{"state": {"running": {}}}]})
    starting["spec"]["initContainers"] = [{"name": "i", "image": "x"}]
    assert cells(store, POD, starting)[2] == "Init:0/1"
    failing = pod({"initContainerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]})
    assert cells(store, POD, failing)[2] == "Init:ErrImagePull"
    gone = pod({"phase": "Running"}, deletionTimestamp="2026-01-01T00:00:00Z")
    assert cells(store, POD, gone)[2] == "Terminating"
    assert cells(store, POD, pod({"podIP": "10.0.0.1"}))[5:] == ["10.0.0.1", *["<none>"] * 3]


def test_columns_of_the_other_kinds(store: Store) -> None:
    made = deployment(replicas=3)
    made["status"] = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    assert cells(store, DEPLOYMENT, made) == [
        "web", "1/3", 2, 1, "60m", "c", "nginx:1.27", "app=web",
    ]  # fmt: skip
    node = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.32.0", "osImage": "Lab"},
        },
    }
    assert cells(store, NODE, node)[:7] == [
        "n", "Ready,SchedulingDisabled", "control-plane", "60m", "v1.32.0", "127.0.0.1", "<none>",
    ]  # fmt: skip
    service = {
        "metadata": {"name": "s"},
        "spec": {
            "type": "NodePort",
            "clusterIP": "10.96.0.1",
            "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
        },
    }
    assert cells(store, SERVICE, service) == [
        "s", "NodePort", "10.96.0.1", "<none>", "80:30080/TCP,53/UDP", "60m", "<none>",
    ]  # fmt: skip
    policy = {"metadata": {"name": "p"}, "spec": {"podSelector": {"matchLabels": {"a": "b"}}}}
    assert cells(store, NETWORK_POLICY, policy) == ["p", "a=b", "60m"]


def test_selectors_are_written_as_they_are_parsed() -> None:
    expressions = [
        {"key": "a", "operator": "In", "values": ["y", "x"]},
        {"key": "b", "operator": "Exists"},
        {"key": "c", "operator": "DoesNotExist"},
    ]
    selector = {"matchLabels": {"k": "v"}, "matchExpressions": expressions}
    assert format_selector(selector) == "k=v,a in (x,y),b,!c"
    assert format_selector({}) == "<none>"


# --- scale


def test_a_scale_shows_replicas_and_selector(store: Store) -> None:
    entry = store.create(DEPLOYMENT, deployment(replicas=4))
    resource = store.resource(DEPLOYMENT)
    assert resource.scale is not None
    scale = scale_of(resource.scale, entry)
    assert scale["spec"] == {"replicas": 4}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    assert scale["metadata"]["uid"] == entry.uid
    assert read_scale(resource, "web", scale) == (4, str(entry.version))


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        {"metadata": 5},
        {"kind": "Pod"},
        {"metadata": {"name": "other"}},
        {"spec": {"replicas": -1}},
        {"spec": {"replicas": "1"}},
        {"spec": {"replicas": 2**40}},
        {"metadata": {"resourceVersion": 5}},
    ],
)
def test_bad_scales_are_refused(store: Store, sent: Any) -> None:
    with pytest.raises((BadRequest, Invalid)):
        read_scale(store.resource(DEPLOYMENT), "web", sent)


# --- Events


def test_an_event_has_two_faces(store: Store) -> None:
    view = VIEWS["event"]
    sent = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "default"},
        "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
        "note": "said",
        "reason": "Because",
        "type": "Normal",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "beskar7.io/c",
        "reportingInstance": "c-1",
        "action": "Acted",
    }
    stored = store.create(EVENT, view.store(sent))
    assert stored.obj["involvedObject"]["name"] == "p"
    assert stored.obj["message"] == "said"
    shown = view.entry(stored).obj
    assert {key: shown[key] for key in sent if key != "metadata"} == {
        key: value for key, value in sent.items() if key != "metadata"
    }
    assert cells(store, EVENTS, shown) == cells(store, EVENT, stored.obj)
    patched = view.patch(store, "default", "e", {"note": "more"}, "merge", Call())
    assert patched.obj["message"] == "more"
    with pytest.raises(BadRequest, match="must be an Event"):
        view.store({"apiVersion": "v1", "kind": "Event"})


# --- documents


def test_discovery_shows_names_verbs_and_subresources() -> None:
    registry = Registry()
    found = Discovery(registry).document("/apis/apps/v1", "")
    assert found is not None
    assert b'"deployments/scale"' in found[0]
    assert b'"group":"autoscaling"' in found[0]
    legacy = Discovery(registry).document("/apis/authorization.k8s.io/v1", "")
    assert legacy is not None
    assert b'"verbs":["create"]' in legacy[0]


def test_documents_have_no_loose_ends(store: Store) -> None:
    openapi = OpenApi(store.registry)
    index = orjson.loads(openapi.document("/openapi/v3") or b"")
    for path in index["paths"]:
        document = orjson.loads(openapi.document(f"/openapi/v3/{path}") or b"")
        schemas = document["components"]["schemas"]
        wanted: set[str] = set()
        todo: list[Any] = [document]
        while todo:
            at = todo.pop()
            if isinstance(at, dict):
                if isinstance(at.get("$ref"), str):
                    wanted.add(at["$ref"].removeprefix("#/components/schemas/"))
                todo += at.values()
            elif isinstance(at, list):
                todo += at
        assert wanted <= schemas.keys(), path
    assert openapi.document("/openapi/v3/apis/nothing/v1") is None
    assert openapi.document("/openapi/v3/else") is None
    assert openapi.version_2().count(b"#/components/schemas/") == 0


def test_cluster_api_is_served(store: Store) -> None:
    assert len(list(CAPI_DIRECTORY.glob("*.yaml"))) == 4
    resource = store.resource(MACHINE_DEPLOYMENT)
    assert resource.scale is not None
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"clusterName": "c", "bootstrap": {}, "infrastructureRef": {"kind": "X"}},
    }
    selector = {"matchLabels": {"a": "b"}}
    made = store.create(
        MACHINE_DEPLOYMENT,
        {
            "apiVersion": MACHINE_DEPLOYMENT.api_version,
            "kind": "MachineDeployment",
            "metadata": {"name": "workers", "namespace": "default"},
            "spec": {"clusterName": "c", "selector": selector, "template": template},
        },
    )
    assert made.obj["spec"]["replicas"] == 1
    status = {"status": {"replicas": 1, "selector": "a=b"}}
    entry = store.patch(MACHINE_DEPLOYMENT, "default", "workers", status, status=True)
    assert scale_of(resource.scale, entry)["status"] == {"replicas": 1, "selector": "a=b"}
