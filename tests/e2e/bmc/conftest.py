"""A fleet as a real process, for the tests that talk to it over sockets."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import sushy

from emulator.bmc.client import FleetControl

PASSWORD = "correct horse battery"
TOKEN = "token-of-the-control-endpoint"
ENDS_WITHIN = 10.0


@dataclass
class FleetProcess:
    process: subprocess.Popen[str]
    ready: dict[str, Any]
    control: FleetControl
    stderr: Path
    password: str = PASSWORD

    def url(self, host: str = "host-001") -> str:
        address: str = self.ready["addresses"][host]
        return address

    @property
    def verify(self) -> str | bool:
        return str(self.ready.get("ca") or True)

    def sushy(self, host: str = "host-001", password: str = PASSWORD) -> sushy.Sushy:
        """One attempt a request, two seconds each."""
        return sushy.Sushy(
            self.url(host),
            auth=sushy.auth.BasicAuth("admin", password),
            verify=self.verify if self.ready["tls"] else True,
            read_timeout=2,
            server_side_retries=1,
            server_side_retries_delay=0.01,
        )

    def get(self, path: str = "/redfish/v1/", host: str = "host-001") -> requests.Response:
        return requests.get(
            self.url(host) + path, auth=("admin", PASSWORD), timeout=2, verify=self.verify
        )

    def system_path(self, host: str = "host-001") -> str:
        path: str = self.control.state()[host]["system"]
        return path


def files(directory: Path, **spec: Any) -> list[str]:
    """Write the fleet's files; returns the command line that serves it."""
    hosts = [
        {
            "name": f"host-{i + 1:03d}",
            "address": f"127.20.{i // 250}.{i % 250 + 1}",
            "vendor": ("dell", "hpe", "lenovo", "supermicro")[i % 4],
        }
        for i in range(4)
    ]
    scale = {"boot": 0.002, "latency": 0}
    (directory / "fleet.json").write_text(
        json.dumps({"seed": 7, "hosts": hosts, "scale": scale, **spec})
    )
    for name, secret in (
        ("credentials", json.dumps({"username": "admin", "password": PASSWORD})),
        ("token", TOKEN),
    ):
        (directory / name).touch(0o600)
        (directory / name).write_text(secret)
    paths = {"--spec": "fleet.json", "--credentials": "credentials", "--token-file": "token"}
    options = [part for name, file in paths.items() for part in (name, str(directory / file))]
    return [sys.executable, "-m", "emulator.bmc", "--exit-with-stdin", *options]


Start = Callable[..., FleetProcess]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start fleets; all of them are ended with the module."""
    started: list[subprocess.Popen[str]] = []

    def begin(flags: tuple[str, ...] = (), **spec: Any) -> FleetProcess:
        directory = tmp_path_factory.mktemp("fleet")
        stderr = directory / "stderr"
        with stderr.open("w") as errors:
            process = subprocess.Popen(
                [*files(directory, **spec), *flags],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        started.append(process)
        assert process.stdout
        line = process.stdout.readline()
        assert line, stderr.read_text()
        ready = json.loads(line)
        return FleetProcess(process, ready, FleetControl(ready["control"], TOKEN), stderr)

    yield begin
    for process in started:
        assert process.stdin
        process.stdin.close()
        assert process.wait(ENDS_WITHIN) is not None
        assert process.stdout
        process.stdout.close()


@pytest.fixture(scope="module")
def shared(start: Start) -> FleetProcess:
    """One fleet for the tests of a module that leave it as they found it."""
    return start()


@pytest.fixture
def fleet(shared: FleetProcess) -> Iterator[FleetProcess]:
    yield shared
    shared.control.clear_faults()


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., list[str]]:
    return lambda **spec: files(tmp_path, **spec)
