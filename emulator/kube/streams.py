"""Watches over HTTP: one chunked answer, a line of JSON for each event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from beskar7.api.errors import ApiError, Expired, Invalid
from emulator.kube import table
from emulator.kube.failures import too_new
from emulator.kube.history import Change, Entry, Watcher, bookmark
from emulator.kube.http import Target
from emulator.kube.registry import Resource
from emulator.kube.selectors import Predicate
from emulator.kube.store import Store, parse_version

DEFAULT_TIMEOUT = 1800  # seconds; the API server's lower bound when the client names none
BOOKMARK_EVERY = 30.0  # seconds; the API server sends about one a minute
_BATCH = 500  # events joined into one write


@dataclass(slots=True)
class Request:
    """What a watch asks for, read from its query."""

    resource: Resource
    namespace: str
    predicate: Predicate | None
    version: int
    timeout: float
    bookmarks: bool
    initial_events: bool
    table: str | None  # includeObject when rows of a Table are wanted

    @classmethod
    def read(
        cls,
        target: Target,
        resource: Resource,
        namespace: str,
        predicate: Predicate | None,
        as_table: bool,
    ) -> Request:
        """Raises ``BadRequest`` or ``Invalid``."""
        initial = target.query.get("sendInitialEvents")
        match = target.query.get("resourceVersionMatch")
        if initial is None and match:
            raise _refused(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        if initial is not None and match != "NotOlderThan":
            raise _refused(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        return cls(
            resource=resource,
            namespace=namespace,
            predicate=predicate,
            version=parse_version(target.query.get("resourceVersion", "")),
            timeout=target.number("timeoutSeconds") or DEFAULT_TIMEOUT,
            bookmarks=target.flag("allowWatchBookmarks"),
            initial_events=target.flag("sendInitialEvents"),
            table=target.query.get("includeObject", "Metadata") if as_table else None,
        )


def _refused(why: str) -> ApiError:
    return Invalid(f"ListOptions.meta.k8s.io is invalid: {why}")


@dataclass(slots=True)
class Streams:
    """All watches of a server."""

    store: Store
    bookmark_every: float = BOOKMARK_EVERY
    open: set[asyncio.Event] = field(default_factory=set)
    closing: bool = False

    async def serve(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        """Answer until the timeout, the client's end, the server's end or a slow client's."""
        woken = asyncio.Event()
        store = self.store
        initial = asked.initial_events
        if initial and asked.version > store.resource_version:
            raise too_new(asked.version, store.resource_version)
        try:
            # Registered before the first await: nothing can be committed in between.
            watcher = store.watch(
                asked.resource.kind,
                asked.namespace,
                version=None if initial else asked.version,
                predicate=asked.predicate,
                wake=woken.set,
            )
        except Expired as error:
            # A version too old is told as an event in an answer of 200.
            return await self._expired(request, error)
        begun_with = store.resource_version if initial else 0
        self.open.add(woken)
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            await self._pump(response, asked, watcher, woken, begun_with)
            await response.write_eof()
        except ConnectionError:
            pass  # the client went away, as watchers do
        finally:
            store.unwatch(watcher)
            self.open.discard(woken)
        return response

    def close(self) -> None:
        """Let every watch end in good order."""
        self.closing = True
        for woken in self.open:
            woken.set()

    async def _pump(
        self,
        response: web.StreamResponse,
        asked: Request,
        watcher: Watcher,
        woken: asyncio.Event,
        begun_with: int,
    ) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + asked.timeout
        encode = self._encoder(asked)
        next_bookmark = loop.time() + self.bookmark_every
        pending_initial = len(watcher) if begun_with else 0
        while not self.closing:
            woken.clear()
            lines: list[bytes] = []
            while len(lines) < _BATCH and (taken := watcher.take()) is not None:
                if begun_with and not pending_initial:
                    lines.append(self._bookmark(asked, begun_with, initial=True))
                    begun_with = 0
                pending_initial -= 1
                lines.append(encode(*taken))
            if begun_with and not pending_initial:
                lines.append(self._bookmark(asked, begun_with, initial=True))
                begun_with = 0
            if lines:
                await response.write(b"".join(lines))
                continue
            if watcher.closed:
                return
            now = loop.time()
            if now >= min(end, next_bookmark):
                if asked.bookmarks:
                    # All that this watcher concerns up to the newest version is delivered.
                    await response.write(self._bookmark(asked, self.store.resource_version))
                if now >= end:
                    return
                next_bookmark = now + self.bookmark_every
                continue
            timer = loop.call_at(min(end, next_bookmark), woken.set)
            await woken.wait()
            timer.cancel()

    def _encoder(self, asked: Request) -> Callable[[str, Change], bytes]:
        if asked.table is None:
            return lambda type_, change: change.line(type_)
        include = asked.table

        def row(type_: str, change: Change) -> bytes:
            return _table_line(
                type_, asked.resource, change.state(type_), include, self.store.runtime.wall()
            )

        return row

    def _bookmark(self, asked: Request, version: int, *, initial: bool = False) -> bytes:
        obj = bookmark(asked.resource.kind, version, initial=initial)
        if asked.table is not None:
            built = table.table(asked.resource, [], str(version), asked.table, 0.0)
            built["rows"] = [{"cells": [], "object": obj}]
            obj = built
        return b'{"type":"BOOKMARK","object":%b}\n' % orjson.dumps(obj)

    async def _expired(self, request: web.BaseRequest, error: ApiError) -> web.StreamResponse:
        response = web.Response(
            body=b'{"type":"ERROR","object":%b}\n' % orjson.dumps(error.status()),
            content_type="application/json",
        )
        await response.prepare(request)
        return response


def _table_line(type_: str, resource: Resource, entry: Entry, include: str, now: float) -> bytes:
    built = table.table(resource, [entry.obj], str(entry.version), include, now)
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), orjson.dumps(built))
