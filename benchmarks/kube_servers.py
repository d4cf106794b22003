"""The servers that are compared, as processes of their own, and a raw client of theirs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

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
