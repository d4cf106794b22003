"""The API as a process, with one manager as a pod; raw HTTP and WebSocket on it."""

from __future__ import annotations

import json
import os
import select
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beskar7.kube.client import KubeClient
from emulator.deployed import DeployedManagers
from emulator.kube.workloads.objects import POD

REPOSITORY = Path(__file__).parents[3]
PATIENCE = 30.0
"""Seconds that a wait may take on a busy machine; it ends when the thing is seen."""


def _outlives(pid: int, seconds: float = PATIENCE) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([descriptor], [], [], seconds)[0]
    finally:
        os.close(descriptor)


@dataclass
class Lab:
    """A running API server with a Deployment of one manager."""

    process: subprocess.Popen[str]
    directory: Path
    url: str

    def __post_init__(self) -> None:
        self.kube = KubeClient.from_kubeconfig(
            str(self.directory / "kubeconfig"), user_agent="test"
        )
        self.managers = DeployedManagers(self.kube)

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.directory / "ca.crt"))

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.directory / 'token').read_text()}"}

    def pods(self) -> list[dict[str, Any]]:
        return self.kube.list(POD, "beskar7-system").items

    def pids(self) -> list[int]:
        return [
            int(state["containerID"].removeprefix("process://"))
            for pod in self.pods()
            for state in pod["status"]["containerStatuses"]
        ]

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first pod of which it holds."""
        listed = self.kube.list(POD, "beskar7-system")
        for pod in listed.items:
            if holds(pod):
                return pod
        watch = self.kube.watch(
            POD, "beskar7-system", resource_version=listed.resource_version, timeout=PATIENCE
        )
        for event in watch:
            if event.type in ("ADDED", "MODIFIED") and holds(event.object):
                return event.object
        pytest.fail(f"no pod got there: {self.pods()}")


def started(directory: Path, *options: str) -> Lab:
    process = subprocess.Popen(
        [
            sys.executable,
            *("-m", "emulator.kube", "--dir", str(directory), "--exit-with-stdin", *options),
        ],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], PATIENCE)
    line = process.stdout.readline() if readable else ""
    if not line:
        process.kill()
        pytest.fail(f"the API server did not start: {process.communicate()[1]}")
    return Lab(process, directory, json.loads(line)["url"])


@pytest.fixture
def outlives() -> Callable[..., bool]:
    """Whether a process is still there after so many seconds; returns at once when it ends."""
    return _outlives


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[Callable[..., Lab]]:
    """Starts labs of a test's own; what still runs at the end is ended."""
    running: list[Lab] = []

    def start(*options: str) -> Lab:
        running.append(started(tmp_path / "lab", *options))
        return running[-1]

    yield start
    for lab in running:
        if lab.process.poll() is None:
            lab.process.kill()
        lab.process.communicate()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = started(tmp_path_factory.mktemp("lab"))
    lab.managers.create(1, {})
    lab.managers.wait(PATIENCE)
    yield lab
    _, errors = lab.process.communicate(timeout=PATIENCE)
    assert lab.process.returncode == 0
    assert "Traceback" not in errors, errors
