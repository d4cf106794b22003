"""A container as an operating system process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from emulator.kube.workloads.images import Launch
from emulator.kube.workloads.podlog import ContainerLog, Splitter

_CHUNK = 64 * 1024
_PIPES_CLOSE = 2.0
"""Seconds after the process' end for what is left in its pipes; a grandchild may hold them."""


class ContainerProcess:
    """Started by :meth:`start`; its standard input is ours, so that it does not outlive us."""

    def __init__(self, process: asyncio.subprocess.Process, launch: Launch) -> None:
        self.launch = launch
        self.ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Done once the process says that it serves (True), or has ended before that."""
        self.metrics = self.probes = ""
        """URLs of its endpoints, once it serves."""
        self.begun = 0.0
        """``Runtime.now()`` of the start."""
        self._process = process
        self._ended = asyncio.get_running_loop().create_task(self._end(), name="container")
        self._pumps: list[asyncio.Task[None]] = []

    @classmethod
    async def start(
        cls,
        launch: Launch,
        environment: Mapping[str, str],
        directory: Path,
        log: ContainerLog,
        wall: Callable[[], float],
    ) -> ContainerProcess:
        """Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *launch.argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=directory,
            env=dict(environment),
            start_new_session=True,
        )
        made = cls(process, launch)
        loop = asyncio.get_running_loop()
        for stream, reader in (("stdout", process.stdout), ("stderr", process.stderr)):
            assert reader is not None
            pump = made._pump(reader, stream, log, wall)
            made._pumps.append(loop.create_task(pump, name=f"{stream} of a container"))
        return made

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return not self._ended.done()

    async def wait(self) -> int:
        """The exit code as a container runtime gives it: 128 + N for signal N."""
        return await asyncio.shield(self._ended)

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, grace: float) -> int:
        """SIGTERM, and SIGKILL after ``grace`` seconds; the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.wait(), max(grace, 0.0))
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    async def _end(self) -> int:
        code = await self._process.wait()
        _, slow = await asyncio.wait(self._pumps, timeout=_PIPES_CLOSE)
        for pump in slow:
            pump.cancel()
        if not self.ready.done():
            self.ready.set_result(False)
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code if code >= 0 else 128 - code

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        stream: str,
        log: ContainerLog,
        wall: Callable[[], float],
    ) -> None:
        splitter = Splitter()
        while data := await reader.read(_CHUNK):
            for line, part in splitter.feed(data):
                if stream == "stdout" and not self.ready.done() and self._serves(line):
                    continue
                log.append(wall(), stream, line, part=part)
        for line, part in splitter.end():
            log.append(wall(), stream, line, part=part)

    def _serves(self, line: bytes) -> bool:
        """The line in which a manager says where it serves; it is no part of its log."""
        try:
            said: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if not (isinstance(said, dict) and said.get("ready") is True):
            return False
        self.metrics = _url(said.get("metrics"), self.launch.metrics[0])
        self.probes = _url(said.get("probes"), self.launch.probes[0])
        self.ready.set_result(True)
        return True


def _url(said: object, host: str) -> str:
    """The URL with the port that was said and the host that was asked for."""
    port, _, path = str(said).removeprefix("http://").partition("/")
    return f"http://{host}:{port.rpartition(':')[2]}{f'/{path}' if path else ''}"
