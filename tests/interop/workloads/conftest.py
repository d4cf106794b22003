"""kubectl on a lab's API whose managers run as pods."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from emulator.deployed import NAME, NAMESPACE, manifest

ONE_COMMAND = 60.0  # seconds
DEPLOYMENT = f"deployment/{NAME}"
FAST = {
    "leader-elect-lease-duration": "4s",
    "leader-elect-renew-deadline": "3s",
    "leader-elect-retry-period": "500ms",
}


@dataclass
class Kubectl:
    """Calls kubectl in the managers' namespace."""

    program: str
    minor: int
    home: Path
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return {**kept, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, "-n", NAMESPACE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=ONE_COMMAND,
            env=self.environment,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def shell(self, script: str) -> str:
        """A line of the guide, as it is typed."""
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            timeout=ONE_COMMAND,
            env=self.environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.program, "-n", NAMESPACE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
        )

    @property
    def has_exec(self) -> bool:
        """Over WebSocket; before 1.31 kubectl speaks SPDY only, which the lab refuses."""
        return self.minor >= 31

    def rolled_out(self) -> str:
        return self("rollout", "status", DEPLOYMENT, "--timeout=40s")

    def pods(self) -> list[dict[str, Any]]:
        """Those that are not going."""
        items = json.loads(self("get", "pods", "-o", "json"))["items"]
        return [each for each in items if "deletionTimestamp" not in each["metadata"]]

    def wait(self, what: str, expression: str) -> None:
        self("wait", what, f"--for={expression}", "--timeout=40s")

    def deploy(self, replicas: int) -> None:
        """The managers afresh, whatever a test has done to them."""
        self("delete", DEPLOYMENT, "--ignore-not-found", "--cascade=foreground", "--wait")
        self("apply", "-f", "-", stdin=yaml.safe_dump(manifest(replicas, FAST)))
        self.rolled_out()


@pytest.fixture(scope="module")
def no_manager_left() -> Iterator[list[Path]]:
    """Checks, once the lab whose directory is put in is down, that none of its processes lives."""
    directories: list[Path] = []
    yield directories
    left = [each for each in _commands() if any(str(d) in each for d in directories)]
    assert left == [], "managers outlived their lab"


@pytest.fixture(scope="module")
def kubectl(no_manager_left: list[Path], kubectl_lab: Any) -> Kubectl:
    no_manager_left.append(kubectl_lab.directory)
    return Kubectl(kubectl_lab.program, kubectl_lab.minor, kubectl_lab.home, kubectl_lab.kubeconfig)


def _commands() -> Iterator[str]:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


@pytest.fixture(scope="module")
def managers(kubectl: Kubectl) -> Kubectl:
    """kubectl with two managers that run; for tests that leave them as they are."""
    kubectl.deploy(2)
    return kubectl
