"""The live fleet: one process, one event loop, one listening socket for all BMCs.

Which BMC is meant is the address that the client connected to. Requests wait for their latency on
the loop's timers, so a slow BMC slows nobody else; only :meth:`Fleet.perform` occupies the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import struct

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from emulator.bmc.door import Door
from emulator.bmc.fleet import Bmc, Fleet, Plan
from emulator.bmc.heads import Heads
from emulator.bmc.listen import Listening
from emulator.bmc.redfish import READS, Request, Response

KEEPALIVE = 75.0
"""Seconds that an idle connection is kept."""
HANDSHAKE = 10.0
"""Seconds that a client has for its TLS handshake."""
SHUTDOWN = 0.5
"""Seconds that requests under way get at the end."""
_NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, with zero seconds: closing sends RST in place of FIN."""


class Link:
    """One client connection: the BMC it is for, and whether the client is still there."""

    __slots__ = ("bmc", "drawn", "gone")

    def __init__(self, bmc: Bmc) -> None:
        self.bmc = bmc
        self.gone = asyncio.Event()
        self.drawn: tuple[Request, Plan] | None = None
        """The request that comes next, where its plan is made already."""


class Handler(web.RequestHandler):
    """aiohttp's connection, which calls a method that nobody knows 501 as DSP0266 wants it."""

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, BadHttpMethod):
            refusal = web.Response(status=501)
            refusal.force_close()
            return refusal
        return super().handle_error(request, status, exc, message)


class FleetServer(web.Server):
    """Serves a fleet on sockets that are open already. Made inside the running loop."""

    def __init__(self, fleet: Fleet, listening: Listening) -> None:
        super().__init__(self.answer, access_log=None, keepalive_timeout=KEEPALIVE)
        self.fleet = fleet
        self.requests = 0
        self.loop = asyncio.get_running_loop()
        self.heads = Heads()
        self.doors: set[Door] = set()
        """The connections that there are."""
        self._listening = listening
        self._links: dict[web.RequestHandler, Link] = {}
        self._servers: list[asyncio.Server] = []
        self._sweep: asyncio.TimerHandle | None = None

    async def start(self, tls: ssl.SSLContext | None) -> None:
        for sock in self._listening.sockets:
            limit = HANDSHAKE if tls else None
            self._servers.append(
                await self.loop.create_server(
                    lambda: Door(self), sock=sock, ssl=tls, ssl_handshake_timeout=limit
                )
            )
        self._expire()

    async def stop(self) -> None:
        """Close everything; what still waits gets :data:`SHUTDOWN` seconds."""
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self._servers:
            server.close()
        for link in self._links.values():
            link.gone.set()
        await self.shutdown(SHUTDOWN)
        for door in list(self.doors):
            door.abort()
        # The transports tell their protocols in the loop's next round.
        await asyncio.sleep(0)

    def _expire(self) -> None:
        before = self.loop.time() - KEEPALIVE
        for door in list(self.doors):
            door.expire(before)
        self._sweep = self.loop.call_later(KEEPALIVE / 5, self._expire)

    def welcome(self, transport: asyncio.Transport) -> Link | None:
        """None for whoever is not on the loopback, or asks for an address without a BMC."""
        address, port = transport.get_extra_info("sockname")[:2]
        peer = transport.get_extra_info("peername")
        wanted = self._listening.by_port.get(port, address)
        bmc = self.fleet.by_address(wanted)
        if bmc is None or peer is None or not ipaddress.ip_address(peer[0]).is_loopback:
            return None
        return Link(bmc)

    def handler(self, link: Link) -> Handler:
        """aiohttp's side of a connection."""
        made = Handler(self, loop=self._loop, **self._kwargs)
        self._links[made] = link
        return made

    def admit(self, link: Link, request: Request) -> Plan:
        self.requests += 1
        return self.fleet.admit(link.bmc, request)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        self._links.pop(handler, None)
        super().connection_lost(handler, exc)

    async def answer(self, http: web.BaseRequest) -> web.StreamResponse:
        """One request, from its arrival to what the client gets of it."""
        link = self._links.get(http.protocol)
        if link is None:
            raise ConnectionResetError
        if link.drawn is not None:
            (request, plan), link.drawn = link.drawn, None
        else:
            url, body = http.rel_url, await http.read()
            request = Request(http.method, url.raw_path, http.headers, body, url.raw_query_string)
            plan = self.admit(link, request)
        acted: Response | None = None
        sent: Response | None = None
        try:
            left = await _pause(link, request, plan.before)
            if plan.perform and not left:
                acted = self.fleet.perform(link.bmc, request)
                left = await _pause(link, request, plan.after)
            if plan.outcome == "hang":
                await self._hang(plan, link)
            elif not left:
                sent = {"proceed": acted, "error": plan.refusal}.get(plan.outcome)
        finally:
            self.fleet.finish(link.bmc, request, plan, sent, acted)
        if sent is None:
            await _drop(http.transport, link, hard=plan.outcome == "reset")
            return web.Response()
        return web.Response(status=sent.status, headers=sent.headers, body=sent.body)

    async def _hang(self, plan: Plan, link: Link) -> None:
        """Hold the connection until the client goes, or the fault ends."""
        left = None if plan.ends is None else max(0.0, plan.ends - self.fleet.runtime.now())
        over = asyncio.Event()
        forget = self.fleet.on_release(plan.fault, over.set)
        waits = [asyncio.ensure_future(link.gone.wait()), asyncio.ensure_future(over.wait())]
        try:
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            forget()
            for wait in waits:
                wait.cancel()


async def _pause(link: Link, request: Request, seconds: float) -> bool:
    """Let the latency pass; True when the client of a read left before its end.

    A BMC stops to render for nobody. What it was told to do it does all the same.
    """
    if seconds <= 0.0:
        return False
    if request.method not in READS:
        await asyncio.sleep(seconds)
        return False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await link.gone.wait()
            return True
    return False


async def _drop(transport: asyncio.Transport | None, link: Link, *, hard: bool) -> None:
    """End the connection without an answer, ``hard`` by a reset, and wait until it is gone."""
    if transport is None:
        return
    if hard:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    else:
        transport.close()
    await link.gone.wait()
