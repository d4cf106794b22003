"""The requests that the workloads answer: pods' subresources, metrics.k8s.io, summed /metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from beskar7.api.errors import (
    BadRequest,
    InternalError,
    MethodNotAllowed,
    TooManyRequests,
)
from beskar7.api.objects import Object
from emulator.kube.api.http import Target, decode_body, json_response, read_body
from emulator.kube.store.deletion import DeleteOptions
from emulator.kube.store.pipeline import Call
from emulator.kube.tables.ages import parse_time
from emulator.kube.workloads import channels, forward, proxy, usageroutes
from emulator.kube.workloads.container import Container
from emulator.kube.workloads.objects import POD, meta, spec, status
from emulator.kube.workloads.podlog import ContainerLog, Wanted, bounded, select

if TYPE_CHECKING:
    from emulator.kube.workloads.service import Workloads

_MAX_SESSIONS = 64
_SUBRESOURCE = re.compile(
    r"/api/v1/namespaces/([^/]+)/pods/([^/]+)/(log|exec|eviction|attach|portforward|proxy)"
    r"((?<=/proxy)/.*)?"
)
_METRICS = re.compile(
    r"/apis/metrics\.k8s\.io/v1beta1/(?:namespaces/([^/]+)/)?(pods|nodes)(?:/([^/]+))?"
)


def subresource(path: str) -> tuple[str, str, str] | None:
    """Namespace and name of the pod, and which of its subresources; None for other paths."""
    match = _SUBRESOURCE.fullmatch(path)
    return None if match is None else (match.group(1), match.group(2), match.group(3))


async def answer(
    workloads: Workloads, request: web.BaseRequest, asked: Target
) -> web.StreamResponse | None:
    """None for a path that is not ours. Raises an ``ApiError`` for what is refused."""
    path = asked.path
    if path == "/metrics":
        text = await workloads.metrics()
        return web.Response(text=text, content_type="text/plain", charset="utf-8")
    found = subresource(path)
    if found is not None:
        namespace, name, what = found
        if what == "log":
            _only(request, "GET")
            return await _log(workloads, request, asked, namespace, name)
        if what == "exec":
            _only(request, "GET", "POST")
            return await _exec(workloads, request, asked, namespace, name)
        if what == "eviction":
            _only(request, "POST")
            return await _evict(workloads, request, asked, namespace, name)
        if what == "portforward":
            _only(request, "GET", "POST")
            return await _forward(workloads, request, asked, namespace, name)
        if what == "proxy":
            _only(request, "GET")
            return await _proxy(workloads, request, path, namespace, name)
        raise MethodNotAllowed("the lab has no attach: use exec, or logs -f")
    match = _METRICS.fullmatch(path)
    if match is not None:
        _only(request, "GET")
        if asked.flag("watch"):
            raise MethodNotAllowed("metrics.k8s.io has no watch: ask again")
        namespace, plural, name = match.groups()
        if plural == "pods":
            return usageroutes.pods(workloads, asked, namespace or "", name or "")
        return usageroutes.nodes(workloads, asked, name or "")
    return None


def _only(request: web.BaseRequest, *methods: str) -> None:
    if request.method not in methods:
        raise MethodNotAllowed("the server does not allow this method on the requested resource")


def _container(
    workloads: Workloads, namespace: str, name: str, wanted: str
) -> tuple[Object, Container | None]:
    """The pod, and its container if it runs here. Raises ``NotFound`` and ``BadRequest``."""
    pod = workloads.store.get(POD, namespace, name).obj
    names = [each.get("name", "") for each in spec(pod).get("containers") or ()]
    if not wanted and len(names) > 1:
        chosen = (meta(pod).get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
        if chosen is None:
            listed = " ".join(names)
            raise BadRequest(
                f"a container name must be specified for pod {name}, choose one of: [{listed}]"
            )
        wanted = chosen
    wanted = wanted or names[0]
    if wanted not in names:
        raise BadRequest(f"container {wanted} is not valid for pod {name}")
    worker = workloads.kubelet.find(namespace, name)
    return pod, worker.container(wanted) if worker is not None else None


def _waiting(container: str, name: str, pod: Object, reason: str) -> BadRequest:
    why = "ContainerCreating" if spec(pod).get("nodeName") else "Pending"
    return BadRequest(
        f'container "{container}" in pod "{name}" is waiting to start: {reason or why}'
    )


def _wanted(asked: Target, now: float) -> Wanted:
    seconds = asked.number("sinceSeconds", low=1)
    moment = asked.query.get("sinceTime")
    since = None if seconds is None else now - seconds
    if moment:
        if seconds is not None:
            raise BadRequest("at most one of `sinceTime` or `sinceSeconds` may be specified")
        since = parse_time(moment)
        if since is None:
            raise BadRequest(f'sinceTime: "{moment[:40]}" is not an RFC 3339 time')
    tail = asked.query.get("tailLines")
    return Wanted(
        since=since,
        tail=None if tail in (None, "", "-1") else asked.number("tailLines"),
        timestamps=asked.flag("timestamps"),
        limit=asked.number("limitBytes", low=1),
    )


async def _log(
    workloads: Workloads, request: web.BaseRequest, asked: Target, namespace: str, name: str
) -> web.StreamResponse:
    pod, container = _container(workloads, namespace, name, asked.query.get("container", ""))
    wanted = _wanted(asked, workloads.store.runtime.wall())
    if container is None:
        raise _waiting(asked.query.get("container") or "", name, pod, "")
    if asked.flag("previous"):
        # Between two lives the one that has just ended is the previous one, as on a real node.
        between = container.process is None and container.logs.previous is None
        log = container.logs.current if between else container.logs.previous
        if log is None or (between and not container.state.last):
            raise BadRequest(
                f'previous terminated container "{container.name}" in pod "{name}" not found'
            )
    else:
        log = container.logs.current
    if log is None:
        reason = (container.state.state.get("waiting") or {}).get("reason", "")
        raise _waiting(container.name, name, pod, reason)
    response = web.StreamResponse()
    response.content_type = "text/plain"
    response.enable_chunked_encoding()
    try:
        await response.prepare(request)
        await _send(workloads, response, log, wanted, follow=asked.flag("follow"))
        await response.write_eof()
    except ConnectionError:
        pass  # the reader went away
    return response


async def _send(
    workloads: Workloads,
    response: web.StreamResponse,
    log: ContainerLog,
    wanted: Wanted,
    *,
    follow: bool,
) -> None:
    woken = log.follow()
    workloads.following.add(woken)
    try:
        lines, offset = log.raw_lines()
        left = wanted.limit
        text = b"".join(bounded(select(lines, wanted), left))
        if text:
            await response.write(text)
        left = None if left is None else left - len(text)
        while follow and not workloads.closing and (left is None or left > 0):
            woken.clear()
            data, offset = log.read(offset)
            if data:
                shown = [wanted.show(line) for line in data.splitlines() if wanted.accepts(line)]
                text = b"".join(bounded(shown, left))
                await response.write(text)
                left = None if left is None else left - len(text)
            elif log.closed:
                return
            else:
                await woken.wait()
    finally:
        workloads.following.discard(woken)
        log.leave(woken)


async def _exec(
    workloads: Workloads, request: web.BaseRequest, asked: Target, namespace: str, name: str
) -> web.StreamResponse:
    query = parse_qs(request.raw_path.partition("?")[2], keep_blank_values=True)
    flags = {flag: asked.flag(flag) for flag in ("stdin", "stdout", "stderr", "tty")}
    _, container = _container(workloads, namespace, name, asked.query.get("container", ""))
    if container is None or container.process is None or not container.process.alive:
        called = container.name if container is not None else ""
        raise InternalError(f'unable to upgrade connection: container not found ("{called}")')
    made = channels.command(
        query.get("command", []),
        flags,
        environment=container.environment,
        directory=container.pod.directory,
    )
    return await _session(workloads, channels.serve(request, made))


async def _session(
    workloads: Workloads, serving: Coroutine[Any, Any, web.StreamResponse]
) -> web.StreamResponse:
    """A session that the end of the workloads ends. Raises ``TooManyRequests``."""
    if len(workloads.sessions) >= _MAX_SESSIONS:
        serving.close()
        raise TooManyRequests(f"{_MAX_SESSIONS} sessions of exec and port-forward are open already")
    task = asyncio.current_task()
    assert task is not None
    workloads.sessions.add(task)
    try:
        return await serving
    finally:
        workloads.sessions.discard(task)


async def _forward(
    workloads: Workloads, request: web.BaseRequest, asked: Target, namespace: str, name: str
) -> web.StreamResponse:
    pod = workloads.store.get(POD, namespace, name).obj
    worker = workloads.kubelet.find(namespace, name)
    if worker is None or status(pod).get("phase") != "Running":
        phase = status(pod).get("phase") or "Pending"
        raise BadRequest(f"unable to forward port because pod is not running. status: {phase}")
    forward.check(request, worker.ip)
    query = parse_qs(request.raw_path.partition("?")[2])
    ports = forward.wanted(query.get("ports", []))
    wanted = forward.Forward(f"{namespace}/{name}", worker.uid, worker.ip, ports)
    return await _session(workloads, forward.serve(request, wanted))


async def _proxy(
    workloads: Workloads, request: web.BaseRequest, path: str, namespace: str, text: str
) -> web.StreamResponse:
    name, port = proxy.named(text)
    workloads.store.get(POD, namespace, name)
    worker = workloads.kubelet.find(namespace, name)
    if worker is None:
        raise BadRequest(f"pod {name} does not run yet")
    query = request.raw_path.partition("?")[2]
    within = "/".join(path.split("/")[8:])
    wanted = f"/{within}" + (f"?{query}" if query else "")
    return await proxy.serve(request, workloads.http(), proxy.url(worker, port, wanted))


async def _evict(
    workloads: Workloads, request: web.BaseRequest, asked: Target, namespace: str, name: str
) -> web.Response:
    """``kubectl drain``: a deletion; there are no disruption budgets here."""
    sent = decode_body(request.headers.get("Content-Type", ""), await read_body(request))
    given = sent.get("deleteOptions") if isinstance(sent, dict) else None
    options = DeleteOptions.read(given or {}, asked.query)
    agent = request.headers.get("User-Agent", "")[:256]
    call = Call(client=agent, dry_run=options.dry_run or asked.query.get("dryRun") == "All")
    workloads.store.delete(
        POD,
        namespace,
        name,
        uid=options.uid,
        resource_version=options.resource_version,
        grace=options.grace,
        call=call,
    )
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return json_response(orjson.dumps(body), status=201)
