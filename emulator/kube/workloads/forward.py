"""``port-forward`` over WebSocket, as client libraries speak it: ``v4.channel.k8s.io``.

The n-th port asked for has channel 2n for its bytes and 2n+1 for words about what went wrong; on
both the server first sends the port, two bytes, the low one first. One connection to a port, open
from the beginning; the first that ends, or cannot be had, ends the session, for these channels
cannot be closed one by one. kubectl speaks SPDY instead, since 1.30
through a WebSocket; that is refused with a word on what to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from beskar7.api.errors import BadRequest

PROTOCOL = "v4.channel.k8s.io"
MAX_PORTS = 16
_CHUNK = 32 * 1024
_MAX_MESSAGE = 1024 * 1024
_HEARTBEAT = 30.0
_CONNECT = 5.0
"""Seconds; a port on this machine answers at once, or is not there."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Which ports of which pod; ``address`` is where its process listens."""

    pod: str
    uid: str
    address: str
    ports: tuple[int, ...]


def wanted(values: Sequence[str]) -> tuple[int, ...]:
    """The parameter ``ports``, given once or more, with commas. Raises :class:`BadRequest`."""
    texts = [text for value in values for text in value.split(",") if text]
    if not texts:
        raise BadRequest('query parameter "ports" is required')
    if len(texts) > MAX_PORTS:
        raise BadRequest(f"ports: at most {MAX_PORTS} at a time, not {len(texts)}")
    for text in texts:
        if not text.isascii() or not text.isdigit() or not 0 < int(text[:6]) <= 65535:
            raise BadRequest(f'ports: "{text[:20]}" is not a port: 1 to 65535')
    return tuple(int(text) for text in texts)


def check(request: web.BaseRequest, address: str) -> None:
    """Raises :class:`BadRequest` for a client that speaks another protocol."""
    upgrade = request.headers.get("Upgrade", "").lower()
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    if upgrade != "websocket" or PROTOCOL not in {each.strip() for each in offered.split(",")}:
        raise BadRequest(
            f"port-forward is served over WebSocket with {PROTOCOL} only, as client libraries do "
            f"it; kubectl needs SPDY, which the lab does not speak. The pod's ports are open on "
            f"this machine at its address, {address}"
        )


async def serve(request: web.BaseRequest, forward: Forward) -> web.StreamResponse:
    """Until the client, or the other side of a port, is gone; see :func:`check`."""
    socket = web.WebSocketResponse(
        protocols=(PROTOCOL,), max_msg_size=_MAX_MESSAGE, heartbeat=_HEARTBEAT, compress=False
    )
    await socket.prepare(request)
    try:
        for index, port in enumerate(forward.ports):
            for channel in (2 * index, 2 * index + 1):
                await socket.send_bytes(bytes([channel]) + struct.pack("<H", port))
        await _Session(socket, forward).run()
    except ConnectionError:
        pass  # the client is gone
    finally:
        await socket.close()
    return socket


class _Session:
    def __init__(self, socket: web.WebSocketResponse, forward: Forward) -> None:
        self._socket = socket
        self._forward = forward
        self._writers: dict[int, asyncio.StreamWriter] = {}

    async def run(self) -> None:
        ports = enumerate(self._forward.ports)
        opened = await asyncio.gather(*(self._open(index, port) for index, port in ports))
        readers = [(index, reader) for index, reader in enumerate(opened) if reader is not None]
        pumps = [asyncio.create_task(self._pump(index, reader)) for index, reader in readers]
        receiving = asyncio.create_task(self._receive())
        try:
            if len(pumps) == len(opened):
                await asyncio.wait({*pumps, receiving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*pumps, receiving):
                task.cancel()
            for writer in self._writers.values():
                writer.close()

    async def _open(self, index: int, port: int) -> asyncio.StreamReader | None:
        try:
            connecting = asyncio.open_connection(self._forward.address, port)
            reader, writer = await asyncio.wait_for(connecting, _CONNECT)
        except (OSError, TimeoutError) as error:
            why = (getattr(error, "strerror", None) or "timed out").lower()
            to = f"{self._forward.address}:{port}"
            said = (
                f"error forwarding port {port} to pod {self._forward.pod}, "
                f"uid {self._forward.uid}: failed to connect to {to}: {why}"
            )
            await self._socket.send_bytes(bytes([2 * index + 1]) + said.encode())
            return None
        self._writers[2 * index] = writer
        return reader

    async def _pump(self, index: int, reader: asyncio.StreamReader) -> None:
        head = bytes([2 * index])
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_CHUNK):
                await self._socket.send_bytes(head + data)

    async def _receive(self) -> None:
        """What the client sends, until it goes away."""
        async for message in self._socket:
            if message.type is not WSMsgType.BINARY or not message.data:
                continue
            writer = self._writers.get(message.data[0])
            if writer is not None and not writer.is_closing():
                with contextlib.suppress(ConnectionError):
                    writer.write(message.data[1:])
                    await writer.drain()
