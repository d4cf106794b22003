"""The manager's admission webhooks: HTTPS, ``AdmissionReview`` in and out.

Every manager serves them, leader or not: an API server with ``failurePolicy: Fail`` accepts no
write of our kinds while nobody answers.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from beskar7.api.admission import RULES, Reader, Rules, review
from beskar7.api.errors import (
    ApiError,
    BadRequest,
    InternalError,
    MethodNotAllowed,
    NotFound,
    TooLarge,
)
from beskar7.runtime import Runtime
from beskar7.serving import AddressError, parse_address

log = logging.getLogger(__name__)

READ_TIMEOUT = 1.0
"""Seconds for each of at most four reads (head, and again body) of what a rule looks at: less in
all than the configuration's ``timeoutSeconds`` of 10."""
MAX_BODY = 7 * 1024 * 1024
"""Bytes: object and old object of an API server that takes 3 MiB each, and what is around them."""
MAX_CONNECTIONS = 128
"""Beyond that a new connection is closed at once; an API server keeps a handful."""
IDLE = 30.0  # seconds that a client may take for each of handshake, head, body, and to ask again
_MAX_DEPTH_ERROR = "the body nests too deeply"


class CertificateError(Exception):
    """``tls.crt`` and ``tls.key`` cannot be used; the message says why."""


class Certificates:
    """The pair in a directory, read anew when the files change, as they do when renewed.

    Raises CertificateError when the first pair cannot be used; a later one that cannot is logged,
    and the one before stays.
    """

    def __init__(self, directory: Path) -> None:
        self._files = (directory / "tls.crt", directory / "tls.key")
        try:
            self._seen = self._state()
            self._context = self._load()
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"--webhook-cert-dir: {_why(error, directory)}") from None

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        try:
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._context = self._load()
                log.info("the webhooks' certificate is a new one")
        except (OSError, ssl.SSLError) as error:
            # Also in the middle of a renewal, between one file and the other.
            log.warning("webhooks keep their certificate: %s", _why(error, self._files[0].parent))
        return self._context

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        found = [os.stat(path) for path in self._files]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in found)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files)
        return context


def _why(error: OSError, directory: Path) -> str:
    if isinstance(error, ssl.SSLError):
        return f"tls.crt and tls.key in {directory} are no pair in PEM: {error.reason or error}"
    return f"{error.filename}: {error.strerror}"


class WebhookServer(ThreadingHTTPServer):
    """Answers reviews at the paths of :data:`RULES`; ``port`` is the one really bound.

    ``reader`` must be patient for :data:`READ_TIMEOUT` only. Raises AddressError when the address
    (``host:port``) cannot be bound, CertificateError as :class:`Certificates`.
    """

    daemon_threads = True

    def __init__(self, address: str, directory: Path, reader: Reader, runtime: Runtime) -> None:
        self.reader = reader
        self.runtime = runtime
        self.hooks: dict[str, tuple[Rules, bool]] = {}
        for rules in RULES:
            self.hooks[rules.mutate_path] = (rules, True)
            self.hooks[rules.validate_path] = (rules, False)
        self._certificates = Certificates(directory)
        self._lock = runtime.lock()
        self._open: set[socket.socket] = set()
        try:
            super().__init__(parse_address(address), _Handler)
        except OSError as error:
            raise AddressError(f"cannot listen on {address}: {error.strerror}") from None

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self.runtime.spawn(self.serve_forever, name=f"webhooks-{self.port}")

    def get_request(self) -> tuple[socket.socket, Any]:
        plain, client = super().get_request()
        plain.settimeout(IDLE)
        # The handshake waits for the connection's own thread: nobody else waits for this client.
        wrapped = self._certificates.context().wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        return wrapped, client

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            if len(self._open) >= MAX_CONNECTIONS:
                return False
            self._open.add(request)
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that breaks off or speaks no TLS is worth no traceback."""
        log.debug("a webhook client's connection failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE
    server: WebhookServer

    def do_POST(self) -> None:
        try:
            found = self._answer()
        except ApiError as error:
            self._send(error.code, error.status())
        except Exception:
            log.exception("the webhook at %s failed", self.path[:200])
            self._send(500, InternalError("an error in the webhook; its log says more").status())
        else:
            self._send(200, found)

    def do_GET(self) -> None:
        self._send(405, MethodNotAllowed("webhooks are asked by POST").status())

    def _answer(self) -> Any:
        hook = self.server.hooks.get(self.path.partition("?")[0])
        body = self._body()
        if hook is None:
            raise NotFound(f"no webhook at {self.path[:200]}")
        try:
            asked = json.loads(body)
        except RecursionError:
            raise BadRequest(_MAX_DEPTH_ERROR) from None
        except ValueError as error:
            raise BadRequest(f"the body is not valid JSON: {error}") from None
        rules, mutating = hook
        now = self.server.runtime.wall()
        try:
            return review.answer(rules, mutating, asked, self.server.reader, now)
        except RecursionError:
            raise BadRequest(_MAX_DEPTH_ERROR) from None

    def _body(self) -> bytes:
        declared = self.headers.get("Content-Length", "")
        if not (declared.isascii() and declared.isdigit()):
            self.close_connection = True
            raise BadRequest("the request must say its Content-Length")
        if len(declared) > 12 or int(declared) > MAX_BODY:
            self.close_connection = True
            raise TooLarge(f"the body is larger than {MAX_BODY} bytes")
        return self.rfile.read(int(declared))

    def _send(self, status: int, body: Any) -> None:
        encoded = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
