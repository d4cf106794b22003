"""The fleet as a process: how it starts, what it says about mistakes, how it ends."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Start

pytestmark = pytest.mark.e2e
Command = Callable[..., list[str]]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=30, input="")


def assert_one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    for part in parts:
        assert part in done.stderr


@pytest.mark.parametrize("address", ["127.20.0.1", "0.0.0.0"])
def test_a_port_in_use_is_said_in_one_line(command: Command, address: str) -> None:
    with socket.socket() as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert_one_line(run(command(port=port)), f"port {port} is in use")


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ({"hosts": []}, ("fleet.json", "spec.hosts", "must be a list of 1 to")),
        ({"tls": "yes"}, ("spec.tls", "must be true or false")),
        ({"faults": [{"kind": "hang", "select": {"hosts": ["z*"]}}]}, ("selects none",)),
    ],
)
def test_a_bad_spec_is_said_in_one_line(
    command: Command, spec: dict[str, Any], parts: tuple[str, ...]
) -> None:
    assert_one_line(run(command(**spec)), *parts)


def test_a_missing_file_and_an_open_secret_are_said_in_one_line(
    command: Command, tmp_path: Path
) -> None:
    line = command()
    (tmp_path / "credentials").chmod(0o644)
    assert_one_line(run(line), "credentials", "others may read it", "chmod 600")
    (tmp_path / "credentials").unlink()
    assert_one_line(run(line), "credentials", "cannot be read")


def test_it_ends_with_its_stdin(start: Start) -> None:
    fleet = start()
    assert fleet.process.stdin
    fleet.process.stdin.close()
    assert fleet.process.wait(10) == 0
    assert fleet.stderr.read_text() == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_on_signals_also_while_requests_hang(start: Start, number: int) -> None:
    fleet = start(faults=[{"kind": "hang"}])
    with socket.create_connection(("127.20.0.1", fleet.ready["port"])) as hanging:
        hanging.sendall(b"GET /redfish/v1/ HTTP/1.1\r\nHost: x\r\n\r\n")
        while not fleet.control.metrics()["in_flight"]:
            pass
        fleet.process.send_signal(number)
        assert fleet.process.wait(10) == 0
    assert fleet.stderr.read_text() == ""


def test_secrets_are_in_neither_arguments_nor_log(start: Start) -> None:
    fleet = start()
    fleet.get()
    arguments = Path(f"/proc/{fleet.process.pid}/cmdline")
    shown = fleet.stderr.read_text() + json.dumps(fleet.ready)
    shown += arguments.read_text() if arguments.exists() else ""
    shown += json.dumps(fleet.control.log().to_json())
    assert "correct horse" not in shown
    assert "token-of-the-control-endpoint" not in shown
