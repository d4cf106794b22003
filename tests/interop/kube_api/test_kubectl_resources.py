"""kubectl on the four Beskar7 kinds and on the built-in ones."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.interop, pytest.mark.every_kubectl]

API = "infrastructure.cluster.x-k8s.io/v1beta1"
MACHINE_SPEC = {
    "imageURL": "http://images/kairos.iso",
    "osFamily": "kairos",
    "configURL": "http://images/config.yaml",
}
OBJECTS: dict[str, dict[str, Any]] = {
    "PhysicalHost": {
        "redfishConnection": {"address": "http://127.10.0.1", "credentialsSecretRef": "bmc"}
    },
    "Beskar7Machine": MACHINE_SPEC,
    "Beskar7Cluster": {"controlPlaneEndpoint": {"host": "10.0.0.1", "port": 6443}},
    "Beskar7MachineTemplate": {"template": {"spec": MACHINE_SPEC}},
}


def manifest(kind: str, name: str, **meta: Any) -> str:
    obj = {
        "apiVersion": API,
        "kind": kind,
        "metadata": {"name": name, **meta},
        "spec": OBJECTS[kind],
    }
    return yaml.safe_dump(obj)


@pytest.fixture
def host(kubectl: Any, request: pytest.FixtureRequest) -> Iterator[str]:
    """A PhysicalHost of this test's own."""
    name = "h-" + request.node.originalname.replace("_", "-").lower()[:50].rstrip("-")
    kubectl("apply", "-f", "-", stdin=manifest("PhysicalHost", name, labels={"rack": "r1"}))
    yield name
    kubectl("delete", "ph", name, "--ignore-not-found")


@pytest.mark.parametrize("kind", list(OBJECTS))
def test_the_life_of_each_beskar7_kind(kubectl: Any, kind: str) -> None:
    name = f"life-{kind.lower()}"
    first = manifest(kind, name, labels={"a": "1"})
    assert kubectl("apply", "-f", "-", stdin=first).endswith("created\n")
    assert kubectl("apply", "-f", "-", stdin=first).endswith("unchanged\n")
    assert kubectl("apply", "-f", "-", stdin=manifest(kind, name, labels={"b": "2"})).endswith(
        "configured\n"
    )
    got = yaml.safe_load(kubectl("get", kind.lower(), name, "-o", "yaml"))
    assert got["metadata"]["labels"] == {"b": "2"}
    assert name in kubectl("get", f"{kind.lower()}s", "-A")
    assert kind in kubectl("describe", kind.lower(), name)
    assert "deleted" in kubectl("delete", kind.lower(), name)
    assert "NotFound" in kubectl.fails("get", kind.lower(), name)


def test_patches(kubectl: Any, host: str) -> None:
    merge = {"spec": {"tags": ["a"]}}
    assert "patched" in kubectl("patch", "ph", host, "--type=merge", "-p", json.dumps(merge))
    assert "no change" in kubectl("patch", "ph", host, "--type=merge", "-p", json.dumps(merge))
    operations = [{"op": "remove", "path": "/spec/tags"}]
    kubectl("patch", "ph", host, "--type=json", "-p", json.dumps(operations))
    again = kubectl.fails("patch", "ph", host, "--type=json", "-p", json.dumps(operations))
    assert "rejected our request" in again
    status = {"status": {"state": "Available", "ready": True}}
    kubectl("patch", "ph", host, "--type=merge", "-p", json.dumps(status))
    path = "jsonpath={.status.state}"
    assert kubectl("get", "ph", host, "-o", path) == ""
    kubectl("patch", "ph", host, "--type=merge", "--subresource=status", "-p", json.dumps(status))
    assert kubectl("get", "ph", host, "-o", path) == "Available"
    assert "strategic" in kubectl.fails("patch", "ph", host, "-p", "{}")


def test_outputs(kubectl: Any, host: str) -> None:
    status = json.dumps({"status": {"state": "Claimed", "ready": True}})
    kubectl("patch", "ph", host, "--type=merge", "--subresource=status", "-p", status)
    header, row = kubectl("get", "ph", host).splitlines()
    assert header.split()[:3] == ["NAME", "STATE", "READY"]
    assert row.split()[:3] == [host, "Claimed", "true"]
    assert "rack=r1" in kubectl("get", "ph", host, "--show-labels")
    assert "POWER" in kubectl("get", "ph", host, "-o", "wide")
    columns = "custom-columns=N:.metadata.name,S:.status.state"
    assert kubectl("get", "ph", host, "--no-headers", "-o", columns).split() == [host, "Claimed"]
    assert kubectl("get", "ph", "-l", "rack=r1", "-o", "name").endswith(f"/{host}\n")
    filtered = 'jsonpath={.items[?(@.status.state=="Claimed")].metadata.name}'
    assert kubectl("get", "physicalhosts", "-A", "-o", filtered) == host
    assert host in kubectl("get", "cluster-api", "-A")
    chunked = kubectl("get", "ph", "--chunk-size=1", "--sort-by=.metadata.name", "-o", "name")
    assert host in chunked
    raw = kubectl("get", "--raw", f"/apis/{API}/physicalhosts?limit=1")
    assert json.loads(raw)["kind"] == "PhysicalHostList"


def test_watching_prints_every_change(kubectl: Any, host: str) -> None:
    watching = kubectl.start("get", "ph", host, "-w", "--no-headers")
    try:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        assert first.split()[0] == host
        for state in ("Available", "Claimed"):
            status = json.dumps({"status": {"state": state}})
            kubectl("patch", "ph", host, "--type=merge", "--subresource=status", "-p", status)
            readable, _, _ = select.select([watching.stdout], [], [], 20)
            assert readable
            assert watching.stdout.readline().split()[1] == state
    finally:
        watching.kill()
        watching.communicate()


def test_mistakes_are_told(kubectl: Any, host: str) -> None:
    wrong = manifest("PhysicalHost", "wrong").replace("spec:", "spec:\n  tugs: 1")
    assert 'unknown field "spec.tugs"' in kubectl.fails("apply", "-f", "-", stdin=wrong)
    invalid = manifest("PhysicalHost", "wrong").replace("http://", "ftp://")
    said = kubectl.fails("create", "-f", "-", stdin=invalid)
    assert "spec.redfishConnection.address" in said
    assert "AlreadyExists" in kubectl.fails(
        "create", "-f", "-", stdin=manifest("PhysicalHost", host)
    )
    assert "doesn't have a resource type" in kubectl.fails("get", "nonsense")
    assert "field label not supported" in kubectl.fails("get", "ph", "--field-selector", "spec.x=1")


def test_dry_runs_label_annotate_edit_replace(kubectl: Any, host: str) -> None:
    kubectl("apply", "-f", "-", "--dry-run=server", stdin=manifest("PhysicalHost", "dry"))
    assert "NotFound" in kubectl.fails("get", "ph", "dry")
    assert "labeled" in kubectl("label", "ph", host, "x=y")
    said = kubectl("annotate", "ph", host, "cluster.x-k8s.io/paused=")
    assert said.endswith(" annotate\n" if kubectl.minor < 28 else " annotated\n")  # 1.27's slip
    current = kubectl("get", "ph", host, "-o", "json")
    assert "replaced" in kubectl("replace", "-f", "-", stdin=current)
    stale = json.loads(current)
    stale["metadata"]["labels"]["x"] = "z"
    kubectl("label", "ph", host, "x=new", "--overwrite")
    assert "the object has been modified" in kubectl.fails(
        "replace", "-f", "-", stdin=json.dumps(stale)
    )
    assert "condition met" in kubectl("wait", "ph", host, "--for=jsonpath={.metadata.name}=" + host)
    assert "address" in kubectl("explain", "ph.spec.redfishConnection")


def test_finalizers_delay_a_deletion(kubectl: Any, host: str) -> None:
    hold = json.dumps({"metadata": {"finalizers": ["example.com/hold"]}})
    kubectl("patch", "ph", host, "--type=merge", "-p", hold)
    kubectl("delete", "ph", host, "--wait=false")
    assert kubectl("get", "ph", host, "-o", "jsonpath={.metadata.deletionTimestamp}")
    waiting = kubectl.start("delete", "ph", host)
    release = json.dumps({"metadata": {"finalizers": None}})
    kubectl("patch", "ph", host, "--type=merge", "-p", release)
    output, errors = waiting.communicate(timeout=60)
    # Depending on who was first it saw the object go, or found it gone.
    assert "deleted" in output or "NotFound" in errors


def test_config_maps(kubectl: Any) -> None:
    assert "created" in kubectl("create", "configmap", "made", "--from-literal=a=1")
    apply = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied}\ndata: {%s}\n"
    kubectl("apply", "-f", "-", stdin=apply % "a: '1', b: '2'")
    assert "configured" in kubectl("apply", "-f", "-", stdin=apply % "b: '3'")
    got = json.loads(kubectl("get", "cm", "applied", "-o", "json"))
    assert got["data"] == {"b": "3"}  # what was dropped from the file is gone
    kubectl("patch", "cm", "made", "-p", '{"data":{"c":"4"}}')
    assert "c:" in kubectl("describe", "cm", "made")
    lines = kubectl("get", "cm", "--no-headers").splitlines()
    assert [line.split()[:2] for line in lines] == [["applied", "1"], ["made", "2"]]
    assert "deleted" in kubectl("delete", "cm", "--all")


def test_secrets(kubectl: Any) -> None:
    literals = ("--from-literal=username=admin", "--from-literal=password=pw")
    kubectl("create", "secret", "generic", "bmc", *literals)
    assert kubectl("get", "secret", "bmc", "-o", "jsonpath={.data.username}") == "YWRtaW4="
    assert "password:  2 bytes" in kubectl("describe", "secret", "bmc")
    assert kubectl("get", "secret", "--no-headers").split()[:3] == ["bmc", "Opaque", "2"]
    kubectl("delete", "secret", "bmc")


def test_namespaces(kubectl: Any) -> None:
    kubectl("create", "namespace", "short-lived")
    kubectl("create", "configmap", "inside", "-n", "short-lived", "--from-literal=a=b")
    assert "Active" in kubectl("get", "ns", "short-lived")
    assert "Status:" in kubectl("describe", "ns", "short-lived")
    kubectl("delete", "ns", "short-lived")
    assert "NotFound" in kubectl.fails("get", "cm", "inside", "-n", "short-lived")


def test_leases(kubectl: Any) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader", "namespace": "beskar7-system"},
        "spec": {"holderIdentity": "mgr-1", "leaseDurationSeconds": 15},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(lease))
    assert kubectl("get", "lease", "-n", "beskar7-system", "--no-headers").split()[:2] == [
        "leader",
        "mgr-1",
    ]
    path = 'jsonpath={.items[?(@.metadata.name=="leader")].spec.holderIdentity}'
    assert kubectl("get", "lease", "-n", "beskar7-system", "-o", path) == "mgr-1"
    assert "Holder Identity" in kubectl("describe", "lease", "leader", "-n", "beskar7-system")
    kubectl("delete", "lease", "leader", "-n", "beskar7-system")


def event(name: str, about: str, uid: str, kind: str, reason: str, at: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name},
            "involvedObject": {
                "apiVersion": API,
                "kind": "PhysicalHost",
                "name": about,
                "namespace": "default",
                "uid": uid,  # describe asks by it
            },
            "type": kind,
            "reason": reason,
            "message": f"message of {name}",
            "source": {"component": "beskar7"},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
    )


def test_events(kubectl: Any, host: str) -> None:
    uid = kubectl("get", "ph", host, "-o", "jsonpath={.metadata.uid}")
    for made in (
        event("late", host, uid, "Warning", "ClaimConflict", "2026-01-01T00:00:02Z"),
        event("early", host, uid, "Normal", "Claimed", "2026-01-01T00:00:01Z"),
        event("other", "someone", "u", "Warning", "QueueFull", "2026-01-01T00:00:03Z"),
    ):
        kubectl("create", "-f", "-", stdin=made)
    sorted_lines = kubectl("get", "events", "--sort-by=.lastTimestamp", "--no-headers").splitlines()
    assert [line.split()[2] for line in sorted_lines] == ["Claimed", "ClaimConflict", "QueueFull"]
    selected = kubectl(
        "get",
        "events",
        "-A",
        "--field-selector",
        f"type=Warning,involvedObject.name={host}",
        "--sort-by=.lastTimestamp",
        "--no-headers",
    )
    assert [line.split()[3] for line in selected.splitlines()] == ["ClaimConflict"]
    assert f"physicalhost/{host}" in selected
    assert "message of late" in kubectl("describe", "ph", host)
    assert "QueueFull" in kubectl("events")
    assert "Claimed" in kubectl("events", "--for", f"physicalhost/{host}")
    kubectl("delete", "events", "--all")


def test_definitions_come_and_go(kubectl: Any) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object"}},
                }
            ],
        },
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(crd))
    assert "condition met" in kubectl(
        "wait", "crd/widgets.example.com", "--for=condition=Established"
    )
    widget = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(widget))
    assert kubectl("get", "wd", "-o", "name") == "widget.example.com/w\n"
    kubectl("delete", "crd", "widgets.example.com")
    assert "widgets" not in kubectl("get", "crd", "-o", "name")


def test_what_the_server_is(kubectl: Any) -> None:
    assert "beskar7-lab" in kubectl("version")
    resources = kubectl("api-resources", "--no-headers", "--cached=false")
    found = {line.split()[0] for line in resources.splitlines()}
    assert {"physicalhosts", "beskar7machines", "leases", "events", "namespaces"} <= found
    assert "ok" in kubectl("get", "--raw", "/readyz")
    # Newer kubectls send a Job as protobuf, of which the server does not know the shape.
    made = kubectl.run("create", "job", "j", "--image=x")
    assert made.returncode == 0 or "send application/json" in made.stderr
