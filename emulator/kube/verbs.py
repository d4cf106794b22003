"""The verbs of the API over HTTP: from a parsed request to a store call and its answer."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web

from beskar7.api.errors import BadRequest, Expired, MethodNotAllowed, NotFound, UnsupportedMediaType
from emulator.kube import table
from emulator.kube.collector import Collector
from emulator.kube.failures import too_new
from emulator.kube.history import Entry
from emulator.kube.http import Target, decode_body, json_response, read_body, wants_table
from emulator.kube.patch import CONTENT_TYPES
from emulator.kube.pipeline import Call
from emulator.kube.registry import Resource
from emulator.kube.selectors import Predicate, compile_selectors
from emulator.kube.store import Store, parse_version
from emulator.kube.streams import Request, Streams

_MAX_AGENT = 256  # characters of a User-Agent that are kept
_VALIDATION = ("Ignore", "Warn", "Strict")


@dataclass(slots=True)
class Location:
    """A resource path: a collection, or with ``name`` an object."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


class Verbs:
    """Every method raises an ``ApiError`` for what it refuses."""

    def __init__(self, store: Store, collector: Collector, streams: Streams) -> None:
        self._store = store
        self._collector = collector
        self._streams = streams

    def locate(self, path: str) -> Location:
        """Raises :class:`NotFound` for a path that leads to no served resource."""
        parts = path.split("/")[1:]
        if parts[0] == "api" and len(parts) >= 3:
            group, version, rest = "", parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) >= 4:
            group, version, rest = parts[1], parts[2], parts[3:]
        else:
            raise _nowhere()
        namespace = ""
        in_namespace = rest[0] == "namespaces" and len(rest) >= 3
        if in_namespace and not (group == "" and rest[2] in ("status", "finalize")):
            namespace, rest = rest[1], rest[2:]
            if not namespace:
                raise _nowhere()
        if not rest[0] or len(rest) > 3:
            raise _nowhere()
        resource = self._store.registry.find(group, version, rest[0])
        if resource is None or (namespace and not resource.kind.namespaced):
            raise _nowhere()
        name = rest[1] if len(rest) > 1 else ""
        subresource = rest[2] if len(rest) > 2 else ""
        if len(rest) > 1 and (not name or (resource.kind.namespaced and not namespace)):
            raise _nowhere()
        if subresource and not (subresource == "status" and resource.status):
            raise _nowhere()
        return Location(resource, namespace, name, subresource)

    async def serve(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        method = request.method
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

    def _get(self, request: web.BaseRequest, target: Target, at: Location) -> web.Response:
        entry = self._store.get(at.resource.kind, at.namespace, at.name)
        if wants_table(request.headers.get("Accept", "")):
            return self._table(target, at.resource, [entry], entry.version)
        return json_response(entry.raw)

    async def _list(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        predicate = self._predicate(target, at.resource)
        as_table = wants_table(request.headers.get("Accept", ""))
        store = self._store
        if target.flag("watch"):
            asked = Request.read(target, at.resource, at.namespace, predicate, as_table)
            return await self._streams.serve(request, asked)
        wanted = parse_version(target.query.get("resourceVersion", ""))
        if wanted > store.resource_version:
            raise too_new(wanted, store.resource_version)
        if target.query.get("resourceVersionMatch") == "Exact" and wanted != store.resource_version:
            raise Expired("The provided resource version is too old: only the newest is kept")
        target.number("limit")  # checked, and then all comes in one page, as is allowed
        if target.query.get("continue"):
            raise Expired("The provided continue parameter is too old: lists come in one page")
        entries = store.list(at.resource.kind, at.namespace, predicate)
        if as_table:
            return self._table(target, at.resource, entries, store.resource_version)
        return json_response(_list_body(at.resource, entries, store.resource_version))

    async def _create(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        call = _call(request, target)
        sent = decode_body(request.headers.get("Content-Type", ""), await read_body(request))
        if at.resource.kind.namespaced and not at.namespace:
            raise MethodNotAllowed("objects of this kind are created in a namespace")
        entry = self._store.create(at.resource.kind, sent, namespace=at.namespace, call=call)
        return self._answer(request, target, at, entry, call, 201)

    async def _change(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        call = _call(request, target)
        body = await read_body(request)
        content_type = request.headers.get("Content-Type", "")
        status = at.subresource == "status"
        kind = at.resource.kind
        if request.method == "PUT":
            sent = decode_body(content_type, body)
            entry = self._store.update(
                kind, sent, namespace=at.namespace, name=at.name, status=status, call=call
            )
            return self._answer(request, target, at, entry, call)
        form = CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower())
        if form is None:
            raise UnsupportedMediaType(
                "the body of the request was in an unknown format - accepted media types include: "
                + ", ".join(at.resource.patch_types)
            )
        # Server-side apply sends YAML; apply_patch says that it is not served.
        patch = {} if form == "apply" else decode_body("application/json", body)
        entry = self._store.patch(
            kind, at.namespace, at.name, patch, form, status=status, call=call
        )
        return self._answer(request, target, at, entry, call)

    async def _delete(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        body = await read_body(request)
        options = decode_body(request.headers.get("Content-Type", ""), body) if body else {}
        if not isinstance(options, dict):
            raise BadRequest("DeleteOptions must be an object")
        conditions = options.get("preconditions") or {}
        if not isinstance(conditions, dict):
            raise BadRequest("DeleteOptions: preconditions must be an object")
        uid, version = conditions.get("uid"), conditions.get("resourceVersion")
        if not all(value is None or isinstance(value, str) for value in (uid, version)):
            raise BadRequest("DeleteOptions: uid and resourceVersion must be strings")
        call = _call(request, target)
        call.dry_run = call.dry_run or bool(options.get("dryRun"))
        policy = options.get("propagationPolicy") or target.query.get("propagationPolicy")
        orphan = policy == "Orphan" or options.get("orphanDependents") is True
        if at.name:
            return self._delete_one(at, uid, version, call, orphan)
        predicate = self._predicate(target, at.resource)
        kind = at.resource.kind
        gone: list[Entry] = []
        for entry in self._store.list(kind, at.namespace, predicate):
            try:
                last, _ = self._store.delete(kind, entry.namespace, entry.name, call=call)
            except NotFound:
                continue  # an owner earlier in this list took it along
            gone.append(last)
        return json_response(_list_body(at.resource, gone, self._store.resource_version))

    def _delete_one(
        self, at: Location, uid: str | None, version: str | None, call: Call, orphan: bool
    ) -> web.Response:
        kind = at.resource.kind
        if orphan and not call.dry_run:
            self._collector.orphan(self._store.get(kind, at.namespace, at.name).uid, call)
        entry, gone = self._store.delete(
            kind, at.namespace, at.name, uid=uid, resource_version=version, call=call
        )
        if not gone:
            return json_response(entry.raw)
        details = {"name": entry.name, "group": kind.group, "kind": kind.plural, "uid": entry.uid}
        body = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": {key: value for key, value in details.items() if value},
        }
        return json_response(orjson.dumps(body))

    def _answer(
        self,
        request: web.BaseRequest,
        target: Target,
        at: Location,
        entry: Entry,
        call: Call,
        status: int = 200,
    ) -> web.Response:
        if wants_table(request.headers.get("Accept", "")):
            return self._table(target, at.resource, [entry], entry.version)
        return json_response(entry.raw, status=status, warnings=call.warnings)

    def _table(
        self, target: Target, resource: Resource, entries: list[Entry], version: int
    ) -> web.Response:
        include = target.query.get("includeObject", "Metadata")
        if include not in ("None", "Metadata", "Object"):
            raise BadRequest(f'includeObject: "{include[:40]}" must be None, Metadata or Object')
        built = table.table(
            resource,
            (entry.obj for entry in entries),
            str(version),
            include,
            self._store.runtime.wall(),
        )
        return json_response(orjson.dumps(built))

    def _predicate(self, target: Target, resource: Resource) -> Predicate | None:
        return compile_selectors(
            target.query.get("labelSelector"),
            target.query.get("fieldSelector"),
            resource.selectable,
        )


def _call(request: web.BaseRequest, target: Target) -> Call:
    dry_run = target.query.get("dryRun", "")
    if dry_run not in ("", "All"):
        raise BadRequest(f'dryRun: "{dry_run[:40]}" must be All')
    validation = target.query.get("fieldValidation") or "Warn"
    if validation not in _VALIDATION:
        raise BadRequest(f'fieldValidation: "{validation[:40]}" must be Ignore, Warn or Strict')
    agent = request.headers.get("User-Agent", "")[:_MAX_AGENT]
    return Call(client=agent, dry_run=dry_run == "All", field_validation=validation)


def _list_body(resource: Resource, entries: list[Entry], version: int) -> bytes:
    """The list as JSON, joined from the objects' own bytes."""
    head = orjson.dumps(
        {
            "kind": resource.list_kind,
            "apiVersion": resource.kind.api_version,
            "metadata": {"resourceVersion": str(version)},
        }
    )
    return head[:-1] + b',"items":[' + b",".join([entry.raw for entry in entries]) + b"]}"


def _nowhere() -> NotFound:
    return NotFound("the server could not find the requested resource")
