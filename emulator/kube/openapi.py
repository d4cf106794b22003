"""OpenAPI v3 documents: enough for kubectl's validation, patching and ``explain``."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from emulator.kube.registry import Registry, Resource

_META_NAME = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_TEXT = {"type": "string"}
_TEXTS = {"type": "object", "additionalProperties": _TEXT}
_TIME = {"type": "string", "format": "date-time"}
_OBJECT_META = {
    "type": "object",
    "description": "ObjectMeta is metadata that all persisted resources must have.",
    "properties": {
        "annotations": _TEXTS,
        "creationTimestamp": _TIME,
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
        "deletionTimestamp": _TIME,
        "finalizers": {
            "type": "array",
            "items": _TEXT,
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "generateName": _TEXT,
        "generation": {"type": "integer", "format": "int64"},
        "labels": _TEXTS,
        "managedFields": {"type": "array", "items": {"type": "object"}},
        "name": _TEXT,
        "namespace": _TEXT,
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": True},
            "x-kubernetes-patch-merge-key": "uid",
            "x-kubernetes-patch-strategy": "merge",
        },
        "resourceVersion": _TEXT,
        "selfLink": _TEXT,
        "uid": _TEXT,
    },
}
_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


class OpenApi:
    """The documents, built once per state of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built = -1
        self._documents: dict[str, bytes] = {}

    def document(self, path: str) -> bytes | None:
        """``/openapi/v3`` or ``/openapi/v3/apis/GROUP/VERSION``; None when there is none such."""
        if self._built != self._registry.version:
            self._build()
        return self._documents.get(path)

    def _build(self) -> None:
        self._built = self._registry.version
        self._documents = {}
        index: dict[str, Any] = {}
        for group, versions in self._registry.groups().items():
            for version, resources in versions.items():
                short = f"apis/{group}/{version}" if group else f"api/{version}"
                encoded = orjson.dumps(_document(resources))
                path = f"/openapi/v3/{short}"
                self._documents[path] = encoded
                digest = hashlib.sha256(encoded).hexdigest().upper()
                index[short] = {"serverRelativeURL": f"{path}?hash={digest}"}
        self._documents["/openapi/v3"] = orjson.dumps({"paths": index})


def _document(resources: list[Resource]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {_META_NAME: _OBJECT_META}
    for resource in resources:
        schemas[_schema_name(resource)] = _schema(resource)
        paths.update(_paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.32.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema_name(resource: Resource) -> str:
    kind = resource.kind
    if resource.custom:
        return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])
    group = kind.group.split(".")[0] or "core"
    return f"io.k8s.api.{group}.{kind.version}.{kind.kind}"


def _gvk(resource: Resource) -> dict[str, str]:
    kind = resource.kind
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _schema(resource: Resource) -> dict[str, Any]:
    openapi = resource.schema.openapi
    own = openapi.get("properties", {})
    return {
        **openapi,
        "properties": {
            **own,
            "apiVersion": {**_TEXT, "description": "The versioned schema of this object."},
            "kind": {**_TEXT, "description": "The REST resource that this object represents."},
            "metadata": {
                "allOf": [{"$ref": f"#/components/schemas/{_META_NAME}"}],
                "description": "Standard object's metadata.",
                "default": {},
            },
        },
        "x-kubernetes-group-version-kind": [_gvk(resource)],
    }


def _paths(resource: Resource) -> dict[str, Any]:
    kind = resource.kind
    collection = kind.path("{namespace}")
    item = kind.path("{namespace}", "{name}")
    reference = {"$ref": f"#/components/schemas/{_schema_name(resource)}"}
    answer = {"200": {"content": {"application/json": {"schema": reference}}}}
    parameters = [
        {"name": name, "in": "query", "schema": _TEXT, "uniqueItems": True} for name in _PARAMETERS
    ]

    def operation(action: str, *media: str) -> dict[str, Any]:
        built: dict[str, Any] = {
            "operationId": f"{action}{kind.kind}",
            "responses": answer,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": _gvk(resource),
        }
        if media:
            built["parameters"] = parameters
            built["requestBody"] = {"content": {name: {"schema": reference} for name in media}}
        return built

    paths = {
        collection: {
            "get": operation("list"),
            "post": operation("post", "application/json"),
            "delete": operation("deletecollection"),
        },
        item: {
            "get": operation("get"),
            "put": operation("put", "application/json"),
            "patch": operation("patch", *resource.patch_types),
            "delete": operation("delete"),
        },
    }
    if resource.status:
        paths[f"{item}/status"] = {
            "get": operation("get"),
            "put": operation("put", "application/json"),
            "patch": operation("patch", *resource.patch_types),
        }
    return paths
