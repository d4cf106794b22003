"""The API's faults over HTTP: a gate before the verbs, and the endpoint that sets them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import orjson
from aiohttp import web

from beskar7.api.errors import ApiError, BadRequest, MethodNotAllowed, NotFound
from beskar7.api.kinds import Kind
from emulator.faultbase import entries
from emulator.fields import FieldError
from emulator.kube.api.http import BODY, error_response, json_response, read_body
from emulator.kube.faults.faults import Active, ApiFaults, Effect
from emulator.kube.faults.faultspec import OF_PROCESSES, ApiFault, Asked

PATH = "/lab/faults"
Perform = Callable[[float], Awaitable[web.StreamResponse]]
_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, with zero seconds: closing sends RST in place of FIN."""
_ABORTED = 5.0
"""Seconds within which the loop reports an aborted connection as lost, and ends the request."""
LONGEST_WAIT = 120.0
"""Seconds after which a connection is cut whose answer was lost and whose client still waits;
the controller waits for 10 (:data:`emulator.kube.faults.faultclient.PATIENCE`)."""
_WRITES = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def asked(
    agent: str, method: str, watch: bool, kind: Kind, namespace: str, name: str, subresource: str
) -> Asked:
    """A request in the words of faults and of the write log."""
    verb = _WRITES.get(method, "get" if name else "watch" if watch else "list")
    if verb in ("update", "patch") and subresource == "status":
        verb += "_status"
    return Asked(agent, verb, kind.kind, namespace, name)


async def gate(
    faults: ApiFaults, request: web.BaseRequest, about: Asked, perform: Perform
) -> web.StreamResponse:
    """Answer a request as far as the faults allow.

    ``perform`` answers it; its argument is the age in seconds of the state to show.
    """
    effect = faults.on_request(about)
    if effect.delay:
        await asyncio.sleep(effect.delay)
    if effect.there or effect.back:
        request[BODY] = await read_body(request)  # its client may be gone when it arrives
        perform = partial(_carry, perform, effect, about.verb)
    if effect.fault is None:
        return await perform(effect.age)
    # What is answered by a stream cannot take effect without its answer.
    if effect.perform and about.verb != "watch" and "/" not in about.kind:
        with contextlib.suppress(ApiError):  # that answer is lost as well
            await perform(effect.age)
    if effect.outcome == "error":
        return error_response(effect.fault.refusal())
    if effect.outcome == "loss":
        await asyncio.sleep(LONGEST_WAIT)
    if effect.outcome == "hang":
        await _hold(faults, effect.fault.id, effect.ends)
    cut(request)
    await asyncio.sleep(_ABORTED)
    raise ConnectionResetError("the connection was cut by a fault")


async def _carry(perform: Perform, effect: Effect, verb: str, age: float) -> web.StreamResponse:
    """Over a slow network: a call that is on its way arrives without its client, too."""
    if verb == "watch":
        await asyncio.sleep(effect.there + effect.back)
        return await perform(age)

    async def arrive() -> web.StreamResponse:
        await asyncio.sleep(effect.there)
        return await perform(age)

    answer = await asyncio.shield(asyncio.ensure_future(arrive()))
    await asyncio.sleep(effect.back)
    return answer


def cut(request: web.BaseRequest) -> None:
    """End the client's connection at once, with RST where the system allows it."""
    transport = request.transport
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


async def _hold(faults: ApiFaults, fault_id: str, ends: float | None) -> None:
    """Until the fault ends by itself or is cleared; cancelled when the client goes."""
    changed = asyncio.Event()
    forget = faults.subscribe(changed.set)
    try:
        while faults.holds(fault_id):
            changed.clear()
            left = None if ends is None else max(0.0, ends - faults.runtime.now())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), left)
    finally:
        forget()


class FaultControl:
    """``/lab/faults``: GET lists, POST adds one or ``{"faults": [...]}``, DELETE clears."""

    def __init__(self, faults: ApiFaults) -> None:
        self._faults = faults

    async def serve(self, request: web.BaseRequest, path: str) -> web.Response:
        """Raises an ``ApiError`` for what it refuses."""
        name = unquote(path.removeprefix(PATH).strip("/"))
        if request.method == "GET" and not name:
            return self._answer({"faults": [self._told(a) for a in self._faults.list()]})
        if request.method == "POST" and not name:
            added = self._add(await read_body(request))
            return self._answer({"faults": [self._told(active) for active in added]}, 201)
        if request.method == "DELETE":
            cleared = self._faults.clear(name or None)
            if name and not cleared:
                raise NotFound(f"no fault {name!r}")
            return self._answer({"cleared": cleared})
        raise MethodNotAllowed(f"{PATH} takes GET, POST and DELETE, {PATH}/ID only DELETE")

    def _add(self, body: bytes) -> list[Active]:
        """All of them or, on an error, none."""
        added: list[Active] = []
        try:
            given, origin = entries(orjson.loads(body))
            for where, entry in given:
                fault = ApiFault.from_dict(entry, where, default_id=self._faults.next_id())
                if fault.kind in OF_PROCESSES and fault.kind not in self._faults.acted_out:
                    raise FieldError(
                        f"{where}.kind: {fault.kind} is of the client's own process: a scenario "
                        "sets it for the managers that it starts; this server runs no pods"
                    )
                added.append(self._faults.add(fault, origin))
        except orjson.JSONDecodeError:
            raise BadRequest("body: must be JSON") from None
        except FieldError as bad:
            for active in added:
                self._faults.clear(active.fault.id)
            raise BadRequest(str(bad)) from None
        return added

    def _told(self, active: Active) -> dict[str, Any]:
        return {
            **active.fault.to_dict(),
            "origin": active.origin,
            "hits": active.hits,
            "active": active.in_force(self._faults.runtime.now()),
        }

    def _answer(self, data: object, status: int = 200) -> web.Response:
        return json_response(orjson.dumps(data), status=status)
