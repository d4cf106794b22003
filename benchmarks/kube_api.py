"""The lab's API server beside a bare aiohttp handler: GET, PUT, LIST, watch fan-out, memory.

By hand: ``python benchmarks/kube_api.py [--seconds 2] [--rounds 3]``. Both servers are processes of
their own without TLS; the client is raw asyncio sockets in a third. The bare handler answers with
as many bytes as ours does. The two are measured in turns, and the median round counts, for other
work on the machine hits both.

A client in Python is slower than the server, so GET and LIST are pipelined; a conditional PUT
cannot be, and its rate is the client's. ``busy`` is the server's share of a core: where it is well
below 1, rates say little, and the ratio of processor time per request (``by CPU``) is the one to
read. So the goal on GET is judged by the rates where both servers were saturated (90 % of a core),
else by processor time; the report says which. Writes out/bench/kube_api.json.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUT = ROOT / "out/bench/kube_api.json"
HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"
CONNECTIONS, PIPELINED, WATCHERS, LISTED, MANY = 16, 20, 50, 1000, 10_000
SATURATED = 0.9
GOALS = {"GET, share of the ceiling": 0.6, "LIST CPU ms": 1.0, "MB at 10,000 hosts": 150.0}

BARE = """
import asyncio, sys
from aiohttp import web
import uvloop

async def handle(request):
    if request.method == "PUT":
        await request.read()
    size = int(request.headers["X-Size"])
    return web.Response(body=b"x" * size, content_type="application/json")

async def main():
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print('{"url": "http://127.0.0.1:%d"}' % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


@dataclass
class Server:
    pid: int
    port: int
    token: str

    def cpu(self) -> float:
        """Processor seconds used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def megabytes(self) -> float:
        """Resident memory."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Connection:
    """A keep-alive HTTP connection that reads answers with a Content-Length."""

    def __init__(self, server: Server, size: int = 0) -> None:
        self._server = server
        self._head = f"Host: lab\r\nAuthorization: Bearer {server.token}\r\nUser-Agent: bench/1\r\n"
        self._head += f"X-Size: {size}\r\n"

    async def __aenter__(self) -> Connection:
        self.reader, self._writer = await asyncio.open_connection(
            "127.0.0.1", self._server.port, limit=1 << 26
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def send(
        self, method: str, path: str, body: bytes = b""
    ) -> tuple[int, dict[bytes, bytes]]:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        lines = [line.partition(b": ") for line in answer.lower().split(b"\r\n")[1:] if line]
        return int(answer[9:12]), {name: value for name, _, value in lines}

    async def length(self, path: str) -> int:
        """Bytes of the whole answer to a GET: alike each time, while the object is."""
        self._get = f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode()
        self._writer.write(self._get)
        head = await self.reader.readuntil(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length: ")
        body = int(rest.partition(b"\r\n")[0])
        await self.reader.readexactly(body)
        return len(head) + body

    async def pipeline(self, depth: int, length: int) -> bytes:
        """So many GETs sent at once, and all their answers."""
        self._writer.write(self._get * depth)
        return await self.reader.readexactly(depth * length)

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        status, headers = await self.send(method, path, body)
        return status, await self.reader.readexactly(int(headers[b"content-length"]))


def host(name: str, turn: int = 0) -> dict[str, Any]:
    """As large as a host in a lab: spec, labels, and the status of an enrolled one."""
    return {
        "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
        "kind": "PhysicalHost",
        "metadata": {"name": name, "labels": {"rack": "rack-1", "vendor": "dell"}},
        "spec": {
            "redfishConnection": {
                "address": "http://127.10.0.1:8000",
                "credentialsSecretRef": "bmc-credentials",
            },
            "bootIsoSource": f"http://images/{turn}.iso",
        },
    }


async def populate(server: Server, count: int) -> None:
    async def some(first: int) -> None:
        async with Connection(server) as connection:
            for number in range(first, count, CONNECTIONS):
                body = json.dumps(host(f"bench-{number:05d}")).encode()
                status, answer = await connection.call("POST", HOSTS, body)
                assert status == 201, answer

    await asyncio.gather(*(some(first) for first in range(CONNECTIONS)))


async def rate(
    server: Server, size: int, seconds: float, method: str, path: str
) -> dict[str, float]:
    """Calls a second over all connections, and the server's processor time in us a call.

    ``size`` 0 is our server; a PUT to it carries the version of the answer before.
    """
    done = 0
    used, begin = server.cpu(), time.perf_counter()

    async def reader(number: int) -> None:
        nonlocal done
        at = path.replace("NUMBER", f"{number:05d}")
        depth = 2 if path == HOSTS else PIPELINED
        async with Connection(server, size) as connection:
            length = await connection.length(at)
            while time.perf_counter() < begin + seconds:
                answers = await connection.pipeline(depth, length)
                assert answers.count(b"HTTP/1.1 200 OK") == depth
                done += depth

    async def writer(number: int) -> None:
        nonlocal done
        at = path.replace("NUMBER", f"{number:05d}")
        async with Connection(server, size) as connection:
            _, body = await connection.call("GET", at)
            turn = time.perf_counter_ns()
            while time.perf_counter() < begin + seconds:
                turn += 1
                sent = body
                if not size:
                    obj = json.loads(body)
                    obj["spec"]["bootIsoSource"] = f"http://images/{turn}.iso"
                    sent = json.dumps(obj).encode()
                status, body = await connection.call("PUT", at, sent)
                assert status == 200, body
                done += 1

    client = reader if method == "GET" else writer
    clients = 4 if path == HOSTS else CONNECTIONS
    await asyncio.gather(*(client(number) for number in range(clients)))
    elapsed = time.perf_counter() - begin
    cpu = server.cpu() - used
    return {"rate": done / elapsed, "cpu_us": cpu / done * 1e6, "busy": cpu / elapsed}


async def fan_out(server: Server, writes: int) -> dict[str, float]:
    """Events a second that 50 watchers receive of the writes of one client."""

    async def watch(version: str) -> None:
        async with Connection(server) as connection:
            query = f"?watch=true&resourceVersion={version}"
            status, _ = await connection.send("GET", HOSTS + query)
            assert status == 200
            ready.release()
            left = writes
            while left:
                chunk = await connection.reader.read(1 << 18)
                assert chunk, "the watch ended"
                left -= chunk.count(b'"type":"MODIFIED"')

    ready = asyncio.Semaphore(0)
    async with Connection(server) as connection:
        path = f"{HOSTS}/bench-00000"
        _, body = await connection.call("GET", path)
        _, listed = await connection.call("GET", HOSTS)
        version = json.loads(listed)["metadata"]["resourceVersion"]
        watchers = [asyncio.create_task(watch(version)) for _ in range(WATCHERS)]
        for _ in watchers:
            await ready.acquire()
        used, begin = server.cpu(), time.perf_counter()
        for turn in range(writes):
            obj = json.loads(body)
            obj["spec"]["bootIsoSource"] = f"http://fan/{begin}/{turn}.iso"
            status, body = await connection.call("PUT", path, json.dumps(obj).encode())
            assert status == 200, body
        await asyncio.gather(*watchers)
        elapsed = time.perf_counter() - begin
    events = writes * WATCHERS
    return {"rate": events / elapsed, "cpu_us": (server.cpu() - used) / events * 1e6}


@contextlib.contextmanager
def started(*arguments: str, directory: Path | None = None) -> Iterator[Server]:
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout
        try:
            url = json.loads(process.stdout.readline())["url"]
            token = (directory / "token").read_text() if directory else ""
            yield Server(process.pid, int(url.rpartition(":")[2]), token)
        finally:
            process.kill()


@contextlib.contextmanager
def ours(*options: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as scratch:
        lab = ("-m", "emulator.kube", "--dir", scratch, "--no-tls", "--exit-with-stdin")
        with started(*lab, *options, directory=Path(scratch)) as server:
            yield server


def run_rate(server: Server, size: int, seconds: float, method: str, path: str) -> dict[str, float]:
    return asyncio.run(rate(server, size, seconds, method, path))


def in_turns(
    rounds: int, mine: Callable[[], dict[str, float]], ceiling: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """Medians over the rounds; the ratio is of rates within a round."""
    pairs = [(mine(), ceiling()) for _ in range(rounds)]
    middle = statistics.median
    return {
        "rate": middle(own["rate"] for own, _ in pairs),
        "ceiling": middle(most["rate"] for _, most in pairs),
        "ratio": middle(own["rate"] / most["rate"] for own, most in pairs),
        "cpu_us": middle(own["cpu_us"] for own, _ in pairs),
        "busy": middle(own["busy"] for own, _ in pairs),
        "ceiling_busy": middle(most["busy"] for _, most in pairs),
        "cpu_ratio": middle(most["cpu_us"] / own["cpu_us"] for own, most in pairs),
    }


async def size_of(server: Server, path: str) -> int:
    async with Connection(server) as connection:
        return len((await connection.call("GET", path))[1])


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with ours() as server, started("-c", BARE) as bare:
        asyncio.run(populate(server, LISTED))
        one = f"{HOSTS}/bench-NUMBER"
        for name, method, path in (
            ("GET", "GET", one),
            ("PUT", "PUT", one),
            ("LIST", "GET", HOSTS),
        ):
            size = asyncio.run(size_of(server, path.replace("NUMBER", "00000")))
            found[name] = in_turns(
                rounds,
                functools.partial(run_rate, server, 0, seconds, method, path),
                functools.partial(run_rate, bare, size, seconds, method, path),
            )
            found[name]["bytes"] = size
        spread = [asyncio.run(fan_out(server, 400)) for _ in range(rounds)]
        found["WATCH x50"] = {
            key: statistics.median(each[key] for each in spread) for key in ("rate", "cpu_us")
        }
    with ours() as server:
        empty = server.megabytes()
        asyncio.run(populate(server, MANY))
        found["memory"] = {"empty_mb": empty, "hosts": MANY, "mb": server.megabytes()}
    with tempfile.TemporaryDirectory() as data, ours("--data-dir", data) as server:
        asyncio.run(populate(server, CONNECTIONS))
        kept = [asyncio.run(rate(server, 0, seconds, "PUT", one)) for _ in range(rounds)]
        found["PUT, --data-dir"] = {
            key: statistics.median(each[key] for each in kept) for key in ("rate", "cpu_us")
        }
    return found


def judged(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    get = found["GET"]
    saturated = min(get["busy"], get["ceiling_busy"]) >= SATURATED
    found["judged_by"] = "rate" if saturated else "processor time"
    values = {
        "GET, share of the ceiling": (get["ratio" if saturated else "cpu_ratio"], "at least"),
        "LIST CPU ms": (found["LIST"]["cpu_us"] / 1000, "under"),
        "MB at 10,000 hosts": (found["memory"]["mb"], "under"),
    }
    return {
        name: {
            "value": value,
            "goal": f"{how} {GOALS[name]:g}",
            "met": value >= GOALS[name] if how == "at least" else value < GOALS[name],
        }
        for name, (value, how) in values.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="of load, for each figure")
    parser.add_argument("--rounds", type=int, default=3, help="of both servers in turn")
    options = parser.parse_args()
    found = measure(options.seconds, options.rounds)
    goals = judged(found)
    names = f"{'':16} {'a second':>10} {'ceiling':>10} {'ratio':>6} {'CPU us':>8} {'by CPU':>7}"
    print(f"{names} {'busy':>10}")
    for name, row in found.items():
        if not isinstance(row, dict) or name == "memory":
            continue
        cells = [f"{name:16} {row['rate']:10,.0f}"]
        cells.append(f"{row['ceiling']:10,.0f} {row['ratio']:6.2f}" if "ratio" in row else " " * 17)
        cells.append(f"{row['cpu_us']:8,.0f}")
        if "cpu_ratio" in row:
            cells.append(f"{row['cpu_ratio']:7.2f} {row['busy']:5.2f}/{row['ceiling_busy']:.2f}")
        print(" ".join(cells))
    memory = found["memory"]
    print(f"memory: {memory['mb']:.0f} MB at {MANY:,} hosts, {memory['empty_mb']:.0f} MB without")
    print(f"GET is judged by {found['judged_by']}")
    for name, goal in goals.items():
        print(
            f"{'met' if goal['met'] else 'NOT MET':8} {name}: {goal['value']:.2f} ({goal['goal']})"
        )
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"figures": found, "goals": goals}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
