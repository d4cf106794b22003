"""The live fleet: one process, one event loop, one listening socket for all BMCs.

Which BMC is meant is the address that the client connected to. Requests wait for their latency on
the loop's timers, so a slow BMC slows nobody else; only :meth:`Fleet.perform` occupies the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
from functools import lru_cache

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod

from emulator.bmc.bmc import Bmc
from emulator.bmc.door import Door
from emulator.bmc.fleet import Fleet
from emulator.bmc.gate import Contexts, Gate, cut
from emulator.bmc.heads import Heads
from emulator.bmc.listen import Listening
from emulator.bmc.plan import Plan
from emulator.bmc.redfish import READS, Request, Response

KEEPALIVE = 75.0
"""Seconds that an idle connection is kept."""
SHUTDOWN = 0.5
"""Seconds that requests under way get at the end."""


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
        self._gate: Gate | None = None

    async def start(self, tls: Contexts | None) -> None:
        """``tls``: None for plain HTTP."""
        for sock in self._listening.sockets:
            if tls is None:
                self._servers.append(await self.loop.create_server(lambda: Door(self), sock=sock))
            else:
                self._gate = self._gate or Gate(self, tls)
                self._gate.open(sock)
        self._expire()

    async def stop(self) -> None:
        """Close everything; what still waits gets :data:`SHUTDOWN` seconds."""
        if self._sweep is not None:
            self._sweep.cancel()
        for server in self._servers:
            server.close()
        if self._gate is not None:
            await self._gate.close()
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
        """None for a connection that is over already: a stranger's, or one that a fault hit."""
        bmc = self.called(
            transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        )
        if bmc is None:
            transport.abort()
        elif self._gate is None and self.fleet.connect(bmc):
            cut(transport)
        else:
            return Link(bmc)
        return None

    def handler(self, link: Link) -> Handler:
        """aiohttp's side of a connection."""
        made = Handler(self, loop=self._loop, **self._kwargs)
        self._links[made] = link
        return made

    def admit(self, link: Link, request: Request) -> Plan:
        self.requests += 1
        return self.fleet.admit(link.bmc, request)

    def called(self, here: tuple[str, int], peer: tuple[str, int] | None) -> Bmc | None:
        """The BMC that a client of this machine connected to; None for anybody else."""
        if peer is None or not _is_loopback(peer[0]):
            return None
        return self.fleet.by_address(self._listening.by_port.get(here[1], here[0]))

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
                acted = self.fleet.perform(link.bmc, request, plan)
                left = await _pause(link, request, plan.after)
            if plan.outcome == "hang":
                await self._hang(plan, link)
            elif not left:
                sent = plan.answer(acted)
                if sent is not None and sent.body and plan.in_pieces:
                    return await self._send(http, link, plan, sent)
        finally:
            self.fleet.finish(link.bmc, request, plan, sent, acted)
        if sent is None:
            await _drop(http.transport, link, hard=plan.outcome == "reset")
            return web.Response()
        return web.Response(status=sent.status, headers=sent.headers, body=sent.body)

    async def _send(
        self, http: web.BaseRequest, link: Link, plan: Plan, answer: Response
    ) -> web.StreamResponse:
        """Send the body as slowly as the plan says, as much of it as it says."""
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        response.content_length = len(answer.body)
        await response.prepare(http)
        now = self.fleet.runtime.now
        over = asyncio.Event()
        forget = self.fleet.on_release(plan.fault, over.set)
        body, at = answer.body[: plan.sent(answer.body)], 0
        while at < len(body) and not link.gone.is_set():
            free = over.is_set() or (plan.ends is not None and now() >= plan.ends)
            size = len(body) if free else plan.piece
            if not free and plan.rate < math.inf:
                pause = min(size, len(body) - at) / plan.rate
                await _pause_or_gone(link, min(pause, (plan.ends or math.inf) - now()))
            await response.write(body[at : at + size])
            at += size
        forget()
        if plan.then != "end":
            if plan.then == "hang":
                await self._hang(plan, link)
            await _drop(http.transport, link, hard=False)
        return response

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


@lru_cache(maxsize=1024)
def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


async def _pause(link: Link, request: Request, seconds: float) -> bool:
    """Let the latency pass; True when the client of a read left before its end.

    A BMC stops to render for nobody. What it was told to do it does all the same.
    """
    if seconds <= 0.0:
        return False
    if request.method not in READS:
        await asyncio.sleep(seconds)
        return False
    return await _pause_or_gone(link, seconds)


async def _pause_or_gone(link: Link, seconds: float) -> bool:
    """Wait; True when the client left before the end."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(max(0.0, seconds)):
            await link.gone.wait()
            return True
    return False


async def _drop(transport: asyncio.Transport | None, link: Link, *, hard: bool) -> None:
    """End the connection without an answer, ``hard`` by a reset, and wait until it is gone."""
    if transport is None:
        return
    if hard:
        cut(transport)
    else:
        transport.close()
    await link.gone.wait()
