"""OpenAPI documents: enough for kubectl's validation, patching and ``explain``.

The types of built-in kinds stand as components with references between them, as the API server
has them; a custom kind's schema stands as a whole.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import orjson

from emulator.kube.kinds import apitypes
from emulator.kube.kinds.registry import Registry, Resource
from emulator.kube.kinds.structure import annotated
from emulator.kube.patches.mergerules import FIELDS_OF

_META = "meta.v1.ObjectMeta"
_TEXT = {"type": "string"}
_WRITING = ("dryRun", "fieldManager", "fieldValidation")
_LISTING = (
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "timeoutSeconds",
    "watch",
)
_SCALE = "autoscaling.v1.Scale"
_APPLY = "application/apply-patch+yaml"


class OpenApi:
    """The documents, built once per state of the registry, each when it is first asked for."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built = -1
        self._documents: dict[str, bytes] = {}

    def document(self, path: str) -> bytes | None:
        """``/openapi/v3`` or ``/openapi/v3/apis/GROUP/VERSION``; None when there is none such."""
        self._refresh()
        if path not in self._documents:
            built = self._build(path)
            if built is None:
                return None
            self._documents[path] = built
        return self._documents[path]

    def version_2(self) -> bytes:
        """``/openapi/v2`` as JSON: the definitions alone."""
        self._refresh()
        if "v2" not in self._documents:
            schemas: dict[str, Any] = {}
            for resource in self._registry:
                schemas |= _schemas(resource)
            whole = {
                "swagger": "2.0",
                "info": {"title": "Kubernetes", "version": "v1.32.0"},
                "paths": {},
                "definitions": schemas,
            }
            encoded = orjson.dumps(whole)
            self._documents["v2"] = encoded.replace(b"#/components/schemas/", b"#/definitions/")
        return self._documents["v2"]

    def _refresh(self) -> None:
        if self._built != self._registry.version:
            self._built = self._registry.version
            self._documents.clear()

    def _build(self, path: str) -> bytes | None:
        if path.rstrip("/") == "/openapi/v3":
            return self._index()
        parts = path.removeprefix("/openapi/v3/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            group, version = "", parts[1]
        elif parts[0] == "apis" and len(parts) == 3:
            group, version = parts[1], parts[2]
        else:
            return None
        resources = self._registry.groups().get(group, {}).get(version)
        return None if resources is None else orjson.dumps(_document(resources))

    def _index(self) -> bytes:
        index: dict[str, Any] = {}
        for group, versions in self._registry.groups().items():
            for version in versions:
                short = f"apis/{group}/{version}" if group else f"api/{version}"
                path = f"/openapi/v3/{short}"
                digest = hashlib.sha256(self.document(path) or b"").hexdigest().upper()
                index[short] = {"serverRelativeURL": f"{path}?hash={digest}"}
        return orjson.dumps({"paths": index})


def _document(resources: list[Resource]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for resource in resources:
        schemas |= _schemas(resource)
        paths |= _paths(resource)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def schema_name(resource: Resource) -> str:
    if resource.type:
        return apitypes.component_name(resource.type)
    kind = resource.kind
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def _gvk(resource: Resource) -> dict[str, str]:
    kind = resource.kind
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schemas(resource: Resource) -> dict[str, Any]:
    """The kind's own schema and those of all types in it, its list, and what its scale is."""
    roots = [_META]
    if resource.scale is not None:
        roots.append(_SCALE)
    if resource.type:
        roots.append(resource.type)
    found: dict[str, Any] = {}
    for root in roots:
        for name in apitypes.closure(root):
            found[apitypes.component_name(name)] = _component(name)
    own = schema_name(resource)
    schema = found[own] if resource.type else resource.schema.openapi
    found[own] = {
        **schema,
        "properties": {
            "apiVersion": {**_TEXT, "description": "The versioned schema of this object."},
            "kind": {**_TEXT, "description": "The REST resource that this object represents."},
            "metadata": {
                "allOf": [{"$ref": apitypes.COMPONENTS + apitypes.component_name(_META)}],
                "description": "Standard object's metadata.",
                "default": {},
            },
            **{
                key: value
                for key, value in schema.get("properties", {}).items()
                if key not in ("apiVersion", "kind", "metadata")
            },
        },
        "x-kubernetes-group-version-kind": [_gvk(resource)],
    }
    found[f"{own}List"] = _list_schema(resource, own)
    return found


@functools.cache
def _component(name: str) -> dict[str, Any]:
    return annotated(apitypes.component(name), FIELDS_OF.get(name, ""))


def _list_schema(resource: Resource, own: str) -> dict[str, Any]:
    item = {"allOf": [{"$ref": apitypes.COMPONENTS + own}], "default": {}}
    return {
        "type": "object",
        "description": f"{resource.list_kind} is a list of {resource.kind.kind}.",
        "required": ["items"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "items": {"type": "array", "items": item},
        },
        "x-kubernetes-group-version-kind": [{**_gvk(resource), "kind": resource.list_kind}],
    }


def _paths(resource: Resource) -> dict[str, Any]:
    kind = resource.kind
    own = schema_name(resource)
    writes = [_parameter(name) for name in _WRITING]
    applies = [*writes, _parameter("force", "boolean")]
    lists = [_parameter(name) for name in _LISTING]

    def operation(
        action: str, schema: str, parameters: list[Any], *media: str, gvk: Any = None
    ) -> dict[str, Any]:
        reference = {"$ref": apitypes.COMPONENTS + schema}
        built: dict[str, Any] = {
            "operationId": f"{action}{kind.kind}",
            "responses": {
                "200": {
                    "description": "OK",
                    "content": {"application/json": {"schema": reference}},
                }
            },
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk or _gvk(resource),
        }
        if parameters:
            built["parameters"] = parameters
        if media:
            built["requestBody"] = {"content": {name: {"schema": reference} for name in media}}
        return built

    def changing(schema: str, gvk: Any = None) -> dict[str, Any]:
        patches = (*resource.patch_types, _APPLY)
        return {
            "get": operation("get", schema, [], gvk=gvk),
            "put": operation("put", schema, writes, "application/json", gvk=gvk),
            "patch": operation("patch", schema, applies, *patches, gvk=gvk),
        }

    collection, item = kind.path("{namespace}"), kind.path("{namespace}", "{name}")
    paths = {
        collection: {
            "get": operation("list", f"{own}List", lists),
            "post": operation("post", own, writes, "application/json"),
            "delete": operation("deletecollection", own, lists),
        },
        item: {**changing(own), "delete": operation("delete", own, [])},
    }
    if resource.kind.namespaced:
        paths[kind.path()] = {"get": operation("list", f"{own}List", lists)}
    if resource.status:
        paths[f"{item}/status"] = changing(own)
    if resource.scale is not None:
        gvk = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        paths[f"{item}/scale"] = changing(apitypes.component_name(_SCALE), gvk)
    return _served(paths, resource.verbs)


def _served(paths: dict[str, dict[str, Any]], verbs: tuple[str, ...]) -> dict[str, Any]:
    """Only the operations that the kind has."""
    words = {"post": "create", "put": "update"}
    kept = {
        path: {
            method: operation
            for method, operation in operations.items()
            if words.get(action := operation["x-kubernetes-action"], action) in verbs
        }
        for path, operations in paths.items()
    }
    return {path: operations for path, operations in kept.items() if operations}


def _parameter(name: str, type_: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": type_}, "uniqueItems": True}
