"""A real API server process for the client's tests."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from beskar7.kube.client import KubeClient


class Server:
    """``python -m emulator.kube`` in a directory of its own; plain HTTP unless ``tls``."""

    def __init__(self, directory: Path, *, tls: bool) -> None:
        self._directory = directory
        self._tls = tls
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.kubeconfig = directory / "kubeconfig"
        self.start()

    def start(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "emulator.kube", "--dir", str(self._directory)]
        command += ["--exit-with-stdin", "--port", str(port)]
        command += [] if self._tls else ["--no-tls"]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        self.url = json.loads(line)["url"]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()
        self.process = None

    def restart(self) -> None:
        """Again on the same port: empty, at a higher resourceVersion, with another token."""
        self.start(int(self.url.rsplit(":", 1)[1]))

    def stop(self) -> None:
        if self.process is not None:
            self.process.communicate(timeout=10)

    def client(self, **options: Any) -> KubeClient:
        return KubeClient.from_kubeconfig(self.kubeconfig, **options)

    def lasting_client(self, **options: Any) -> KubeClient:
        """A client whose token is read anew for every request, as a pod's is."""
        configuration: Any = Configuration()
        configuration.host = self.url
        configuration.api_key_prefix["authorization"] = "Bearer"

        def refresh(current: Configuration) -> None:
            current.api_key["authorization"] = (self._directory / "token").read_text()

        configuration.api_key["authorization"] = ""
        configuration.refresh_api_key_hook = refresh
        return KubeClient.from_configuration(configuration, **options)


@pytest.fixture(scope="module", params=["http", "https"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    one = Server(tmp_path_factory.mktemp("kube"), tls=request.param == "https")
    yield one
    one.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """For tests that kill it."""
    one = Server(tmp_path / "kube", tls=False)
    yield one
    one.stop()


@pytest.fixture
def kube(server: Server) -> Iterator[KubeClient]:
    client = server.client(user_agent="beskar7-manager/test")
    yield client
    client.close()
