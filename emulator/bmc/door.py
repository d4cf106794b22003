"""A client's connection: plain requests are answered here, everything else by aiohttp.

aiohttp needs a task, a parser and four objects for a connection that most clients of a BMC use for
one request; that is more work than the answer. So a connection begins here, and is handed to
aiohttp for good with the first request that is not plain, or that a fault has hit.
"""

from __future__ import annotations

import asyncio
import http
import logging
from typing import TYPE_CHECKING, cast

from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE

from emulator.bmc import redfish
from emulator.bmc.redfish import READS, Request, Response

if TYPE_CHECKING:
    from emulator.bmc.plan import Plan
    from emulator.bmc.server import FleetServer, Handler, Link

log = logging.getLogger(__name__)
HELD = 65_536
"""Bytes that a client may send ahead of its answers."""
_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class Door(asyncio.Protocol):
    """One connection, from its begin to its end."""

    __slots__ = (
        *("_close", "_full", "_held", "_inner", "_link", "_plan", "_request", "_server"),
        *("_timer", "_transport", "since"),
    )

    def __init__(self, server: FleetServer) -> None:
        self._server = server
        self._inner: Handler | None = None
        self._link: Link | None = None
        self._transport: asyncio.Transport | None = None
        self._request: Request | None = None
        """The request under way."""
        self._plan: Plan | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._close = False
        self._full = False
        self._held = b""
        self.since = 0.0
        """When the connection was last used, on the loop's clock; seconds."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's are no subclass of it.
        self._transport = cast("asyncio.Transport", transport)
        self._link = self._server.welcome(self._transport)
        if self._link is None:
            return
        self.since = self._server.loop.time()
        self._server.doors.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.doors.discard(self)
        if self._link is not None:
            self._link.gone.set()
        if self._inner is not None:
            self._inner.connection_lost(exc)
        elif self._request is not None and self._request.method in READS:
            if self._timer is not None:
                self._timer.cancel()
            self._finish(None, None)
        # What a BMC was told to do it does, whoever is gone.

    def data_received(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.data_received(data)
        elif self._request is not None or self._full:
            self._held += data
            if len(self._held) > HELD:
                self.abort()
        elif self._link is not None:
            self._ask(self._link, self._held + data if self._held else data)

    def eof_received(self) -> None:
        """The client is gone, as far as aiohttp and we care: the transport closes."""
        if self._inner is not None:
            self._inner.eof_received()

    def pause_writing(self) -> None:
        self._full = True
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._full = False
        if self._inner is not None:
            self._inner.resume_writing()
        else:
            self._go_on()

    def expire(self, before: float) -> None:
        """Close a connection that nobody used since ``before``; aiohttp sees to its own."""
        if self._inner is None and self._request is None and self.since < before:
            self.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _ask(self, link: Link, data: bytes) -> None:
        self._held = b""
        head = self._server.heads.read(data)
        if head is None:
            self._hand_over(link, data)
            return
        if len(data) < head.end:
            self._held = data
            return
        request = Request(head.method, head.path, head.fields, data[head.begin :])
        plan = self._server.admit(link, request)
        if not plan.plain:
            link.drawn = request, plan
            self._hand_over(link, data)
            return
        self._request, self._plan, self._close = request, plan, head.fields.close
        if plan.before > 0.0:
            self._timer = self._server.loop.call_later(plan.before, self._perform)
        else:
            self._perform()

    def _perform(self) -> None:
        assert self._request is not None
        assert self._plan is not None
        assert self._link is not None
        try:
            acted = self._server.fleet.perform(self._link.bmc, self._request, self._plan)
        except Exception:
            log.exception("%s %s", self._request.method, self._request.path)
            acted = redfish.error(500, "The emulated BMC failed")
        if self._plan.after > 0.0:
            self._timer = self._server.loop.call_later(self._plan.after, self._answer, acted)
        else:
            self._answer(acted)

    def _answer(self, acted: Response) -> None:
        assert self._transport is not None
        assert self._link is not None
        self._finish(acted, acted)
        if self._link.gone.is_set():
            return
        self._transport.write(encode(acted, close=self._close))
        if self._close:
            self._transport.close()
            return
        self.since = self._server.loop.time()
        self._go_on()

    def _finish(self, sent: Response | None, acted: Response | None) -> None:
        assert self._request is not None
        assert self._plan is not None
        assert self._link is not None
        self._server.fleet.finish(self._link.bmc, self._request, self._plan, sent, acted)
        self._request = self._plan = self._timer = None

    def _go_on(self) -> None:
        """With what the client has sent ahead."""
        if self._held and not self._full and self._link is not None:
            self._ask(self._link, self._held)

    def _hand_over(self, link: Link, data: bytes) -> None:
        assert self._transport is not None
        self._inner = self._server.handler(link)
        self._inner.connection_made(self._transport)
        self._inner.data_received(data)


def encode(answer: Response, *, close: bool) -> bytes:
    """The answer on the wire, with the headers that aiohttp would add."""
    status, headers, body = answer
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if status not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
        if body and "Content-Type" not in headers:
            lines.append("Content-Type: application/octet-stream")
    lines.append(f"Date: {rfc822_formatted_time()}")
    lines.append(f"Server: {SERVER_SOFTWARE}")
    if close:
        lines.append("Connection: close")
    lines.append("\r\n")
    return "\r\n".join(lines).encode() + body
