"""System GETs a second: one fleet process with 1 and with 1000 BMCs, beside stock sushy-tools.

By hand: ``python benchmarks/fleet.py [--seconds 4]``. All three are measured in one run, by the
same client (16 connections, each request on a connection of its own, as sushy does it); only the
ratios say something on another machine, and the ratio of processor time says most on a busy one.
Nothing changes between the GETs, so the fleet answers from what it rendered before, as it does for
a client that polls.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

CONNECTIONS = 16
PASSWORD = "benchmark"
TOKEN = "benchmark-token-of-the-fleet"


def _cpu(pid: int) -> float:
    """Processor seconds that the process has used (Linux; elsewhere 0)."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _load(pid: int, urls: list[str], seconds: float) -> tuple[float, float, float]:
    """Requests a second, median latency in ms, and the server's processor time in us a request."""
    credentials = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    latencies: list[float] = []
    used = _cpu(pid)
    begin = time.perf_counter()
    end = begin + seconds

    async def client(first: int) -> None:
        index = first
        while time.perf_counter() < end:
            url = urlsplit(urls[index % len(urls)])
            index += CONNECTIONS
            started = time.perf_counter()
            reader, writer = await asyncio.open_connection(url.hostname, url.port)
            writer.write(
                f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nConnection: close\r\n"
                f"Authorization: Basic {credentials}\r\n\r\n".encode()
            )
            answer = await reader.read()
            writer.close()
            if b" 200 " not in answer[:20]:
                raise RuntimeError(answer[:200])
            latencies.append(time.perf_counter() - started)

    await asyncio.gather(*(client(index) for index in range(CONNECTIONS)))
    return (
        len(latencies) / (time.perf_counter() - begin),
        statistics.median(latencies) * 1000,
        (_cpu(pid) - used) / len(latencies) * 1e6,
    )


@contextlib.contextmanager
def _fleet(directory: Path, size: int) -> Iterator[tuple[int, list[str]]]:
    hosts = [
        {"name": f"host-{i:04d}", "address": f"127.10.{i // 250}.{i % 250 + 1}"}
        for i in range(size)
    ]
    spec = {"hosts": hosts, "scale": {"latency": 0}}
    (directory / "spec.json").write_text(json.dumps(spec))
    login = json.dumps({"username": "admin", "password": PASSWORD})
    for name, secret in (("credentials", login), ("token", TOKEN)):
        (directory / name).touch(0o600)
        (directory / name).write_text(secret)
    files = ("--spec", "spec.json", "--credentials", "credentials", "--token-file", "token")
    command = [sys.executable, "-m", "emulator.bmc", "--exit-with-stdin", *files]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            ready = json.loads(process.stdout.readline())
            sys.path.insert(0, environment["PYTHONPATH"])
            from emulator.bmc.client import FleetControl

            state = FleetControl(ready["control"], TOKEN).state()
            yield (
                process.pid,
                [
                    f"{ready['addresses'][name]}/redfish/v1/Systems/{host['uuid']}"
                    for name, host in state.items()
                ],
            )
        finally:
            process.stdin.close()
            process.wait(10)


@contextlib.contextmanager
def _stock(directory: Path) -> Iterator[tuple[int, list[str]]]:
    """Without authentication: stock's bcrypt on every request would be the only thing measured."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "stock.conf"
    config.write_text(f"SUSHY_EMULATOR_STATE_DIR = {str(directory / 'state')!r}\n")
    command = [str(Path(sys.executable).with_name("sushy-emulator")), "--fake", "--config"]
    command += [str(config), "--interface", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 15
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                if time.monotonic() > deadline:
                    raise RuntimeError("stock sushy-tools does not answer")
                time.sleep(0.05)
            system = "27946b59-9e44-4fa7-8e91-f3527a1ef094"
            yield process.pid, [f"http://127.0.0.1:{port}/redfish/v1/Systems/{system}"]
        finally:
            process.terminate()
            process.wait(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of load, for each of the three")
    seconds = parser.parse_args().seconds
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        with _stock(directory) as (pid, urls):
            results["stock sushy-tools"] = asyncio.run(_load(pid, urls, seconds))
        for size in (1, 1000):
            with _fleet(directory, size) as (pid, urls):
                results[f"fleet of {size}"] = asyncio.run(_load(pid, urls, seconds))
    stock_rate, _, stock_cpu = results["stock sushy-tools"]
    for name, (rate, median, cpu) in results.items():
        print(
            f"{name:18} {rate:7.0f} GET/s ({rate / stock_rate:5.1f} x)  p50 {median:6.1f} ms"
            f"  {cpu:6.0f} us processor time a GET ({stock_cpu / max(cpu, 1.0):5.1f} x less)"
        )


if __name__ == "__main__":
    main()
