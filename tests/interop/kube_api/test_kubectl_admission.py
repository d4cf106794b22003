"""What kubectl prints of admission: refusals, warnings, and the webhooks' own registration."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from beskar7.manifests.webhooks import webhook_configurations, webhook_service

pytestmark = pytest.mark.interop

API = "infrastructure.cluster.x-k8s.io/v1beta1"
SPEC = {"imageURL": "http://images/a.iso", "osFamily": "kairos"}


def manifest(kind: str, name: str, spec: dict[str, Any]) -> str:
    meta = {"name": name, "namespace": "default"}
    return yaml.safe_dump({"apiVersion": API, "kind": kind, "metadata": meta, "spec": spec})


def test_a_minimal_machine_and_a_wrong_one(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("Beskar7Machine", "least", SPEC))
    path = "jsonpath={.spec.provisioningMode}"
    assert kubectl("get", "beskar7machine", "least", "-o", path) == "PreBakedISO"
    wrong = json.dumps({"spec": {"provisioningMode": "RemoteConfig"}})
    said = kubectl.fails("patch", "beskar7machine", "least", "--type=merge", "-p", wrong)
    assert 'The Beskar7Machine "least" is invalid: spec.configURL: Required value' in said
    kubectl("delete", "beskar7machine", "least")


@pytest.mark.parametrize("form", [[], ["--server-side"]])
def test_warnings_are_printed_for_every_verb(kubectl: Any, form: list[str]) -> None:
    connection = {"address": "127.10.0.1", "credentialsSecretRef": "none-yet"}
    host = manifest("PhysicalHost", "warned", {"redfishConnection": connection})
    done = kubectl.run("apply", *form, "-f", "-", stdin=host)
    assert done.returncode == 0
    assert 'Warning: Secret "none-yet" does not exist in namespace "default" yet' in done.stderr
    dry = kubectl.run("apply", *form, "--dry-run=server", "-f", "-", stdin=host)
    assert (dry.returncode, dry.stderr) == (0, "")  # nothing that it asks for is new
    owner = {"apiVersion": API, "kind": "Beskar7Machine", "namespace": "default", "name": "m"}
    patch = json.dumps({"spec": {"consumerRef": owner}})
    kubectl("patch", "ph", "warned", "--type=merge", "-p", patch)
    gone = kubectl.run("delete", "ph", "warned")
    assert "Warning: the host is owned by Beskar7Machine default/m" in gone.stderr


def test_a_template_in_use_is_kept(kubectl: Any) -> None:
    spec = {"template": {"spec": SPEC}}
    kubectl("apply", "-f", "-", stdin=manifest("Beskar7MachineTemplate", "used", spec))
    kubectl("apply", "-f", "-", stdin=manifest("Beskar7Machine", "clone", SPEC))
    kind = "Beskar7MachineTemplate.infrastructure.cluster.x-k8s.io"
    kubectl(
        *("annotate", "beskar7machine", "clone", "cluster.x-k8s.io/cloned-from-name=used"),
        f"cluster.x-k8s.io/cloned-from-groupkind={kind}",
    )
    said = kubectl.fails("delete", "beskar7machinetemplate", "used")
    assert "(Forbidden): admission webhook" in said
    assert "in use by Beskar7Machine clone" in said
    kubectl("delete", "beskar7machine", "clone")
    kubectl("delete", "beskar7machinetemplate", "used")


def test_the_webhooks_own_manifests_apply(kubectl: Any) -> None:
    objects = [*webhook_configurations("beskar7-system"), webhook_service("beskar7-system")]
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
    kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(objects)
    )
    shown = kubectl("get", "validatingwebhookconfigurations,mutatingwebhookconfigurations")
    assert "beskar7-validating-webhook-configuration" in shown
    assert "beskar7-mutating-webhook-configuration" in shown
