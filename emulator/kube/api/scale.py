"""The scale subresource: one small object in front of any kind that has replicas."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from beskar7.api.errors import BadRequest, MethodNotAllowed, UnsupportedMediaType
from beskar7.api.objects import Object
from emulator.kube.api.bodies import read_call, read_document
from emulator.kube.api.http import Target, json_response, read_body
from emulator.kube.kinds.apitypes import TypeSchema
from emulator.kube.kinds.locations import Location
from emulator.kube.kinds.registry import Resource
from emulator.kube.kinds.registry import Scale as Paths
from emulator.kube.patches.patch import CONTENT_TYPES, apply_patch
from emulator.kube.store.failures import Cause, conflict, invalid, invalid_value
from emulator.kube.store.history import Entry
from emulator.kube.store.store import Store
from emulator.kube.tables.printers import NONE, format_selector

API_VERSION = "autoscaling/v1"
_SCHEMA = TypeSchema("autoscaling.v1.Scale")
_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


class ScaleVerbs:
    """GET, PUT and PATCH of ``/scale``."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def serve(
        self, request: web.BaseRequest, target: Target, at: Location
    ) -> web.StreamResponse:
        """Raises an ``ApiError``."""
        paths = at.resource.scale
        assert paths is not None
        if request.method == "GET":
            return self._answer(paths, self._get(at))
        if request.method not in ("PUT", "PATCH"):
            raise MethodNotAllowed("scale is read, updated or patched")
        content_type = request.headers.get("Content-Type", "")
        form = CONTENT_TYPES.get(content_type.partition(";")[0].strip().lower(), "")
        patching = request.method == "PATCH"
        call = read_call(request, target, form if patching else "")
        sent = read_document(content_type, await read_body(request), call)
        if patching:
            if form not in ("merge", "json", "strategic"):
                raise UnsupportedMediaType(f"scale takes merge and JSON patches, not {form!r}")
            # A scale has no lists, so that a strategic merge is a merge.
            plain = "merge" if form == "strategic" else form
            sent = apply_patch(scale_of(paths, self._get(at)), sent, plain)
        replicas, version = read_scale(at.resource, at.name, sent)
        self._check_uid(at, sent)
        patch: Object = _nested(paths.spec_replicas, replicas)
        if version:
            patch["metadata"] = {"resourceVersion": version}
        kind = at.resource.kind
        entry = self._store.patch(kind, at.namespace, at.name, patch, call=call)
        return self._answer(paths, entry)

    def _get(self, at: Location) -> Entry:
        return self._store.get(at.resource.kind, at.namespace, at.name)

    def _check_uid(self, at: Location, sent: Any) -> None:
        uid = sent["metadata"].get("uid")
        if uid and uid != self._get(at).uid:
            raise conflict(at.resource.kind, at.name, "Precondition failed: UID in precondition")

    def _answer(self, paths: Paths, entry: Entry) -> web.Response:
        return json_response(orjson.dumps(scale_of(paths, entry)))


def scale_of(paths: Paths, entry: Entry) -> Object:
    """The ``autoscaling/v1`` Scale of an object."""
    meta = entry.obj["metadata"]
    status: Object = {"replicas": _number(_at(entry.obj, paths.status_replicas))}
    selector = _at(entry.obj, paths.selector) if paths.selector else None
    text = selector if isinstance(selector, str) else format_selector(selector)
    if text and text != NONE:
        status["selector"] = text
    return {
        "kind": "Scale",
        "apiVersion": API_VERSION,
        "metadata": {key: meta[key] for key in _COPIED if key in meta},
        "spec": {"replicas": _number(_at(entry.obj, paths.spec_replicas))},
        "status": status,
    }


def read_scale(resource: Resource, name: str, sent: Any) -> tuple[int, str]:
    """Replicas and resourceVersion. Raises ``BadRequest`` and ``Invalid``."""
    if not isinstance(sent, dict):
        raise BadRequest("a Scale must be an object")
    meta = sent.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise BadRequest("a Scale's metadata must be an object")
    if sent.get("kind", "Scale") != "Scale" or sent.get("apiVersion", API_VERSION) != API_VERSION:
        raise BadRequest(f"the body must be a Scale of {API_VERSION}")
    if meta.get("name", name) != name:
        raise BadRequest(f"the name of the object does not match the name on the URL ({name})")
    pruned, _ = _SCHEMA.prune(sent)
    causes: list[Cause] = _SCHEMA.causes(pruned)
    replicas = (pruned.get("spec") or {}).get("replicas", 0) if not causes else 0
    if replicas < 0:
        hint = "must be greater than or equal to 0"
        causes = [invalid_value("spec.replicas", str(replicas), hint)]
    if causes:
        raise invalid(resource.kind, name, causes)
    version = meta.get("resourceVersion") or ""
    if not isinstance(version, str):
        raise BadRequest("metadata.resourceVersion must be a string")
    return replicas, version


def _steps(path: str) -> list[str]:
    return path.removeprefix(".").split(".")


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for step in _steps(path):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _nested(path: str, value: Any) -> Object:
    for step in reversed(_steps(path)):
        value = {step: value}
    found: Object = value
    return found


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
