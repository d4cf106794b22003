"""HTTP answers of bounded size and total time, and connections that can be cut.

The timeout of ``requests`` is one of each read from the socket, so a server that drips a byte now
and then outlives it for ever (measured). Here it is the whole answer's, head and body.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import io
import socket
import weakref
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from beskar7.runtime import Runtime

MAX_ANSWER = 10 * 1024 * 1024
"""Bytes. The largest Redfish documents, registries, have about one million."""
CHUNK = 64 * 1024
MAX_RETRY_AFTER = 300.0
"""Seconds: no BMC keeps its host waiting longer, whatever it says."""


class BoundedAdapter(HTTPAdapter):
    """Lets an answer take no longer than the request's read timeout, from its first byte to
    its last."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._sockets = _Sockets(runtime)
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes(self._runtime, self._sockets)

    def cut(self) -> None:
        """Break off what is under way, and connect to nothing any more."""
        self._sockets.cut()


class _Sockets:
    """Those that are open. Who reads from one of them sees its end when it is cut."""

    def __init__(self, runtime: Runtime) -> None:
        # A connection forgets its socket while the answer is still read from it.
        self._open: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = runtime.lock()
        self._is_cut = False

    def opened(self, sock: socket.socket) -> None:
        """Raises ConnectionAbortedError after :meth:`cut`."""
        with self._lock:
            if not self._is_cut:
                self._open.add(sock)
                return
        sock.close()
        raise ConnectionAbortedError(errno.ECONNABORTED, "cut off by this side")

    def cut(self) -> None:
        with self._lock:
            self._is_cut = True
            for sock in self._open:
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    sock.shutdown(socket.SHUT_RDWR)


def _pool_classes(runtime: Runtime, sockets: _Sockets) -> dict[str, type[HTTPConnectionPool]]:
    class BoundedResponse(http.client.HTTPResponse):
        """Reads from the socket only until the timeout that the socket has at the beginning."""

        def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
            super().__init__(sock, *args, **kwargs)
            patience = sock.gettimeout()
            if patience is not None:
                raw = self.fp.detach()
                self.fp = io.BufferedReader(_Until(runtime, runtime.now() + patience, sock, raw))

    class PlainConnection(HTTPConnection):
        response_class = BoundedResponse

        def connect(self) -> None:
            super().connect()
            sockets.opened(self.sock)

    class TlsConnection(HTTPSConnection):
        response_class = BoundedResponse

        def connect(self) -> None:
            super().connect()
            sockets.opened(self.sock)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = PlainConnection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": PlainPool, "https": TlsPool}


class _Until(io.RawIOBase):
    """A socket's stream that ends, with TimeoutError, at ``end``."""

    def __init__(self, runtime: Runtime, end: float, sock: socket.socket, raw: Any) -> None:
        self._runtime = runtime
        self._end = end
        self._sock = sock
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - self._runtime.now()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


def read_bounded(runtime: Runtime, response: requests.Response, end: float) -> None:
    """Read the whole body of a streamed answer, before ``runtime.now()`` is ``end``.

    Raises:
        requests.exceptions.ConnectionError: it was too large, took too long, or broke off.
    """
    body = bytearray()
    for chunk in response.iter_content(CHUNK):
        body += chunk
        if len(body) > MAX_ANSWER:
            response.close()
            raise requests.exceptions.ConnectionError(f"answer larger than {MAX_ANSWER} bytes")
        if runtime.now() > end:
            response.close()
            raise requests.exceptions.ReadTimeout("Read timed out.")
    # requests has no public way to put a body back that was read in pieces.
    response._content = bytes(body)


def retry_after(runtime: Runtime, response: requests.Response) -> float:
    """Seconds that a 429 or 503 asks to be left alone, 0 without a word or with a strange one."""
    text = response.headers.get("Retry-After", "").strip()
    if response.status_code not in (429, 503) or not text:
        return 0.0
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - runtime.wall()
        except (ValueError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), MAX_RETRY_AFTER)
