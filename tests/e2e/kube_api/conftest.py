"""The API server as a process, and the official client on it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from kubernetes import client, config

REPOSITORY = Path(__file__).parents[3]
START = 30.0  # seconds


@dataclass
class Server:
    """A running ``python -m emulator.kube``; its stdin is ours, so that it ends with us."""

    process: subprocess.Popen[str]
    directory: Path
    url: str

    @property
    def token(self) -> str:
        return (self.directory / "token").read_text()

    @property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.verify = str(self.directory / "ca.crt")
        session.headers.update({"Authorization": f"Bearer {self.token}", "User-Agent": "e2e/1"})
        return session


def spawn(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "emulator.kube", *arguments],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def started(directory: Path, *arguments: str) -> Server:
    process = spawn("--dir", str(directory), "--exit-with-stdin", *arguments)
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START)
    line = process.stdout.readline() if readable else ""
    if not line:
        process.kill()
        pytest.fail(f"the API server did not start: {process.communicate()[1]}")
    ready: dict[str, Any] = json.loads(line)
    assert ready["ready"] is True
    assert ready["kubeconfig"] == str(directory / "kubeconfig")
    return Server(process, directory, ready["url"])


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Starts servers (directory, *options); what still runs at the end is ended."""
    running: list[Server] = []

    def start(directory: Path, *arguments: str) -> Server:
        running.append(started(directory, *arguments))
        return running[-1]

    yield start
    for server in running:
        if server.process.poll() is None:
            server.process.kill()
            server.process.communicate()


@pytest.fixture(scope="session")
def server_starter() -> Callable[..., Server]:
    """Starts a server (directory, *options) that its caller ends."""
    return started


@pytest.fixture
def spawn_server() -> Callable[..., subprocess.Popen[str]]:
    """A process with these options, not waited for."""
    return spawn


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = started(tmp_path_factory.mktemp("kube"))
    yield server
    _, errors = server.process.communicate(timeout=20)  # closes its stdin
    assert server.process.returncode == 0
    assert "Traceback" not in errors


@pytest.fixture
def api(server: Server) -> Iterator[Any]:
    """The official client, untyped: half of its own types are optional or missing."""
    untyped: Any = config
    made = untyped.new_client_from_config(str(server.directory / "kubeconfig"))
    made.user_agent = "beskar7-manager/e2e"
    yield made
    made.close()


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


@pytest.fixture
def custom(api: Any) -> Any:
    return client.CustomObjectsApi(api)
