"""A load of Redfish requests, as a process of its own: ``python loadclient.py < job.json``.

Each request is on a connection of its own, as sushy does it. So many clients ask side by side,
each the next request once it has its answer, until the time is over. What is still waited for then
is given up and counted neither way. Prints one line of JSON; see :class:`Report`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import uvloop

PATIENCE = 60.0
"""Seconds for one answer."""


@dataclass
class Report:
    """``seconds`` of load, answers by outcome, and their latencies in seconds."""

    seconds: float = 0.0
    answered: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    processor: float = 0.0
    """Processor seconds that this client used."""
    p50: float = 0.0
    p99: float = 0.0


class Exchange(asyncio.Protocol):
    """One request and its answer, up to the end of the connection."""

    def __init__(self, done: asyncio.Future[bytes], request: bytes) -> None:
        self.done = done
        self.request = request
        self.got = b""

    def connection_made(self, transport: Any) -> None:
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.got = self.got + data if self.got else data

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(self.got)


class Load:
    def __init__(self, job: dict[str, Any]) -> None:
        self.targets = [
            [(host, port, request.encode()) for host, port, request in target]
            for target in job["targets"]
        ]
        self.clients: int = job["clients"]
        self.seconds: float = job["seconds"]
        self.report = Report()
        self.latencies: list[float] = []

    async def run(self) -> Report:
        loop = asyncio.get_running_loop()
        begin, used = loop.time(), time.process_time()
        end = begin + self.seconds
        tasks = [asyncio.ensure_future(self._client(i, end)) for i in range(self.clients)]
        _, late = await asyncio.wait(tasks, timeout=self.seconds)
        self.report.seconds = loop.time() - begin
        for task in late:
            task.cancel()
        self.report.processor = time.process_time() - used
        self.latencies.sort()
        self.report.answered = len(self.latencies)
        if self.latencies:
            self.report.p50 = self.latencies[len(self.latencies) // 2]
            self.report.p99 = self.latencies[len(self.latencies) * 99 // 100]
        return self.report

    async def _client(self, index: int, end: float) -> None:
        """Goes from target to target, apart from the other clients."""
        loop = asyncio.get_running_loop()
        while loop.time() < end:
            for host, port, request in self.targets[index % len(self.targets)]:
                begin = loop.time()
                if begin >= end:
                    return
                problem = await self._ask(host, port, request)
                if problem:
                    self.report.errors[problem] = self.report.errors.get(problem, 0) + 1
                else:
                    self.latencies.append(loop.time() - begin)
            index += self.clients

    async def _ask(self, host: str, port: int, request: bytes) -> str:
        """What went wrong, or nothing."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bytes] = loop.create_future()
        transport = None
        try:
            async with asyncio.timeout(PATIENCE):
                transport, _ = await loop.create_connection(
                    lambda: Exchange(done, request), host, port, family=socket.AF_INET
                )
                answer = await done
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return type(error).__name__
        finally:
            if transport is not None:
                transport.abort()
        status = answer[9:12].decode("ascii", "replace")
        return "" if status.startswith("2") else status or "no answer"


def main() -> None:
    load = Load(json.load(sys.stdin))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(load.run()))))


if __name__ == "__main__":
    main()
