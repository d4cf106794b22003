"""The API server: one handler over aiohttp's low-level server."""

from __future__ import annotations

import logging
import secrets
import ssl
from collections.abc import Awaitable

import orjson
from aiohttp import web

from beskar7.api.errors import ApiError, InternalError, MethodNotAllowed, NotFound
from emulator.kube.access.access import Access
from emulator.kube.access.authn import ADMIN, Authenticator
from emulator.kube.access.rbac import Authorizer
from emulator.kube.access.reviews import Reviews
from emulator.kube.api import health
from emulator.kube.api.discovery import VERSION, Discovery
from emulator.kube.api.http import Target, error_response, json_response, target
from emulator.kube.api.openapi import OpenApi
from emulator.kube.api.streams import BOOKMARK_EVERY, Streams
from emulator.kube.api.verbs import Verbs
from emulator.kube.faults import faultserver
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.faults.faultserver import FaultControl
from emulator.kube.faults.faultspec import Asked
from emulator.kube.kinds.locations import Location
from emulator.kube.store.collector import Collector
from emulator.kube.store.store import Store
from emulator.kube.workloads.routes import subresource
from emulator.kube.workloads.service import Workloads

log = logging.getLogger(__name__)

_ANONYMOUS = frozenset({*health.PATHS, "/version"})
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
        faults: ApiFaults | None = None,
        access: Access | None = None,
    ) -> None:
        """``token`` is the admin's, for whom there is no ``access``."""
        self._store = store
        self._access = access or Access(
            Authenticator(store, secrets.token_bytes(32), {token: ADMIN}), Authorizer(store)
        )
        store.admit.append(self._access.admission)
        self._discovery = Discovery(store.registry)
        self._openapi = OpenApi(store.registry)
        # An empty set is false, so this must ask for None.
        self.faults = ApiFaults(store.runtime, store.forget_history) if faults is None else faults
        self._fault_control = FaultControl(self.faults)
        self.streams = Streams(store, self.faults, bookmark_every)
        self._verbs = Verbs(store, collector, self.streams)
        self._verbs.handlers |= Reviews(self._access).handlers()
        self.workloads: Workloads | None = None
        """Answers for pods' logs, exec and metrics, where workloads are run."""

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
            self._access.admit(request, asked)
        if self.workloads is not None:
            about = self._about_pod(request, path) if self.faults else None
            if about is not None:
                return await faultserver.gate(
                    self.faults, request, about, lambda _: self._of_workloads(request, asked)
                )
            answer = await self.workloads.serve(request, asked)
            if answer is not None:
                return answer
        if path.startswith(("/api/", "/apis/")) and not _lists_resources(path):
            at = self._verbs.locate(path)
            if self.faults:
                return await self._through_faults(request, asked, at)
            return await self._verbs.serve(request, asked, at)
        if path.startswith(faultserver.PATH):
            return await self._fault_control.serve(request, path)
        if request.method != "GET":
            raise MethodNotAllowed("only GET is served here")
        return self._document(request, asked)

    def _about_pod(self, request: web.BaseRequest, path: str) -> Asked | None:
        """A request for a pod's log, exec and the like in the words of faults."""
        found = subresource(path)
        if found is None:
            return None
        namespace, name, what = found
        # As RBAC names them: exec and port-forward are created, however they are asked for.
        verb = "get" if what in ("log", "proxy") else "create"
        agent = request.headers.get("User-Agent", "")
        return Asked(agent, verb, f"Pod/{what}", namespace, name)

    async def _of_workloads(self, request: web.BaseRequest, asked: Target) -> web.StreamResponse:
        assert self.workloads is not None
        answer = await self.workloads.serve(request, asked)
        assert answer is not None
        return answer

    async def _through_faults(
        self, request: web.BaseRequest, asked: Target, at: Location
    ) -> web.StreamResponse:
        def perform(age: float) -> Awaitable[web.StreamResponse]:
            asked.age = age
            return self._verbs.serve(request, asked, at)

        agent = request.headers.get("User-Agent", "")
        about = faultserver.asked(
            agent,
            request.method,
            asked.flag("watch"),
            at.resource.kind,
            at.namespace,
            at.name,
            at.subresource,
        )
        return await faultserver.gate(self.faults, request, about, perform)

    def _document(self, request: web.BaseRequest, asked: Target) -> web.Response:
        path = asked.path.rstrip("/") or "/"
        if path.startswith(health.PATHS):
            return health.answer(path, asked, serving=not self.streams.closing)
        if path == "/version":
            return json_response(orjson.dumps(VERSION))
        if path == "/metrics":
            return web.Response(text="")
        if path == "/lab/writes":
            after = asked.number("after", high=2**62) or 0
            limit = asked.number("limit", low=1, high=_MAX_WRITES)
            return json_response(self._store.log.encoded(after, limit))
        if path == "/openapi/v2":
            return openapi_v2(self._openapi, request.headers.get("Accept", ""))
        if path.startswith("/openapi/v3"):
            openapi = self._openapi.document(path)
            if openapi is not None:
                return json_response(openapi)
        if path == "/":
            paths = ["/api", "/apis", *health.PATHS, "/openapi/v2", "/openapi/v3", "/version"]
            return json_response(orjson.dumps({"paths": paths}))
        found = self._discovery.document(path, request.headers.get("Accept", ""))
        if found is None:
            raise NotFound("the server could not find the requested resource")
        body, content_type = found
        return web.Response(body=body, headers={"Content-Type": content_type, "Vary": "Accept"})


def openapi_v2(openapi: OpenApi, accept: str) -> web.Response:
    """Who asks for protobuf gets an empty document, which kubectl takes; others all definitions."""
    if "protobuf" in accept:
        kind = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
        return web.Response(body=b"", content_type=kind)
    return json_response(openapi.version_2())


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
