"""``beskar7 manager`` serves the webhooks, and reads for them with no more than its own role."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE_TEMPLATE, MACHINE_DEPLOYMENT, NAMESPACE, SECRET
from beskar7.kube.client import KubeClient

pytestmark = pytest.mark.e2e

GROUP = "infrastructure-cluster-x-k8s-io-v1beta1"


@contextlib.contextmanager
def process(*command: str) -> Iterator[dict[str, Any]]:
    """Its ready line; it ends with its stdin."""
    child = subprocess.Popen(
        [sys.executable, "-m", *command, "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    try:
        line = child.stdout.readline()
        assert line, child.communicate()[1]
        yield json.loads(line)
    finally:
        child.communicate(timeout=30)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[tuple[Path, KubeClient]]:
    """An API server that applies no admission itself: where it runs, and the admin's client."""
    with process("emulator.kube", "--no-admission", "--dir", str(tmp_path / "api")) as ready:
        client = KubeClient.from_kubeconfig(ready["kubeconfig"], user_agent="test")
        yield tmp_path / "api", client
        client.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_managers_webhooks_see_the_cluster(
    api: tuple[Path, KubeClient], certificate: Path, caller_at: Callable[[int], Any]
) -> None:
    directory, kube = api
    kube.create(
        NAMESPACE,
        {"metadata": {"name": "lab", "annotations": {"beskar7.io/environment": "test"}}},
    )
    kube.create(
        SECRET,
        {
            "metadata": {"namespace": "lab", "name": "bmc"},
            "stringData": {"username": "beskar", "password": "admin"},
        },
    )
    ref = {
        "apiVersion": BESKAR7_MACHINE_TEMPLATE.api_version,
        "kind": "Beskar7MachineTemplate",
        "name": "x",
    }
    kube.create(
        MACHINE_DEPLOYMENT,
        {
            "apiVersion": MACHINE_DEPLOYMENT.api_version,
            "kind": "MachineDeployment",
            "metadata": {"namespace": "lab", "name": "workers"},
            "spec": {
                "clusterName": "c",
                "selector": {},
                "template": {
                    "spec": {"clusterName": "c", "bootstrap": {}, "infrastructureRef": ref}
                },
            },
        },
    )
    host = {
        "apiVersion": BESKAR7_MACHINE_TEMPLATE.api_version,
        "kind": "PhysicalHost",
        "metadata": {"namespace": "lab", "name": "h"},
        "spec": {
            "redfishConnection": {"address": "http://10.0.0.1", "credentialsSecretRef": "bmc"}
        },
    }
    port = free_port()
    flags = (
        f"--kubeconfig={directory / 'beskar7-controller-manager.kubeconfig'}",
        "--metrics-bind-address=127.0.0.1:0",
        "--health-probe-bind-address=127.0.0.1:0",
        f"--webhook-port={port}",
        f"--webhook-cert-dir={certificate}",
    )
    with process("beskar7", "manager", *flags) as ready:
        assert ready["webhooks"] == f"https://127.0.0.1:{port}"
        caller = caller_at(port)
        said = caller.ask(f"/validate-{GROUP}-physicalhost", "CREATE", object=host)
        assert said["allowed"], said
        assert said["warnings"] == [
            "spec.redfishConnection.address: plain HTTP sends the BMC's password in the clear",
            'Secret "bmc" has one of the passwords that are tried first',
        ]
        template = {**host, "kind": "Beskar7MachineTemplate", "metadata": {**host["metadata"]}}
        template["metadata"]["name"] = "x"
        path = f"/validate-{GROUP}-beskar7machinetemplate"
        said = caller.ask(path, "DELETE", oldObject=template)
        assert said["status"]["code"] == 403
        assert said["status"]["message"].endswith("in use by MachineDeployment workers")
        assert "warnings" not in said  # everything could be read


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        (["--webhook-port=9443"], "--webhook-cert-dir: must name the directory of tls.crt"),
        (["--webhook-port=9443", "--webhook-cert-dir=/nowhere"], "/nowhere/tls.crt: No such file"),
        (["--webhook-port=70000"], "'70000' is not a whole number from 0 to 65535"),
    ],
)
def test_a_users_mistake_is_one_message(
    api: tuple[Path, KubeClient], flags: list[str], hint: str
) -> None:
    directory, _ = api
    done = subprocess.run(
        [
            *(sys.executable, "-m", "beskar7", "manager"),
            f"--kubeconfig={directory / 'kubeconfig'}",
            "--metrics-bind-address=127.0.0.1:0",
            "--health-probe-bind-address=127.0.0.1:0",
            *flags,
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
