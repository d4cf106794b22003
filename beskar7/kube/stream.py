"""A watch over HTTP: newline-delimited JSON, one event a line."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from typing import Any

import orjson
import urllib3
from urllib3.response import BaseHTTPResponse

from beskar7.api.errors import InternalError, ServiceUnavailable, from_status
from beskar7.kube.port import WatchEvent
from beskar7.runtime import Runtime

MAX_LINE = 64 * 1024 * 1024
"""Bytes of one event; etcd refuses objects over 1.5 MB, so this only stops a broken server."""


class WatchStream(Iterator[WatchEvent]):
    """The events of one response. ``close`` may be called from any thread and is prompt."""

    def __init__(self, response: BaseHTTPResponse, runtime: Runtime, until: float) -> None:
        """``until`` (``runtime.now()``) ends the watch when the server does not end it itself."""
        self._response = response
        self._runtime = runtime
        self._until = until
        self._rest = b""
        self._lines: deque[bytes] = deque()
        self._closed = False
        self._set_read_timeout(until - runtime.now())

    def __next__(self) -> WatchEvent:
        while not self._lines:
            if self._closed or self._runtime.now() >= self._until or not self._fill():
                self.close()
                raise StopIteration
        line = self._lines.popleft()
        try:
            event = orjson.loads(line)
            type_, obj = event["type"], event["object"]
        except (orjson.JSONDecodeError, TypeError, KeyError) as error:
            self.close()
            raise InternalError(f"not a watch event: {line[:100]!r}") from error
        if type_ == "ERROR":
            self.close()
            raise from_status(_code_of(obj), obj if isinstance(obj, dict) else {})
        return WatchEvent(type_, obj)

    def close(self) -> None:
        """End the watch; a thread that waits in ``next`` gets ``StopIteration`` at once."""
        self._closed = True
        # Shutting the socket down wakes a reader; only then can the buffers be closed, for a
        # reader holds their lock.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()
        with contextlib.suppress(Exception):
            self._response.close()
        with contextlib.suppress(Exception):
            self._response.release_conn()

    def __enter__(self) -> WatchStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self) -> bool:
        """Read what is there, waiting for the first byte; False at the end."""
        try:
            chunk = self._response.read1(1 << 16)
        except Exception as error:
            # Closing under a reader surfaces as any of several errors of urllib3 and http.client.
            if self._closed or isinstance(error, urllib3.exceptions.TimeoutError):
                return False
            if isinstance(error, urllib3.exceptions.HTTPError | OSError):
                raise ServiceUnavailable(f"the watch broke off: {error}") from error
            raise
        if not chunk:
            return False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise InternalError(f"a watch event of more than {MAX_LINE} bytes")
        self._lines.extend(line for line in lines if line.strip())
        return True

    def _set_read_timeout(self, seconds: float) -> None:
        # The request was opened with the short timeout that an answer's head deserves. Without a
        # socket (HTTP/1.0 style answers own theirs) that one stays: the watch is only shorter.
        connection: Any = getattr(self._response, "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            sock.settimeout(max(0.1, seconds))


def _code_of(obj: Any) -> int:
    code = obj.get("code") if isinstance(obj, dict) else None
    return code if isinstance(code, int) else 500
