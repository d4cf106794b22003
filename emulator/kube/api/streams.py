"""Watches over HTTP: one chunked answer, a line of JSON for each event."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from beskar7.api.errors import ApiError, Expired, Invalid
from emulator.kube.api.http import Target
from emulator.kube.api.views import View
from emulator.kube.faults.faults import ApiFaults, Follower
from emulator.kube.faults.faultserver import cut
from emulator.kube.faults.faultspec import Asked
from emulator.kube.kinds.locations import Location
from emulator.kube.kinds.registry import Resource
from emulator.kube.store.failures import too_new
from emulator.kube.store.history import Change, Entry, Watcher, bookmark, event_line
from emulator.kube.store.selectors import Predicate
from emulator.kube.store.store import Store, parse_version
from emulator.kube.tables import table

DEFAULT_TIMEOUT = 1800  # seconds; the API server's lower bound when the client names none
BOOKMARK_EVERY = 30.0  # seconds; the API server sends about one a minute
STALLED = 30.0  # seconds that a client may leave an event untaken
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
    initial_events: bool | None  # None: not said; then version 0 begins with what exists
    table: str | None  # includeObject when rows of a Table are wanted
    shown: Resource
    view: View | None

    @classmethod
    def read(
        cls, target: Target, at: Location, predicate: Predicate | None, as_table: bool
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
            resource=at.resource,
            namespace=at.namespace,
            predicate=predicate,
            version=parse_version(target.query.get("resourceVersion", "")),
            timeout=target.number("timeoutSeconds") or DEFAULT_TIMEOUT,
            bookmarks=target.flag("allowWatchBookmarks"),
            initial_events=None if initial is None else target.flag("sendInitialEvents"),
            table=target.query.get("includeObject", "Metadata") if as_table else None,
            shown=at.shown,
            view=at.view,
        )


def _refused(why: str) -> ApiError:
    return Invalid(f"ListOptions.meta.k8s.io is invalid: {why}")


@dataclass(slots=True)
class Streams:
    """All watches of a server."""

    store: Store
    faults: ApiFaults
    bookmark_every: float = BOOKMARK_EVERY
    stalled: float = STALLED
    open: set[asyncio.Event] = field(default_factory=set)
    closing: bool = False

    async def serve(self, request: web.BaseRequest, asked: Request) -> web.StreamResponse:
        """Answer until the timeout, the client's end, the server's end or a slow client's."""
        woken = asyncio.Event()
        store = self.store
        initial = asked.initial_events
        version: int | None = asked.version
        if initial:
            version = None
        elif initial is False and not version:
            version = store.resource_version  # from now on, without what exists
        if initial and asked.version > store.resource_version:
            raise too_new(asked.version, store.resource_version)
        try:
            # Registered before the first await: nothing can be committed in between.
            watcher = store.watch(
                asked.resource.kind,
                asked.namespace,
                version=version,
                predicate=asked.predicate,
                wake=woken.set,
            )
        except Expired as error:
            # A version too old is told as an event in an answer of 200.
            return await self._expired(request, error)
        begun_with = store.resource_version if initial and asked.bookmarks else 0
        self.open.add(woken)
        agent = request.headers.get("User-Agent", "")
        kind = asked.resource.kind.kind
        follower = self.faults.follow(Asked(agent, "watch", kind, asked.namespace))
        forget = self.faults.subscribe(woken.set)
        response = web.StreamResponse()
        response.content_type = "application/json"
        response.enable_chunked_encoding()
        try:
            await response.prepare(request)
            if await self._pump(response, asked, watcher, woken, begun_with, follower):
                await response.write_eof()
            else:
                cut(request)
        except TimeoutError:
            cut(request)  # a client that reads nothing holds a place for nothing
        except ConnectionError:
            pass  # the client went away, as watchers do
        finally:
            forget()
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
        follower: Follower,
    ) -> bool:
        """Whether the watch came to a proper end; False when a fault cuts it off."""
        loop = asyncio.get_running_loop()
        end = loop.time() + asked.timeout
        encode = self._encoder(asked)
        next_bookmark = loop.time() + self.bookmark_every
        pending_initial = len(watcher) if begun_with else 0
        while not self.closing:
            woken.clear()
            if (state := follower.state()) != "open":
                if state == "cut":
                    return False
                await self._wait(woken, math.inf)
                continue
            lines: list[bytes] = []
            while len(lines) < _BATCH and (taken := watcher.take()) is not None:
                if begun_with and not pending_initial:
                    lines.append(self._bookmark(asked, begun_with, initial=True))
                    begun_with = 0
                pending_initial -= 1
                if lag := follower.lag():
                    await self._write(response, b"".join(lines))
                    lines = []
                    await asyncio.sleep(taken[1].time + lag - self.faults.runtime.now())
                entry = taken[1].entry
                if not follower.loses(entry.namespace, entry.name):
                    lines.append(encode(*taken))
            if begun_with and not pending_initial:
                lines.append(self._bookmark(asked, begun_with, initial=True))
                begun_with = 0
            if lines:
                await self._write(response, b"".join(lines))
                continue
            if watcher.closed:
                return True
            now = loop.time()
            if now >= min(end, next_bookmark):
                if asked.bookmarks:
                    # All that this watcher concerns up to the newest version is delivered.
                    await self._write(response, self._bookmark(asked, self.store.resource_version))
                if now >= end:
                    return True
                next_bookmark = now + self.bookmark_every
                continue
            await self._wait(woken, min(end, next_bookmark) - now)
        return True

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        """Raises ``TimeoutError`` when the client does not take it."""
        async with asyncio.timeout(self.stalled):
            await response.write(data)

    async def _wait(self, woken: asyncio.Event, seconds: float) -> None:
        """For news, ``seconds`` at most; the begin or end of a fault is news as well."""
        now = self.faults.runtime.now()
        change = self.faults.next_change(now)
        if change is not None:
            seconds = min(seconds, change - now)
        if math.isinf(seconds):
            await woken.wait()
            return
        timer = asyncio.get_running_loop().call_later(seconds, woken.set)
        await woken.wait()
        timer.cancel()

    def _encoder(self, asked: Request) -> Callable[[str, Change], bytes]:
        view, include = asked.view, asked.table
        if include is None and view is None:
            return lambda type_, change: change.line(type_)

        def line(type_: str, change: Change) -> bytes:
            entry = change.state(type_)
            if view is not None:
                entry = view.entry(entry)
            if include is None:
                return event_line(type_, entry.raw)
            now = self.store.runtime.wall()
            return _table_line(type_, asked.shown, entry, include, now)

        return line

    def _bookmark(self, asked: Request, version: int, *, initial: bool = False) -> bytes:
        obj = bookmark(asked.shown.kind, version, initial=initial)
        if asked.table is not None:
            built = table.table(asked.shown, [], str(version), asked.table, 0.0)
            built["rows"] = [{"cells": [], "object": obj}]
            obj = built
        return event_line("BOOKMARK", orjson.dumps(obj))

    async def _expired(self, request: web.BaseRequest, error: ApiError) -> web.StreamResponse:
        response = web.Response(
            body=event_line("ERROR", orjson.dumps(error.status())),
            content_type="application/json",
        )
        await response.prepare(request)
        return response


def _table_line(type_: str, resource: Resource, entry: Entry, include: str, now: float) -> bytes:
    built = table.table(resource, [entry.obj], str(entry.version), include, now)
    return event_line(type_, orjson.dumps(built))
