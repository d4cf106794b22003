"""What happens to a connection before there is HTTP on it: reset, and TLS with its failures."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from emulator.bmc.door import Door

if TYPE_CHECKING:
    from emulator.bmc.server import FleetServer

HANDSHAKE = 10.0
"""Seconds that a client has for its TLS handshake."""
NO_LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER on, with zero seconds: closing sends RST in place of FIN."""
ACCEPTED_AT_ONCE = 100
"""Connections taken in one turn of the loop."""
HANDSHAKE_FAILURE = bytes((21, 3, 3, 0, 2, 2, 40))
"""A TLS record (RFC 8446, 5.1 and 6): alert, fatal, handshake_failure."""


@dataclass(frozen=True, slots=True)
class Contexts:
    """How a fleet serves TLS: as it should, and with a certificate that has run out."""

    good: ssl.SSLContext
    expired: ssl.SSLContext


def cut(transport: asyncio.BaseTransport) -> None:
    """End a connection by RST."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    cast(asyncio.Transport, transport).abort()


class Gate:
    """Takes the connections of a fleet with TLS, and lets those through that no fault hits.

    With ``create_server`` of asyncio the handshake comes before anybody is asked.
    """

    def __init__(self, server: FleetServer, contexts: Contexts) -> None:
        self._server = server
        self._contexts = contexts
        self._loop = asyncio.get_running_loop()
        self._sockets: list[socket.socket] = []
        self._entering: set[asyncio.Task[None]] = set()

    def open(self, listening: socket.socket) -> None:
        self._sockets.append(listening)
        self._loop.add_reader(listening, self._accept, listening)

    async def close(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        for task in self._entering:
            task.cancel()
        await asyncio.gather(*self._entering, return_exceptions=True)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client, _ = listening.accept()
            except OSError:  # There is none any more, or it has gone already.
                return
            client.setblocking(False)
            task = self._loop.create_task(self._enter(client))
            self._entering.add(task)
            task.add_done_callback(self._entering.discard)

    async def _enter(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            bmc = self._server.called(client.getsockname(), client.getpeername())
            kind = "refused" if bmc is None else self._server.fleet.connect(bmc)
            if kind in ("refused", "reset-at-accept"):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            elif kind == "tls-failure":
                await self._refuse(client)
            else:
                expired = kind == "certificate-expired"
                await self._loop.connect_accepted_socket(
                    lambda: Door(self._server),
                    client,
                    ssl=self._contexts.expired if expired else self._contexts.good,
                    ssl_handshake_timeout=HANDSHAKE,
                )
                return
        client.close()

    async def _refuse(self, client: socket.socket) -> None:
        """Answer the ClientHello by an alert: before it, a client reads nothing."""
        async with asyncio.timeout(HANDSHAKE):
            await self._loop.sock_recv(client, 65_536)
            await self._loop.sock_sendall(client, HANDSHAKE_FAILURE)
