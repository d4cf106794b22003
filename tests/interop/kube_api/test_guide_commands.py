"""Every command of the troubleshooting guide, with real kubectl, on a live lab; and their record.

With ``KUBERNETES_SUPPORT_RESULTS`` set, what each command did is written to that file, from
which ``ci/kubernetes_support.py`` makes ``docs/kubernetes-support.md``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.runtime import QueueEmpty
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import load

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

COMMANDS: list[dict[str, Any]] = [
    {"section": section["section"], **command}
    for section in yaml.safe_load(
        Path(__file__).with_name("guide_commands.yaml").read_text(encoding="utf-8")
    )
    for command in section["commands"]
]
LIMIT = 75.0  # seconds for one command
PATIENCE = 30.0  # seconds until what TAKES_TIME asks for is there
TAKES_TIME = ("/metrics", "top pod", '"Reconcile"', "coordinator-leader -o yaml")
"""Readings of what comes late: samples, a line that is logged every 15 s, the next holder."""
FAST = {"leader-elect-lease-duration": "4s", "leader-elect-renew-deadline": "3s"}
FAST["leader-elect-retry-period"] = "500ms"
LOST = "lost-host"
ALERTS = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: beskar7-concurrent-provisioning, namespace: beskar7-system}
spec: {groups: []}
"""


def manifest(kind: str, name: str, spec: dict[str, Any], api_version: str) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@pytest.fixture
def world() -> Iterator[LiveWorld]:
    if shutil.which("kubectl") is None:
        if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
            pytest.fail("kubectl is missing, and CI must test with it")
        pytest.skip("kubectl is not installed")
    scenario = load("smoke", ["world.hosts.count=4", "world.managers.replicas=2"])
    scenario.world.managers.args.update(FAST)
    world = LiveWorld(scenario, seed=1, deployed=True)
    try:
        world.start()
        yield world
    finally:
        world.stop()


@pytest.fixture
def shell(world: LiveWorld, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command line as the guide's reader does, in bash."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    environment = {
        **kept,
        "HOME": str(tmp_path),
        "KUBECONFIG": str(world.lab.kubeconfig),
        "NAMESPACE": "default",
        "PENDING": "0",
        "BMC": world.lab.addresses["host-003"],
        "host": LOST,
    }
    (tmp_path / "concurrent-provisioning-alerts.yaml").write_text(ALERTS, encoding="utf-8")

    def run(line: str, **more: Any) -> Any:
        start = subprocess.Popen if more.pop("watch", False) else subprocess.run
        return start(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **more,
        )

    return run


def furnish(world: LiveWorld, shell: Any) -> None:
    """What the guide finds: two machines with hosts, and a host in Error."""
    kube = world.kube
    image = {"imageURL": "http://example.com/test.iso", "osFamily": "kairos"}
    for name in ("worker-01", "worker-02"):
        kube.create(
            BESKAR7_MACHINE, manifest("Beskar7Machine", name, image, BESKAR7_MACHINE.api_version)
        )
    connection = {"address": "http://127.10.99.99:1", "credentialsSecretRef": "bmc-credentials"}
    host = manifest("PhysicalHost", LOST, {"redfishConnection": connection}, "")
    kube.create(PHYSICAL_HOST, {**host, "apiVersion": PHYSICAL_HOST.api_version})
    template = {"spec": {"clusterName": "c", "bootstrap": {"dataSecretName": "b"}}}
    template["spec"]["infrastructureRef"] = {"kind": "Beskar7MachineTemplate", "name": "t"}
    nodes = manifest(
        "MachineDeployment",
        "worker-nodes",
        {
            "clusterName": "c",
            "replicas": 2,
            "selector": {"matchLabels": {"a": "b"}},
            "template": template,
        },
        "cluster.x-k8s.io/v1beta1",
    )
    done = shell(f"kubectl apply -f - <<'EOF'\n{json.dumps(nodes)}\nEOF")
    assert done.returncode == 0, done.stdout
    for line in (
        "kubectl wait beskar7machine worker-01 worker-02 "
        "--for=jsonpath='{.status.phase}'=Provisioned --timeout=60s",
        f"kubectl wait physicalhost {LOST} --for=jsonpath='{{.status.state}}'=Error --timeout=60s",
        "kubectl wait physicalhost host-001 host-002 host-003 host-004 "
        "--for=jsonpath='{.status.ready}'=true --timeout=60s",
    ):
        done = shell(line, timeout=LIMIT)
        if done.returncode:
            state = shell("kubectl get physicalhosts,beskar7machines; kubectl events").stdout
            pytest.fail(f"{done.stdout}\n{state}")


def watched(world: LiveWorld, shell: Any, line: str, wanted: re.Pattern[str]) -> tuple[int, str]:
    """Follow a command that does not end, until it has said what is wanted."""
    process = shell(f"exec {line}", watch=True)
    lines = world.runtime.queue()

    def read() -> None:
        for said in process.stdout:
            lines.put(said)
        lines.put(None)

    reader = world.runtime.spawn(read, name="watch")
    output = ""
    try:
        while not wanted.search(output):
            said = lines.get(timeout=20.0)
            if said is None:
                return 1, output
            output += said
    except QueueEmpty:
        return 1, output
    finally:
        process.terminate()
        process.wait(10)
        reader.join(10.0)
        process.stdout.close()
    return 0, output


def test_every_command_of_the_guide(world: LiveWorld, shell: Any) -> None:
    furnish(world, shell)
    found: list[dict[str, Any]] = []
    wrong: list[str] = []
    for command in COMMANDS:
        line = command.get("as", command["run"])
        if "needs" in command and shutil.which(command["needs"]) is None:
            continue
        wanted = re.compile(command["prints"], re.M)
        if "$HOST_NAME" in line:
            name = shell(
                "kubectl get beskar7machine worker-01 -o jsonpath='{.status.hostRef.name}'"
            )
            line = line.replace("$HOST_NAME", name.stdout)
        if "before" in command:
            done = shell(command["before"], timeout=LIMIT)
            assert done.returncode == 0, done.stdout
        if command.get("watch"):
            code, output = watched(world, shell, line, wanted)
        else:
            done = shell(line, timeout=LIMIT)
            deadline = world.runtime.now() + PATIENCE
            while any(word in line for word in TAKES_TIME) and not wanted.search(done.stdout):
                if world.runtime.now() > deadline:
                    break
                world.runtime.sleep(0.3)
                done = shell(line, timeout=LIMIT)
            code, output = done.returncode, done.stdout
        fails = "cannot" in command or "refused" in command
        if not wanted.search(output) or fails != (code != 0):
            wrong.append(f"$ {line}\n(exit {code}, wanted {command['prints']!r})\n{output[-600:]}")
        if "after" in command:
            done = shell(command["after"], timeout=LIMIT)
            if done.returncode:
                wrong.append(
                    f"$ {command['after']}\n(exit {done.returncode})\n{done.stdout[-600:]}"
                )
        found.append({"run": command["run"], "exit": code, "output": shown(command, output)})
    results = os.environ.get("KUBERNETES_SUPPORT_RESULTS")
    if results and not wrong:
        Path(results).write_text(json.dumps(found, indent=1), encoding="utf-8")
    assert not wrong, "\n\n".join(wrong)


def shown(command: dict[str, Any], output: str) -> str:
    return "(a secret)" if command.get("secret") else output[:4000]
