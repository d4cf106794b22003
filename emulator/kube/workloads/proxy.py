"""``pods/NAME:PORT/proxy``: a GET that the API server passes on to a pod's own HTTP server."""

from __future__ import annotations

import re

import aiohttp
from aiohttp import web

from beskar7.api.errors import BadRequest, ServiceUnavailable
from emulator.kube.workloads.container import Container
from emulator.kube.workloads.images import METRICS_PORT, PROBES_PORT
from emulator.kube.workloads.objects import spec
from emulator.kube.workloads.pod import PodWorker

MAX_BODY = 32 * 1024 * 1024
"""Bytes of an answer that is passed on."""
TIMEOUT = 30.0
"""Seconds for all of an answer: a profile of the processor takes its time."""
_CHUNK = 64 * 1024
_NAME = re.compile(r"(?:(https?):)?([a-z0-9.-]{1,253})(?::([0-9]{0,5}))?")


def named(text: str) -> tuple[str, int | None]:
    """Pod and port of ``[http:]NAME[:PORT]``. Raises :class:`BadRequest`."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise BadRequest(f'invalid pod request "{text[:80]}"')
    scheme, name, port = match.groups()
    if scheme == "https":
        raise BadRequest("the lab's pods serve plain HTTP: leave https: out")
    if port and not 0 < int(port) <= 65535:
        raise BadRequest(f'"{port}" is not a port: 1 to 65535')
    return name, int(port) if port else None


def url(worker: PodWorker, port: int | None, path: str) -> str:
    """Where the pod serves ``path``; without a port the first that its containers name."""
    if port is None:
        containers = spec(worker.obj).get("containers") or ()
        ports = [each for found in containers for each in found.get("ports") or ()]
        port = int(ports[0]["containerPort"]) if ports else 80
    for container in worker.containers:
        base = _elsewhere(container, port)
        if base:
            return f"{base}{path}"
    return f"http://{worker.ip}:{port}{path}"


def _elsewhere(container: Container, port: int) -> str:
    """Where the usual ports were taken, a manager serves on others; it said on which."""
    process = container.process
    if process is None or not process.alive:
        return ""
    said = {METRICS_PORT: process.metrics, PROBES_PORT: process.probes}.get(port, "")
    return said.removesuffix("/metrics")


async def serve(
    request: web.BaseRequest, http: aiohttp.ClientSession, target: str
) -> web.StreamResponse:
    """The pod's answer as it comes. Raises :class:`ServiceUnavailable` when there is none."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    try:
        async with http.get(target, timeout=timeout, allow_redirects=False) as answer:
            response = web.StreamResponse(status=answer.status)
            response.headers["Content-Type"] = answer.headers.get("Content-Type", "text/plain")
            await response.prepare(request)
            sent = 0
            async for chunk in answer.content.iter_chunked(_CHUNK):
                sent += len(chunk)
                if sent > MAX_BODY:
                    raise ConnectionResetError(f"more than {MAX_BODY} bytes")
                await response.write(chunk)
            await response.write_eof()
            return response
    except (aiohttp.ClientConnectorError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or "no answer in time"
        raise ServiceUnavailable(f"error trying to reach service: {why}".lower()) from None
