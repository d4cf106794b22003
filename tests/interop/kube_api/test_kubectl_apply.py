"""kubectl apply, patch, diff, prune and delete, as people type them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.interop, pytest.mark.every_kubectl]

SYSTEM = ("-n", "beskar7-system")
NAME = "demo-manager"


def manifest(**changes: Any) -> str:
    container = {
        "name": "manager",
        "image": "example.com/idle",
        "args": ["--one"],
        "env": [{"name": "A", "value": "1"}],
        "ports": [{"containerPort": 8080}],
    }
    labels = {"app": NAME}
    containers = [{**container, **changes}, {"name": "side", "image": "example.com/side"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    return json.dumps(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": "beskar7-system"},
            "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
        }
    )


@pytest.fixture
def deployment(kubectl: Any) -> Any:
    """Without one at the start; gives what is there now."""
    kubectl("delete", "deployment", NAME, *SYSTEM, "--ignore-not-found")

    def get() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            kubectl("get", "deployment", NAME, *SYSTEM, "-o", "json", "--show-managed-fields")
        )
        return found

    return get


def containers(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}


def managers(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["manager"], each["operation"]) for each in found["metadata"]["managedFields"]}


def test_the_guides_patch_of_the_deployment(kubectl: Any, deployment: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest())
    before = containers(deployment())
    args = ["--enable-claim-coordinator-leader-election=true"]
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "manager", "args": args}]}}}}
    said = kubectl("patch", "deployment", NAME, *SYSTEM, "--patch", json.dumps(patch))
    assert "patched" in said
    after = containers(deployment())
    assert after == {**before, "manager": {**before["manager"], "args": args}}
    said = kubectl("patch", "deployment", NAME, *SYSTEM, "--patch", json.dumps(patch))
    assert "patched (no change)" in said


def test_apply_from_the_client_adds_changes_and_removes(kubectl: Any, deployment: Any) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=manifest())
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=manifest())
    kubectl("set", "image", f"deployment/{NAME}", "side=example.com/other", *SYSTEM)
    changed = json.loads(manifest(args=["--two"], env=[{"name": "B", "value": "2"}], ports=[]))
    changed["spec"]["template"]["spec"]["containers"].pop()
    assert "configured" in kubectl("apply", "-f", "-", stdin=json.dumps(changed))
    (found,) = containers(deployment()).values()
    assert found["args"] == ["--two"]
    assert found["env"] == [{"name": "B", "value": "2"}]
    assert not found.get("ports")


def test_apply_on_the_server(kubectl: Any, deployment: Any) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    assert "serverside-applied" in kubectl(*apply, stdin=manifest())
    assert managers(deployment()) >= {("kubectl", "Apply")}
    said = kubectl.fails(*apply, "--field-manager=other", stdin=manifest(args=["--two"]))
    assert 'Apply failed with 1 conflict: conflict with "kubectl"' in said
    assert '.spec.template.spec.containers[name="manager"].args' in said
    other = ("--field-manager=other", "--force-conflicts")
    kubectl(*apply, *other, stdin=manifest(args=["--two"]))
    assert managers(deployment()) >= {("kubectl", "Apply"), ("other", "Apply")}
    assert containers(deployment())["manager"]["args"] == ["--two"]
    kubectl(*apply, *other, stdin=manifest(args=["--three"], env=[], ports=[]))
    kept = containers(deployment())["manager"]  # kubectl still wants them
    assert kept["args"] == ["--three"]
    assert kept["env"]
    assert kept["ports"]


def test_from_client_to_server_and_back(kubectl: Any, deployment: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest())
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest(args=["--two"]))
    assert ("kubectl-client-side-apply", "Update") not in managers(deployment())
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest(args=["--three"], env=[]))
    assert not containers(deployment())["manager"].get("env")
    kubectl("apply", "-f", "-", stdin=manifest(args=["--four"], env=[], ports=[]))
    found = containers(deployment())["manager"]
    assert found["args"] == ["--four"]
    assert not found.get("ports")


@pytest.mark.parametrize("side", [(), ("--server-side",)])
def test_diff_shows_and_does_not_change(kubectl: Any, deployment: Any, side: Any) -> None:
    kubectl("apply", *side, "-f", "-", stdin=manifest())
    before = deployment()
    same = kubectl.run("diff", *side, "-f", "-", stdin=manifest())
    assert (same.returncode, same.stdout) == (0, ""), same.stderr
    differs = kubectl.run("diff", *side, "-f", "-", stdin=manifest(args=["--two"]))
    assert differs.returncode == 1, differs.stderr
    lines = differs.stdout.splitlines()
    assert "-        - --one" in lines
    assert "+        - --two" in lines
    assert deployment() == before


def config_maps(*names: str) -> str:
    items = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default", "labels": {"part": "prune"}},
        }
        for name in names
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_prune_deletes_what_is_applied_no_more(kubectl: Any) -> None:
    kubectl("create", "configmap", "by-hand")
    kubectl("label", "configmap", "by-hand", "part=prune")
    prune = ("apply", "--prune", "-l", "part=prune", "-f", "-")
    kubectl(*prune, stdin=config_maps("p1", "p2"))
    assert "configmap/p2 pruned (server dry run)" in kubectl(
        *prune, "--dry-run=server", stdin=config_maps("p1")
    )
    assert "configmap/p2 pruned" in kubectl(*prune, stdin=config_maps("p1"))
    left = kubectl("get", "configmap", "-l", "part=prune", "-o", "name").split()
    assert left == ["configmap/by-hand", "configmap/p1"]


def test_strict_validation_and_dry_runs(kubectl: Any) -> None:
    bad = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, "extra": 1}
    )
    assert 'unknown field "extra"' in kubectl.fails("create", "-f", "-", stdin=bad)
    assert 'unknown field "extra"' in kubectl.fails("apply", "--server-side", "-f", "-", stdin=bad)
    done = kubectl.run("create", "--validate=warn", "-f", "-", stdin=bad)
    assert 'Warning: unknown field "extra"' in done.stderr
    kubectl("delete", "configmap", "bad", "--dry-run=server")
    kubectl("delete", "configmap", "bad")
    assert "(server dry run)" in kubectl("create", "configmap", "dry", "--dry-run=server")
    assert "NotFound" in kubectl.fails("get", "configmap", "dry")


def test_cascades(kubectl: Any) -> None:
    def family(name: str) -> None:
        kubectl("create", "configmap", name)
        uid = kubectl("get", "configmap", name, "-o", "jsonpath={.metadata.uid}")
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid}
        meta = {"name": f"{name}-child", "ownerReferences": [{**owner, "blockOwnerDeletion": True}]}
        child = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta}
        kubectl("create", "-f", "-", stdin=json.dumps(child))

    for policy, stays in (("background", False), ("foreground", False), ("orphan", True)):
        family(policy)
        kubectl("delete", "configmap", policy, f"--cascade={policy}")
        child = kubectl.run("get", "configmap", f"{policy}-child")
        assert (child.returncode == 0) is stays, child.stderr


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Any) -> None:
    kubectl("create", "namespace", "passing")
    kubectl("create", "configmap", "inside", "-n", "passing")
    kubectl("patch", "configmap", "inside", "-n", "passing", "--type=merge", "-p",
            '{"metadata":{"finalizers":["example.com/hold"]}}')  # fmt: skip
    kubectl("delete", "namespace", "passing", "--wait=false")
    assert "Terminating" in kubectl("get", "namespace", "passing")
    assert "being terminated" in kubectl.fails("create", "configmap", "late", "-n", "passing")
    kubectl("patch", "configmap", "inside", "-n", "passing", "--type=json", "-p",
            '[{"op":"remove","path":"/metadata/finalizers"}]')  # fmt: skip
    kubectl("wait", "--for=delete", "namespace/passing", "--timeout=10s")


def test_edit_and_replace(kubectl: Any, tmp_path: Path) -> None:
    kubectl("create", "configmap", "edited", "--from-literal=a=1")
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/a: .1./a: \\"2\\"/" "$1"\n')
    editor.chmod(0o700)
    environment = {**kubectl.environment, "KUBE_EDITOR": str(editor)}
    process = kubectl.start("edit", "configmap", "edited", environment=environment)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, output + errors
    assert kubectl("get", "configmap", "edited", "-o", "jsonpath={.data.a}") == "2"
    stale = json.loads(kubectl("get", "configmap", "edited", "-o", "json"))
    kubectl("patch", "configmap", "edited", "-p", '{"data":{"a":"3"}}')
    assert "Conflict" in kubectl.fails("replace", "-f", "-", stdin=json.dumps(stale))
