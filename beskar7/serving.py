"""The manager's HTTP endpoints: ``/metrics``, ``/healthz``, ``/readyz``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from beskar7.runtime import Runtime

log = logging.getLogger(__name__)

Page = Callable[[], tuple[int, str, bytes]]
"""Gives status, content type and body."""


class AddressError(Exception):
    """An address that cannot be listened on, and why."""


def parse_address(text: str) -> tuple[str, int]:
    """``host:port``; an empty host is loopback. Raises AddressError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 65535:
        raise AddressError(f"{text!r} is no address; write for example 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)


class Server(ThreadingHTTPServer):
    """Serves fixed pages; ``port`` is the one really bound (0 asks for a free one)."""

    daemon_threads = True

    def __init__(self, address: str, pages: dict[str, Page]) -> None:
        """Raises AddressError when the address cannot be bound."""
        self.pages = pages
        try:
            super().__init__(parse_address(address), _Handler)
        except OSError as error:
            raise AddressError(f"cannot listen on {address}: {error.strerror}") from None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self, runtime: Runtime) -> None:
        runtime.spawn(self.serve_forever, name=f"http-{self.port}")


class _Handler(BaseHTTPRequestHandler):
    timeout = 10  # seconds that a client may take for its request

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        page = self.server.pages.get(self.path.partition("?")[0])
        status, kind, body = page() if page else (404, "text/plain", b"not found\n")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
