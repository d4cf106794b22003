"""kubectl waits, shows differences, applies on the server and prunes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

pytestmark = [pytest.mark.interop, pytest.mark.every_kubectl]

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


def config_map(name: str, data: dict[str, str], **meta: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": "default", **meta},
            "data": data,
        }
    )


def test_wait_for_what_comes_and_goes(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(host("waited")))
    waiting = kubectl.start("wait", "ph/waited", "--for=jsonpath={.status.state}=Available")
    status = json.dumps({"status": {"state": "Available"}})
    kubectl("patch", "ph", "waited", "--type=merge", "--subresource=status", "-p", status)
    said, _ = waiting.communicate(timeout=PATIENCE)
    assert "condition met" in said
    assert "timed out" in kubectl.fails(
        "wait", "ph/waited", "--for=jsonpath={.status.state}=Error", "--timeout=1s"
    )
    going = kubectl.start("wait", "ph/waited", "--for=delete", f"--timeout={PATIENCE}s")
    kubectl("delete", "ph", "waited")
    going.communicate(timeout=PATIENCE)
    assert going.returncode == 0


def test_diff_says_what_an_apply_would_change_and_changes_nothing(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=config_map("diffed", {"a": "1"}))
    same = kubectl.run("diff", "-f", "-", stdin=config_map("diffed", {"a": "1"}))
    assert (same.returncode, same.stdout) == (0, "")
    other = kubectl.run("diff", "-f", "-", stdin=config_map("diffed", {"a": "2"}))
    assert other.returncode == 1, other.stderr
    assert '-  a: "1"' in other.stdout
    assert '+  a: "2"' in other.stdout
    new = kubectl.run("diff", "-f", "-", stdin=config_map("diffed-new", {"a": "1"}))
    assert new.returncode == 1, new.stderr
    assert "NotFound" in kubectl.fails("get", "configmap", "diffed-new")
    assert kubectl("get", "configmap", "diffed", "-o", "jsonpath={.data.a}") == "1"


def test_server_side_apply_owns_fields_and_says_who_else_does(kubectl: Any) -> None:
    mine = ("apply", "--server-side", "--field-manager=mine", "-f", "-")
    yours = ("apply", "--server-side", "--field-manager=yours", "-f", "-")
    assert "serverside-applied" in kubectl(*mine, stdin=config_map("ssa", {"a": "1", "b": "1"}))
    kubectl(*yours, stdin=config_map("ssa", {"c": "1"}))
    said = kubectl.fails(*yours, stdin=config_map("ssa", {"a": "2", "c": "1"}))
    assert 'conflict with "mine"' in said
    assert ".data.a" in said
    kubectl(*yours, "--force-conflicts", stdin=config_map("ssa", {"a": "2", "c": "1"}))
    # What a manager no longer applies goes, unless somebody else owns it too.
    kubectl(*mine, stdin=config_map("ssa", {"z": "1"}))
    found = json.loads(kubectl("get", "configmap", "ssa", "-o", "jsonpath={.data}"))
    assert found == {"a": "2", "c": "1", "z": "1"}


def test_prune_takes_away_what_is_no_longer_applied(kubectl: Any) -> None:
    labels = {"pruned": "yes"}
    both = "---\n".join(config_map(name, {"a": "1"}, labels=labels) for name in ("p1", "p2"))
    options = ("apply", "--prune", "-l", "pruned=yes", "--prune-allowlist=core/v1/ConfigMap")
    kubectl(*options, "-f", "-", stdin=both)
    kubectl("apply", "-f", "-", stdin=config_map("p3", {"a": "1"}))
    said = kubectl(*options, "-f", "-", stdin=config_map("p1", {"a": "1"}, labels=labels))
    assert "configmap/p2 pruned" in said
    names = kubectl("get", "configmaps", "-o", "name")
    assert "configmap/p1" in names
    assert "configmap/p2" not in names
    assert "configmap/p3" in names
