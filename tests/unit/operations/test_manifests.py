"""The objects that run the controller in a cluster, applied to the lab's API."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from beskar7.api.kinds import CRD
from beskar7.cli import main
from beskar7.flags import manager_settings
from beskar7.manifests.rights import rights
from beskar7.runtime import VirtualRuntime
from emulator.kube.kinds.registry import Registry
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> list[dict[str, object]]:
    assert main(["manifests", *args]) == 0
    return list(yaml.safe_load_all(capsys.readouterr().out))


def by_kind(found: list[dict[str, object]], kind: str) -> list[dict[str, object]]:
    return [obj for obj in found if obj["kind"] == kind]


def test_all_that_is_needed_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, "--service-monitor")
    kinds = {str(obj["kind"]) for obj in found}
    assert kinds >= {
        *("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole"),
        *("ClusterRoleBinding", "Role", "RoleBinding", "ConfigMap", "Service", "Deployment"),
        *("PodDisruptionBudget", "ServiceMonitor"),
    }
    assert len(by_kind(found, "CustomResourceDefinition")) >= 4


def test_the_namespace_is_the_same_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    text = yaml.safe_dump_all(printed(capsys, "--namespace", "elsewhere"))
    assert "beskar7-system" not in text


@pytest.mark.upstream("U29")
def test_the_manager_knows_every_flag_of_its_deployment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = ["--arg", "leader-elect-lease-duration=30s", "--arg", "stuck-state-timeout=20m"]
    found = printed(capsys, *given, "--replicas", "3")
    (deployment,) = by_kind(found, "Deployment")
    spec = deployment["spec"]
    container = spec["template"]["spec"]["containers"][0]  # type: ignore[index] # JSON
    assert spec["replicas"] == 3  # type: ignore[index] # JSON
    flags = dict(arg.removeprefix("--").partition("=")[::2] for arg in container["args"])
    settings = manager_settings("one", flags)
    # What is added takes nothing away: neither what a pod needs nor other flags that were given.
    assert settings.metrics_address == "0.0.0.0:8080"
    assert settings.probe_address == "0.0.0.0:8081"
    assert (settings.webhook_port, settings.webhook_host) == (9443, "0.0.0.0")
    assert settings.stuck_state_timeout == 1200.0
    assert settings.tuned({}).lease.lease_duration == 30.0
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    pod = spec["template"]["spec"]  # type: ignore[index] # JSON
    assert pod["securityContext"]["runAsNonRoot"] is True


def test_a_bad_config_is_not_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('provisioning.workerCount: "0"\n')
    assert main(["manifests", "--config", str(path)]) == 1
    said = capsys.readouterr()
    assert "provisioning.workerCount" in said.out
    assert "Deployment" not in said.out


@pytest.mark.upstream("U28")
def test_what_a_role_grants_is_a_kind_that_is_served() -> None:
    """A rule for a resource that nobody has grants nothing: most likely a slip (U28)."""
    built_in = {resource.kind.plural for resource in Registry()}
    custom = {entry.name.partition(".")[0] for entry in new_store(VirtualRuntime(1)).list(CRD)}
    served = built_in | custom
    for role in rights():
        for rule in role.get("rules", ()):
            for resource in rule["resources"]:
                assert resource.partition("/")[0] in served
            allowed = {"get", "list", "watch", "create", "update", "patch", "delete"}
            assert set(rule["verbs"]) <= allowed
