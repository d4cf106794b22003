"""Runs the guide's blocks with bash and the real kubectl on a lab of ``beskar7 up``."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beskar7.runtime import LiveRuntime
from guidetrial.blocks import Block, Expected, GuideError, shortfalls, telling

START = 60.0
"""Seconds until a lab is up, on a busy machine."""
STOP = 30.0
STEP = 180.0
"""Seconds for what is done before and after a block."""
FURNISH = """
set -e
kubectl -n default wait physicalhost --all --for=jsonpath='{.status.state}'=Available --timeout=60s
for name in worker-01 worker-02; do
  kubectl -n default create -f - <<EOF
{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "Beskar7Machine",
 "metadata": {"name": "$name"},
 "spec": {"imageURL": "http://example.com/test.iso", "osFamily": "kairos"}}
EOF
done
kubectl -n default create -f - <<EOF
{"apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1", "kind": "PhysicalHost",
 "metadata": {"name": "lost-host"},
 "spec": {"redfishConnection":
   {"address": "http://127.10.99.99:1", "credentialsSecretRef": "bmc-credentials"}}}
EOF
kubectl -n default create -f - <<EOF
{"apiVersion": "cluster.x-k8s.io/v1beta1", "kind": "MachineDeployment",
 "metadata": {"name": "worker-nodes"},
 "spec": {"clusterName": "c", "replicas": 2, "selector": {"matchLabels": {"a": "b"}},
  "template": {"spec": {"clusterName": "c", "bootstrap": {"dataSecretName": "b"},
   "infrastructureRef": {"kind": "Beskar7MachineTemplate", "name": "t"}}}}}
EOF
kubectl wait beskar7machine --all --for=jsonpath='{.status.phase}'=Provisioned --timeout=60s
kubectl wait physicalhost lost-host --for=jsonpath='{.status.state}'=Error --timeout=60s
"""
"""What the guide takes for granted: two machines that run, a host in Error, nodes to scale."""


@dataclass(frozen=True, slots=True)
class Done:
    """``code`` -1: it was still running at its limit."""

    block: Block
    expected: Expected
    code: int
    output: str
    seconds: float
    shortfalls: list[str]

    def to_json(self) -> dict[str, Any]:
        """What is kept of it."""
        return {
            "digest": self.block.digest,
            "code": self.code,
            "seconds": round(self.seconds, 1),
            "shown": telling(self.expected, self.output),
            "shortfalls": self.shortfalls,
        }


@contextmanager
def lab(hosts: int = 6, managers: int = 2) -> Iterator[dict[str, str]]:
    """A lab that is furnished; the environment for bash in it, as a person's terminal has it."""
    program = Path(sys.executable).with_name("beskar7")
    with tempfile.TemporaryDirectory(prefix="guide-trial-") as scratch:
        process = subprocess.Popen(
            [program, "up", "smoke", "--hosts", str(hosts), "--managers", str(managers), "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            readable, _, _ = select.select([process.stdout], [], [], START)
            line = process.stdout.readline() if readable else ""
            if not line:
                raise GuideError("beskar7 up did not put a lab up")
            kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
            environment = {**kept, "HOME": scratch, "KUBECONFIG": json.loads(line)["kubeconfig"]}
            step(FURNISH, environment, scratch)
            yield environment
        finally:
            try:
                process.communicate(timeout=STOP)  # the end of its input ends it
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def step(commands: str, environment: Mapping[str, str], where: str) -> None:
    """Raises GuideError when the trial's own commands fail."""
    code, output = shell(commands, environment, where, STEP)
    if code:
        raise GuideError(f"{commands.strip()}\n(exit {code})\n{output[-2000:]}")


def shell(
    commands: str, environment: Mapping[str, str], where: str, limit: float
) -> tuple[int, str]:
    """Exit code, -1 if it was ended at its limit with all that it started; and its output."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            ["bash", "-c", commands],
            cwd=where,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(0)
        return code, output.read()


def run_blocks(
    pairs: Sequence[tuple[Block, Expected]],
    environment: Mapping[str, str],
) -> Iterator[Done]:
    """All of them, in the guide's order, each in the directory that all share.

    Raises GuideError when the trial's own commands around one fail.
    """
    clock = LiveRuntime().now
    home = environment["HOME"]
    for block, wanted in pairs:
        if wanted.before:
            step(wanted.before, environment, home)
        path = Path(home) / f"block-{block.number}.{block.language}"
        path.write_text(block.text, encoding="utf-8")
        began = clock()
        code, output = shell(wanted.run, {**environment, "BLOCK": str(path)}, home, wanted.limit)
        found = Done(block, wanted, code, output, clock() - began, shortfalls(wanted, code, output))
        if wanted.after:
            step(wanted.after, environment, home)
        yield found
