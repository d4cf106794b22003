"""The API server: one handler over aiohttp's low-level server."""

from __future__ import annotations

import hmac
import logging
import ssl

import orjson
from aiohttp import web

from beskar7.api.errors import ApiError, InternalError, MethodNotAllowed, NotFound, Unauthorized
from emulator.kube.collector import Collector
from emulator.kube.discovery import VERSION, Discovery
from emulator.kube.http import Target, error_response, json_response, target
from emulator.kube.openapi import OpenApi
from emulator.kube.store import Store
from emulator.kube.streams import BOOKMARK_EVERY, Streams
from emulator.kube.verbs import Verbs

log = logging.getLogger(__name__)

_HEALTH = ("/healthz", "/livez", "/readyz")
_ANONYMOUS = (*_HEALTH, "/version")
_MAX_WRITES = 50_000  # records in one answer of /lab/writes
HOST = "127.0.0.1"


class Api:
    """Everything that the server answers, as one coroutine: :meth:`handle`."""

    def __init__(
        self,
        store: Store,
        collector: Collector,
        *,
        token: str,
        bookmark_every: float = BOOKMARK_EVERY,
    ) -> None:
        self._store = store
        self._bearer = f"Bearer {token}".encode()
        self._discovery = Discovery(store.registry)
        self._openapi = OpenApi(store.registry)
        self.streams = Streams(store, bookmark_every)
        self._verbs = Verbs(store, collector, self.streams)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await self._route(request)
        except ApiError as error:
            return error_response(error)
        except Exception:
            log.exception("%s %s failed", request.method, request.raw_path.partition("?")[0])
            return error_response(InternalError("an error on the server; its log says more"))

    async def _route(self, request: web.BaseRequest) -> web.StreamResponse:
        asked = target(request.raw_path)
        path = asked.path
        if path not in _ANONYMOUS:
            self._authenticate(request)
        if path.startswith(("/api/", "/apis/")) and not _lists_resources(path):
            return await self._verbs.serve(request, asked, self._verbs.locate(path))
        if request.method != "GET":
            raise MethodNotAllowed("only GET is served here")
        return self._document(request, asked)

    def _authenticate(self, request: web.BaseRequest) -> None:
        given = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(given, self._bearer):
            raise Unauthorized("Unauthorized")

    def _document(self, request: web.BaseRequest, asked: Target) -> web.Response:
        path = asked.path.rstrip("/") or "/"
        if path in _HEALTH:
            return web.Response(text="ok")
        if path == "/version":
            return json_response(orjson.dumps(VERSION))
        if path == "/metrics":
            return web.Response(text="")
        if path == "/lab/writes":
            after = asked.number("after", high=2**62) or 0
            limit = asked.number("limit", low=1, high=_MAX_WRITES)
            return json_response(self._store.log.encoded(after, limit))
        if path == "/openapi/v2":
            # kubectl only asks for it where /openapi/v3 does not serve; it takes an empty one.
            return web.Response(
                body=b"", content_type="application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
            )
        if path.startswith("/openapi/v3"):
            openapi = self._openapi.document(path)
            if openapi is not None:
                return json_response(openapi)
        if path == "/":
            return json_response(orjson.dumps({"paths": ["/api", "/apis", *_HEALTH, "/version"]}))
        found = self._discovery.document(path, request.headers.get("Accept", ""))
        if found is None:
            raise NotFound("the server could not find the requested resource")
        body, content_type = found
        return web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept"})


def _protocol_log() -> logging.Logger:
    """aiohttp's own log: what reaches it is not HTTP, and is worth a line but no traceback."""

    def one_line(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            brief = (str(error).splitlines() or [""])[0]
            record.msg = f"{record.getMessage()}: {type(error).__name__} {brief[:100]}"
            record.args, record.exc_info = (), None
        return True

    protocol = logging.getLogger(f"{__name__}.protocol")
    if not protocol.filters:
        protocol.addFilter(one_line)
    return protocol


def _lists_resources(path: str) -> bool:
    """``/api/V``, ``/apis/G`` and ``/apis/G/V`` are discovery, not resources."""
    depth = path.rstrip("/").count("/")
    return depth <= (2 if path.startswith("/api/") else 3)


class Serving:
    """A running server; :attr:`url` says where. Use as an async context manager."""

    def __init__(self, api: Api, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._api = api
        self._port = port
        self._tls = tls
        self._runner = web.ServerRunner(
            web.Server(
                api.handle,
                access_log=None,
                handler_cancellation=True,  # a watch ends when its client goes away
                keepalive_timeout=120.0,
                logger=_protocol_log(),
            ),
            shutdown_timeout=2.0,
        )
        self.url = ""

    async def __aenter__(self) -> Serving:
        """Raises ``OSError`` when the port cannot be had."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, self._port, ssl_context=self._tls)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"{'https' if self._tls else 'http'}://{HOST}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._api.streams.close()
        await self._runner.cleanup()
