"""GET/s and conditional PUT/s of the lab's API server, beside a bare aiohttp handler.

Run by hand: ``python benchmarks/kube_api.py [--seconds 3]``. Both servers are processes of their
own without TLS; the client is raw asyncio sockets, so that it is not what is measured. The ratio
carries over between machines, the absolute figures do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"
CONNECTIONS = 16

BARE = """
import asyncio, sys
from aiohttp import web
import uvloop

BODY = b"x" * 500

async def handle(request):
    if request.method == "PUT":
        await request.read()
    return web.Response(body=BODY, content_type="application/json")

async def main():
    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print('{"url": "http://127.0.0.1:%d"}' % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


class Connection:
    """A keep-alive HTTP connection that reads answers with a Content-Length."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str):
        self._reader = reader
        self._writer = writer
        self._head = f"Host: lab\r\nAuthorization: Bearer {token}\r\nUser-Agent: bench/1\r\n"

    async def call(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._writer.write(head.encode() + b"\r\n" + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        lines = answer.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        return int(answer[9:12]), await self._reader.readexactly(length)


async def measure(url: str, token: str, method: str, seconds: float, real: bool) -> float:
    """Calls per second over all connections; a PUT carries the version of the answer before."""
    host, port = url.rpartition("/")[2].split(":")
    done = 0
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection(host, int(port))
        connection = Connection(reader, writer, token)
        path = f"{HOSTS}/bench-{number}"
        _, body = await connection.call("GET", path)
        turn = 0
        while time.perf_counter() < end:
            if method == "GET":
                status, _ = await connection.call("GET", path)
            else:
                turn += 1
                if real:
                    obj = json.loads(body)
                    obj["spec"]["bootIsoSource"] = f"http://images/{turn}.iso"
                    sent = json.dumps(obj).encode()
                else:
                    sent = body
                status, body = await connection.call("PUT", path, sent)
            assert status == 200, status
            done += 1
        writer.close()

    await asyncio.gather(*(client(number) for number in range(CONNECTIONS)))
    return done / seconds


async def prepare(url: str, token: str) -> None:
    host, port = url.rpartition("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    connection = Connection(reader, writer, token)
    for number in range(CONNECTIONS):
        obj = {
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
            "kind": "PhysicalHost",
            "metadata": {"name": f"bench-{number}"},
            "spec": {"redfishConnection": {"address": "http://a", "credentialsSecretRef": "b"}},
        }
        status, answer = await connection.call("POST", HOSTS, json.dumps(obj).encode())
        assert status == 201, answer
    writer.close()


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per figure")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as directory:
        lab = ("-m", "emulator.kube", "--dir", directory, "--no-tls", "--exit-with-stdin")
        ours, url = start(*lab)
        bare, bare_url = start("-c", BARE)
        try:
            token = (Path(directory) / "token").read_text()
            asyncio.run(prepare(url, token))
            for method in ("GET", "PUT"):
                most = asyncio.run(measure(bare_url, token, method, seconds, real=False))
                found = asyncio.run(measure(url, token, method, seconds, real=True))
                print(f"{method}: {found:,.0f}/s, bare {most:,.0f}/s, ratio {found / most:.2f}")
        finally:
            for process in (ours, bare):
                process.kill()
                process.communicate()


if __name__ == "__main__":
    main()
