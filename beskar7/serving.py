"""The manager's HTTP endpoints: fixed pages by path, over HTTP/1.1, with bounds."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from beskar7.runtime import Runtime

log = logging.getLogger(__name__)

Query = Mapping[str, str]


class Answer(NamedTuple):
    """Status, content type and body."""

    status: int
    kind: str
    body: bytes


Page = Callable[[Query], Answer]
MAX_FIELDS = 16
LOCAL_ONLY = "/debug/"
"""Paths that show the program's inside: served to this machine alone, whatever is listened on."""


def plain(text: str, status: int = 200) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode())


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

    def __init__(self, address: str, pages: Mapping[str, Page]) -> None:
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
        url = urlsplit(self.path)
        page = self.server.pages.get(url.path)
        if page is None:
            answer = plain("not found\n", 404)
        elif url.path.startswith(LOCAL_ONLY) and not self._is_local():
            answer = plain("only from this machine: use kubectl exec or port-forward\n", 403)
        else:
            answer = self._answer(page, url.query)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _answer(self, page: Page, query: str) -> Answer:
        try:
            asked = dict(parse_qsl(query, max_num_fields=MAX_FIELDS))
        except ValueError:
            return plain(f"at most {MAX_FIELDS} query fields\n", 400)
        try:
            return page(asked)
        except Exception:
            log.exception("page %s failed", self.path)
            return plain("failed; see the log\n", 500)

    def _is_local(self) -> bool:
        return ipaddress.ip_address(self.client_address[0]).is_loopback

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
