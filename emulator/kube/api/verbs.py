"""The verbs of the API over HTTP: from a parsed request to a store call and its answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from beskar7.api.errors import BadRequest, MethodNotAllowed, NotFound, UnsupportedMediaType
from emulator.kube.api.bodies import read_call, read_document
from emulator.kube.api.http import (
    Parts,
    Target,
    decode_body,
    json_response,
    read_body,
    wants_table,
)
from emulator.kube.api.pagination import ListOptions, Page, cut, page
from emulator.kube.api.scale import ScaleVerbs
from emulator.kube.api.streams import Request, Streams
from emulator.kube.kinds.locations import Location, locate, nowhere
from emulator.kube.kinds.registry import Resource
from emulator.kube.patches.patch import CONTENT_TYPES
from emulator.kube.store.collector import Collector
from emulator.kube.store.deletion import DeleteOptions
from emulator.kube.store.history import Entry
from emulator.kube.store.past import list_at_age
from emulator.kube.store.pipeline import Call
from emulator.kube.store.selectors import Predicate, compile_selectors
from emulator.kube.store.store import Store
from emulator.kube.tables import table

Handler = Callable[[web.BaseRequest, Target, Location], Awaitable[web.StreamResponse]]
"""Serves a subresource, or a kind that is not stored. May raise an ``ApiError``."""


class Verbs:
    """Every method raises an ``ApiError`` for what it refuses."""

    def __init__(self, store: Store, collector: Collector, streams: Streams) -> None:
        self._store = store
        self._collector = collector
        self._streams = streams
        self._scale = ScaleVerbs(store)
        self.handlers: dict[tuple[str, str], Handler] = {}
        """By ``Kind.qualified`` and subresource; "" for a kind that is not stored."""

    def locate(self, path: str) -> Location:
        """Raises :class:`NotFound` for a path that leads to no served resource."""
        return locate(self._store.registry, path)

    async def serve(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        method = request.method
        if at.subresource not in ("", "status") or at.shown.virtual:
            return await self._special(at)(request, target, at)
        if method == "GET":
            return (
                self._get(request, target, at) if at.name else await self._list(request, target, at)
            )
        if at.name and method in ("PUT", "PATCH"):
            return await self._change(request, target, at)
        if method == "DELETE" and not at.subresource:
            return await self._delete(request, target, at)
        if method == "POST" and not at.name:
            return await self._create(request, target, at)
        raise MethodNotAllowed("the server does not allow this method on the requested resource")

    def _special(self, at: Location) -> Handler:
        handler = self.handlers.get((at.shown.kind.qualified, at.subresource))
        if handler is not None:
            return handler
        if at.subresource == "scale":
            return self._scale.serve
        raise nowhere()

    def _get(self, request: web.BaseRequest, target: Target, at: Location) -> web.Response:
        entry = self._store.get(at.resource.kind, at.namespace, at.name)
        if at.view is not None:
            entry = at.view.entry(entry)
        if wants_table(request.headers.get("Accept", "")):
            return self._table(target, at.shown, Page([entry], entry.version))
        return json_response(entry.raw)

    async def _list(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        predicate = self._predicate(target, at)
        as_table = wants_table(request.headers.get("Accept", ""))
        store = self._store
        if target.flag("watch"):
            asked = Request.read(target, at, predicate, as_table)
            return await self._streams.serve(request, asked)
        options = ListOptions.read(target)
        kind = at.resource.kind
        if target.age and not options.exact:
            entries, version = list_at_age(store, kind, at.namespace, predicate, target.age)
            found = cut(entries, None, options.limit, version)
        else:
            found = page(store, kind, at.namespace, predicate, options)
        view = at.view
        if view is not None:
            found = replace(found, entries=[view.entry(entry) for entry in found.entries])
        if as_table:
            return self._table(target, at.shown, found)
        newest = not options.exact and options.after is None and not target.age
        whole = newest and predicate is None and not found.token
        if whole and view is None:
            items = store.encoded(kind, at.namespace)
        else:
            items = b",".join([entry.raw for entry in found.entries])
        return json_response(Parts(_list_parts(at.shown, items, found.meta)))

    async def _create(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        call = read_call(request, target)
        content_type = request.headers.get("Content-Type", "")
        sent = read_document(content_type, await read_body(request), call)
        if at.resource.kind.namespaced and not at.namespace:
            raise MethodNotAllowed("objects of this kind are created in a namespace")
        if at.view is not None:
            sent = at.view.store(sent)
        entry = self._store.create(at.resource.kind, sent, namespace=at.namespace, call=call)
        return self._answer(request, target, at, entry, call, 201)

    async def _change(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        content_type = request.headers.get("Content-Type", "")
        form = CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower())
        call = read_call(request, target, form or "" if request.method == "PATCH" else "")
        body = await read_body(request)
        status = at.subresource == "status"
        kind = at.resource.kind
        if request.method == "PUT":
            sent = read_document(content_type, body, call)
            if at.view is not None:
                sent = at.view.store(sent)
            entry = self._store.update(
                kind, sent, namespace=at.namespace, name=at.name, status=status, call=call
            )
            return self._answer(request, target, at, entry, call)
        if form is None:
            raise UnsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: "
                + ", ".join(at.resource.patch_types)
            )
        patch = read_document(content_type, body, call)
        if at.view is not None:
            entry = at.view.patch(self._store, at.namespace, at.name, patch, form, call)
            return self._answer(request, target, at, entry, call)
        existed = form != "apply" or self._store.exists(kind, at.namespace, at.name)
        entry = self._store.patch(
            kind, at.namespace, at.name, patch, form, status=status, call=call
        )
        return self._answer(request, target, at, entry, call, 200 if existed else 201)

    async def _delete(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        body = await read_body(request)
        sent = decode_body(request.headers.get("Content-Type", ""), body) if body else {}
        options = DeleteOptions.read(sent, target.query)
        call = read_call(request, target)
        call.dry_run = call.dry_run or options.dry_run
        if at.name:
            return self._delete_one(at, options, call)
        if at.resource.kind.namespaced and not at.namespace:
            raise MethodNotAllowed("collections of this kind are deleted in a namespace")
        predicate = self._predicate(target, at)
        kind = at.resource.kind
        gone: list[Entry] = []
        for entry in self._store.list(kind, at.namespace, predicate):
            try:
                last, _ = self._store.delete(
                    kind,
                    entry.namespace,
                    entry.name,
                    propagation=options.propagation,
                    grace=options.grace,
                    call=call,
                )
            except NotFound:
                continue  # an owner earlier in this list took it along
            gone.append(last)
        if at.view is not None:
            gone = [at.view.entry(entry) for entry in gone]
        items = b",".join([entry.raw for entry in gone])
        meta = {"resourceVersion": str(self._store.resource_version)}
        return json_response(Parts(_list_parts(at.shown, items, meta)), warnings=call.warnings)

    def _delete_one(self, at: Location, options: DeleteOptions, call: Call) -> web.Response:
        kind = at.resource.kind
        entry, gone = self._store.delete(
            kind,
            at.namespace,
            at.name,
            uid=options.uid,
            resource_version=options.resource_version,
            propagation=options.propagation,
            grace=options.grace,
            call=call,
        )
        if not gone:
            body = entry.raw if at.view is None else at.view.entry(entry).raw
            return json_response(body, warnings=call.warnings)
        kind = at.shown.kind
        details = {"name": entry.name, "group": kind.group, "kind": kind.plural, "uid": entry.uid}
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
        return json_response(orjson.dumps(status), warnings=call.warnings)

    def _answer(
        self,
        request: web.BaseRequest,
        target: Target,
        at: Location,
        entry: Entry,
        call: Call,
        status: int = 200,
    ) -> web.Response:
        if at.view is not None:
            entry = at.view.entry(entry)
        if wants_table(request.headers.get("Accept", "")):
            return self._table(target, at.shown, Page([entry], entry.version))
        return json_response(entry.raw, status=status, warnings=call.warnings)

    def _table(self, target: Target, resource: Resource, found: Page) -> web.Response:
        include = target.query.get("includeObject", "Metadata")
        if include not in ("None", "Metadata", "Object"):
            raise BadRequest(f'includeObject: "{include[:40]}" must be None, Metadata or Object')
        built = table.table(
            resource,
            (entry.obj for entry in found.entries),
            str(found.version),
            include,
            self._store.runtime.wall(),
        )
        built["metadata"] = found.meta
        return json_response(orjson.dumps(built))

    def _predicate(self, target: Target, at: Location) -> Predicate | None:
        predicate = compile_selectors(
            target.query.get("labelSelector"),
            target.query.get("fieldSelector"),
            at.shown.selectable,
        )
        view = at.view
        if predicate is None or view is None:
            return predicate
        selects = predicate
        return lambda obj: selects(view.show(obj))


def _list_parts(resource: Resource, items: bytes, meta: dict[str, Any]) -> list[bytes]:
    """A list as JSON around the bytes of its objects, which are not copied again."""
    head = orjson.dumps(
        {
            "kind": resource.list_kind,
            "apiVersion": resource.kind.api_version,
            "metadata": meta,
        }
    )
    return [head[:-1] + b',"items":[', items, b"]}"]
