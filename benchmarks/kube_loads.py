"""Loads on an API server: populate it, call it as fast as it goes, watch what is written."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from kube_servers import Connection, Server

HOSTS = "/apis/infrastructure.cluster.x-k8s.io/v1beta1/namespaces/default/physicalhosts"
CONNECTIONS, PIPELINED, WATCHERS = 16, 20, 50


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
            "tags": [f"http://images/{turn}.iso"],
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
                    obj["spec"]["tags"] = [f"http://images/{turn}.iso"]
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
            obj["spec"]["tags"] = [f"http://fan/{begin}/{turn}.iso"]
            status, body = await connection.call("PUT", path, json.dumps(obj).encode())
            assert status == 200, body
        await asyncio.gather(*watchers)
        elapsed = time.perf_counter() - begin
    events = writes * WATCHERS
    return {"rate": events / elapsed, "cpu_us": (server.cpu() - used) / events * 1e6}


async def size_of(server: Server, path: str) -> int:
    async with Connection(server) as connection:
        return len((await connection.call("GET", path))[1])
