"""kubectl on workloads, access, scale, explain and what else is built in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.interop

MANAGER = "system:serviceaccount:beskar7-system:beskar7-controller-manager"


@pytest.fixture
def web(kubectl: Any) -> Iterator[str]:
    """A Deployment of no pods: what is tested here is its API."""
    kubectl("create", "deployment", "web", "--image=nginx:1.27", "--port=80", "--replicas=0")
    yield "web"
    kubectl("delete", "deployment", "web", "--ignore-not-found")


@pytest.mark.every_kubectl
def test_a_deployment_is_made_from_protobuf(kubectl: Any, web: str) -> None:
    got = json.loads(kubectl("get", "deploy", web, "-o", "json"))
    assert got["spec"]["replicas"] == 0
    assert got["spec"]["strategy"]["type"] == "RollingUpdate"
    container = got["spec"]["template"]["spec"]["containers"][0]
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    header = kubectl("get", "deployments", "-o", "wide").splitlines()[0]
    columns = "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR"
    assert " ".join(header.split()) == columns
    assert "Replicas:" in kubectl("describe", "deployment", web)
    assert f"deployment.apps/{web}" in kubectl("get", "all", "-o", "name")
    assert "configured" in kubectl("apply", "-f", "-", stdin=_without_apply(got))


def _without_apply(got: dict[str, Any]) -> str:
    got["metadata"] = {"name": got["metadata"]["name"], "labels": {"new": "label"}}
    del got["status"]
    return json.dumps(got)


def test_scale(kubectl: Any, web: str) -> None:
    assert "scaled" in kubectl("scale", "deployment", web, "--replicas=0", "--current-replicas=0")
    path = "jsonpath={.spec.replicas}"
    assert kubectl("get", "deployment", web, "--subresource=scale", "-o", path) == "0"
    said = kubectl.fails("scale", "deployment", web, "--replicas=1", "--current-replicas=7")
    assert "Expected replicas to be 7" in said


def test_scale_of_a_machine_deployment(kubectl: Any) -> None:
    spec = {"clusterName": "c", "bootstrap": {}, "infrastructureRef": {"kind": "Beskar7Machine"}}
    made = {
        "apiVersion": "cluster.x-k8s.io/v1beta1",
        "kind": "MachineDeployment",
        "metadata": {"name": "worker-nodes"},
        "spec": {
            "clusterName": "c",
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": spec},
        },
    }
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(made))
    assert "scaled" in kubectl("scale", "machinedeployment", "worker-nodes", "--replicas=5")
    # As the guide does it: read, change the number, apply.
    shown = kubectl("get", "machinedeployment", "worker-nodes", "-o", "yaml")
    assert "replicas: 5" in shown
    kubectl("apply", "-f", "-", stdin=shown.replace("replicas: 5", "replicas: 7"))
    assert kubectl("get", "md", "worker-nodes", "-o", "jsonpath={.spec.replicas}") == "7"
    assert kubectl("get", "md", "--no-headers").split()[:2] == ["worker-nodes", "c"]
    kubectl("delete", "md", "worker-nodes")


def test_services_accounts_policies(kubectl: Any) -> None:
    kubectl("create", "service", "clusterip", "front", "--tcp=80:8080")
    row = kubectl("get", "svc", "front", "--no-headers").split()
    assert row[1] == "ClusterIP"
    assert row[2].startswith("10.")
    assert row[3:5] == ["<none>", "80/TCP"]
    assert row[2] in kubectl("describe", "svc", "front")
    kubectl("delete", "svc", "front")
    kubectl("create", "serviceaccount", "bot")
    assert "bot" in kubectl("get", "sa", "-o", "name")
    assert "Image pull secrets" in kubectl("describe", "sa", "bot")
    assert kubectl("create", "token", "bot", "--duration=20m").count(".") == 2
    kubectl("delete", "sa", "bot")
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(policy))
    assert kubectl("get", "netpol", "--no-headers").split()[:2] == ["closed", "app=web"]
    assert "Policy Types: Ingress" in kubectl("describe", "networkpolicy", "closed")
    kubectl("delete", "networkpolicy", "closed")
    assert "No resources found" in kubectl.run("get", "networkpolicy").stderr


@pytest.mark.every_kubectl
def test_explain_says_what_fields_are_for(kubectl: Any) -> None:
    said = kubectl("explain", "deployment.spec")
    assert "replicas\t<integer>" in said
    assert "selector\t<LabelSelector> -required-" in said
    assert "How many pods there should be" in said
    assert "RollingUpdate" in kubectl("explain", "deployment.spec.strategy.type")
    assert "containerPort" in kubectl("explain", "pod.spec.containers.ports")
    assert "URL of the BMC" in kubectl("explain", "physicalhost.spec.redfishConnection")
    assert "holderIdentity" in kubectl("explain", "lease.spec")
    assert "regarding" in kubectl("explain", "events", "--api-version=events.k8s.io/v1")
    assert "apiGroups" in kubectl("explain", "clusterrole", "--recursive")
    assert "does not exist" in kubectl.fails("explain", "deployment.spec.nonsense")


@pytest.mark.every_kubectl
def test_apply_is_validated_strictly(kubectl: Any, web: str) -> None:
    shown = yaml.safe_load(kubectl("get", "deployment", web, "-o", "yaml"))
    shown["spec"]["replica"] = 3
    said = kubectl.fails("apply", "-f", "-", stdin=yaml.safe_dump(shown))
    assert 'unknown field "spec.replica"' in said
    assert "configured" in kubectl(
        "apply", "-f", "-", "--validate=ignore", stdin=yaml.safe_dump(shown)
    )


def test_access(kubectl: Any) -> None:
    assert kubectl("auth", "can-i", "delete", "pods").strip() == "yes"
    if kubectl.minor >= 28:  # before, it asks for the beta of that API, long gone
        assert "kubernetes-admin" in kubectl("auth", "whoami")
    assert kubectl.run("auth", "can-i", "get", "secrets", "--as=eve").stdout.strip() == "no"
    assert "cannot list resource" in kubectl.fails("get", "pods", "--as=eve")
    kubectl("create", "role", "reader", "--verb=get,list,watch", "--resource=pods,deployments.apps")
    kubectl("create", "rolebinding", "reader", "--role=reader", "--user=eve")
    assert kubectl("auth", "can-i", "list", "deployments", "--as=eve").strip() == "yes"
    kubectl("get", "pods", "--as=eve")
    assert "pods" in kubectl("auth", "can-i", "--list", "--as=eve")
    assert "Role/reader" in kubectl("get", "rolebinding", "reader")
    assert "eve" in kubectl("describe", "rolebinding", "reader")
    assert "deployments.apps" in kubectl("describe", "role", "reader")
    kubectl("delete", "rolebinding,role", "reader")
    kubectl("create", "clusterrole", "looker", "--verb=get", "--non-resource-url=/metrics")
    kubectl("create", "clusterrolebinding", "looker", "--clusterrole=looker", "--group=lookers")
    kubectl("get", "--raw", "/metrics", "--as=eve", "--as-group=lookers")
    kubectl("delete", "clusterrolebinding,clusterrole", "looker")
    for verb, resource, answer in (
        ("update", "physicalhosts", "yes"),
        ("update", "physicalhosts/status", "yes"),
        ("delete", "physicalhosts", "no"),
        ("create", "leases", "yes"),
        ("delete", "pods", "no"),
    ):
        asked = ("auth", "can-i", verb, resource, "-n", "beskar7-system", f"--as={MANAGER}")
        assert kubectl.run(*asked).stdout.strip().splitlines()[-1] == answer, asked


def test_events_by_their_newer_name(kubectl: Any) -> None:
    event = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "newer", "namespace": "default"},
        "regarding": {"kind": "PhysicalHost", "name": "h9", "namespace": "default"},
        "reason": "Claimed",
        "type": "Normal",
        "note": "by the newer name",
        "action": "Claim",
        "reportingController": "beskar7.io/controller",
        "reportingInstance": "c-1",
        "eventTime": "2026-01-01T00:00:00.000000Z",
    }
    kubectl("create", "-f", "-", stdin=json.dumps(event))
    for name in ("events", "events.events.k8s.io"):
        rows = kubectl("get", name, "--field-selector=reason=Claimed", "--no-headers")
        assert "by the newer name" in rows
    kubectl("delete", "events.events.k8s.io", "newer")
    assert "newer" not in kubectl("get", "events", "-o", "name")


def test_what_is_served(kubectl: Any) -> None:
    listed = kubectl("api-resources", "--no-headers", "-o", "wide", "--cached=false")
    found = {line.split()[0]: line for line in listed.splitlines()}
    wanted = (
        "namespaces secrets configmaps services events leases serviceaccounts pods deployments "
        "replicasets nodes customresourcedefinitions roles clusterroles rolebindings "
        "clusterrolebindings networkpolicies clusters machines machinedeployments machinesets"
    )
    assert set(wanted.split()) <= found.keys()
    assert found["selfsubjectaccessreviews"].split()[-1] == "create"
    assert "cluster-api" in found["machines"]
    assert "readyz check passed" in kubectl("get", "--raw", "/readyz?verbose")
    assert "is running at" in kubectl("cluster-info")
    assert "Ready" in kubectl("get", "nodes", "--no-headers")
