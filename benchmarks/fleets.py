"""Stock sushy-tools and our fleet as processes to put a load on, for :mod:`fleet`."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
PASSWORD = "benchmark"
TOKEN = "benchmark-token-of-the-fleet"
LOGIN = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
START = 600.0
"""Seconds; stock needs eleven for ten thousand systems where nothing else runs, else minutes."""
Request = tuple[str, int, str]


@dataclass
class Target:
    """A server under load: its processes, and each BMC's address and system."""

    pids: list[int]
    bmcs: list[tuple[str, str]]
    """URL and UUID of the system."""
    image: str
    first_answer: float = 0.0
    """Seconds from the start of the process to the first answer."""
    extra: dict[str, Any] = field(default_factory=dict)

    def get(self, index: int) -> Request:
        url, system = self.bmcs[index % len(self.bmcs)]
        return _request(url, "GET", f"/redfish/v1/Systems/{system}")

    def sequence(self, index: int) -> list[Request]:
        """A provisioning: eleven requests, as a client makes them that knows where things are."""
        url, system = self.bmcs[index % len(self.bmcs)]
        here = f"/redfish/v1/Systems/{system}"
        drive = f"{here}/VirtualMedia/Cd"
        boot = {"BootSourceOverrideTarget": "Cd", "BootSourceOverrideEnabled": "Once"}
        steps: list[tuple[str, str, object]] = [
            ("GET", "/redfish/v1/", None),
            ("GET", "/redfish/v1/Systems", None),
            ("GET", here, None),
            ("GET", f"/redfish/v1/Managers/{system}", None),
            ("GET", drive, None),
            ("POST", f"{drive}/Actions/VirtualMedia.InsertMedia", {"Image": self.image}),
            ("PATCH", here, {"Boot": boot}),
            ("POST", f"{here}/Actions/ComputerSystem.Reset", {"ResetType": "On"}),
            ("GET", here, None),
            ("POST", f"{drive}/Actions/VirtualMedia.EjectMedia", {}),
            ("GET", here, None),
        ]
        return [_request(url, *step) for step in steps]

    def memory(self) -> float:
        """Resident KB of all processes."""
        return float(sum(_status(pid, "VmRSS") for pid in self.pids))

    def processor(self) -> float:
        """Processor seconds that the processes have used (Linux)."""
        return sum(_cpu(pid) for pid in self.pids)


def _request(url: str, method: str, path: str, body: object = None) -> Request:
    where = urlsplit(url)
    content = "" if body is None else json.dumps(body)
    lines = [
        f"{method} {path} HTTP/1.1",
        f"Host: {where.netloc}",
        "Connection: close",
        f"Authorization: Basic {LOGIN}",
    ]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return where.hostname or "", where.port or 80, "\r\n".join([*lines, "", content])


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    return 0


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def ours(size: int, *flags: str) -> Iterator[Target]:
    """Our fleet; ``flags`` are those of ``python -m emulator.bmc``."""
    hosts = [
        {
            "name": f"host-{i:05d}",
            "address": f"127.{10 + i // 62_500}.{i // 250 % 250}.{i % 250 + 1}",
        }
        for i in range(size)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        (directory / "spec.json").write_text(
            json.dumps({"hosts": hosts, "scale": {"latency": 0, "boot": 0.001}})
        )
        login = json.dumps({"username": "admin", "password": PASSWORD})
        for name, secret in (("credentials", login), ("token", TOKEN)):
            (directory / name).touch(0o600)
            (directory / name).write_text(secret)
        files = ("--spec", "spec.json", "--credentials", "credentials", "--token-file", "token")
        command = [sys.executable, "-m", "emulator.bmc", "--exit-with-stdin", *files, *flags]
        begin = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin
            assert process.stdout
            try:
                ready = json.loads(process.stdout.readline())
                # The same names give the same UUIDs: they need not be asked for.
                bmcs = [
                    (ready["addresses"][host["name"]], str(uuid.uuid5(NAMESPACE, host["name"])))
                    for host in hosts
                ]
                target = Target(
                    ready.get("pids", [process.pid]), bmcs, "http://images/a.iso", extra=ready
                )
                _first_answer(target.get(0), begin + START)
                target.first_answer = time.monotonic() - begin
                yield target
            finally:
                process.stdin.close()
                process.wait(20)


NAMESPACE = uuid.UUID("6d0f7d4e-6c6a-5f0c-9a4b-b7e5ca770001")


def _first_answer(request: Request, deadline: float) -> None:
    host, port, text = request
    while True:
        with contextlib.suppress(OSError), socket.create_connection((host, port), 30) as client:
            client.sendall(text.encode())
            if b" 200 " in client.recv(65_536)[:16]:
                return
        if time.monotonic() > deadline:
            raise RuntimeError(f"no answer from {host}:{port}")
        time.sleep(0.005)


class _Image(BaseHTTPRequestHandler):
    """What stock downloads when it is told to insert media."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"image")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def stock(size: int) -> Iterator[Target]:
    """Stock sushy-tools without authentication: bcrypt would be the only thing measured."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uuids = [str(uuid.uuid5(NAMESPACE, f"host-{i:05d}")) for i in range(size)]
    systems = [
        {
            "uuid": ident,
            "name": f"host-{i:05d}",
            "power_state": "Off",
            "external_notifier": False,
            "nics": [{"mac": "02:00:00:00:00:01", "ip": "10.0.0.1"}],
        }
        for i, ident in enumerate(uuids)
    ]
    images = ThreadingHTTPServer(("127.0.0.1", 0), _Image)
    Thread(target=images.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "stock.conf"
        state = Path(scratch) / "state"
        state.mkdir()
        config.write_text(
            f"SUSHY_EMULATOR_STATE_DIR = {str(state)!r}\n"
            f"SUSHY_EMULATOR_FAKE_SYSTEMS = {systems!r}\n"
        )
        command = [str(Path(sys.executable).with_name("sushy-emulator")), "--fake", "--config"]
        command += [str(config), "--interface", "127.0.0.1", "--port", str(port)]
        begin = time.monotonic()
        with subprocess.Popen(
            command,
            env={**os.environ, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                where = f"http://127.0.0.1:{port}"
                image = f"http://127.0.0.1:{images.server_port}/a.iso"
                target = Target([process.pid], [(where, ident) for ident in uuids], image)
                _first_answer(target.get(0), begin + START)
                target.first_answer = time.monotonic() - begin
                yield target
            finally:
                process.terminate()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                images.shutdown()
                images.server_close()
