"""Tables: what ``kubectl get`` prints, worked out by the server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse as parse_jsonpath

from beskar7.api.objects import Object
from emulator.kube.kinds.registry import Column, Resource
from emulator.kube.tables.ages import age
from emulator.kube.tables.printers import COMPUTED

_PLAIN_STEP = re.compile(r"\.((?:\\.|[^.\[\]\\'\"])+)|\['((?:\\.|[^'\\])+)'\]")
_MAX_PATH = 1024  # characters


class ColumnError(ValueError):
    """A printer column's jsonPath cannot be read; ``args[0]`` says which."""


Reader = Callable[[Object], Any]
_readers: dict[str, Reader] = {}


def check_path(path: str) -> None:
    """Raises :class:`ColumnError` when a printer column cannot be read by this path."""
    _reader(path)


def _reader(path: str) -> Reader:
    if path not in _readers:
        _readers[path] = _compile(path)
    return _readers[path]


def _compile(path: str) -> Reader:
    """Plain steps are walked here, 20 times faster; filters and indices by jsonpath-ng."""
    if not path.startswith((".", "[")) or len(path) > _MAX_PATH:
        raise ColumnError(f'jsonPath "{path[:80]}" must start with a dot')
    steps: list[str] = []
    at = 0
    while at < len(path):
        match = _PLAIN_STEP.match(path, at)
        if match is None:
            break
        steps.append(re.sub(r"\\(.)", r"\1", match.group(1) or match.group(2)))
        at = match.end()
    if at == len(path):
        return lambda obj: _walk(obj, steps)
    try:
        compiled = parse_jsonpath("$" + path.replace("==", " == "))
    except (JSONPathError, ValueError, AttributeError) as error:
        raise ColumnError(f'jsonPath "{path}": {error}') from error

    def read(obj: Object) -> Any:
        found = compiled.find(obj)
        return found[0].value if found else None

    return read


def _walk(value: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _cell(column: Column, obj: Object, now: float) -> Any:
    if column.compute:
        return COMPUTED[column.compute](obj, now)
    value = _reader(column.path)(obj)
    if column.type == "date":
        return age(value, now)
    if value is None:
        # kubectl leaves a missing custom column blank, and says <none> for its own kinds.
        return ""
    if column.type in ("integer", "number"):
        return value if isinstance(value, int | float) else None
    if column.type == "boolean":
        return value if isinstance(value, bool) else None
    return value if isinstance(value, str) else str(value)


def definitions(resource: Resource) -> list[dict[str, Any]]:
    first: list[dict[str, Any]] = [
        {
            "name": "Name",
            "type": "string",
            "format": "name",
            "description": "Name must be unique within a namespace.",
            "priority": 0,
        }
    ]
    return (first if resource.name_first else []) + [
        {
            "name": column.name,
            # Ages are sent as text, as the API server does.
            "type": "string" if column.type == "date" else column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in resource.columns
    ]


def row(resource: Resource, obj: Object, include: str, now: float) -> dict[str, Any]:
    """``include`` is None, Metadata or Object; ``now`` is wall time in seconds."""
    meta = obj["metadata"]
    cells = [_cell(column, obj, now) for column in resource.columns]
    built: dict[str, Any] = {"cells": [meta["name"], *cells] if resource.name_first else cells}
    if include == "Object":
        built["object"] = obj
    elif include == "Metadata":
        built["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": meta,
        }
    return built


def table(
    resource: Resource, objects: Iterable[Object], version: str, include: str, now: float
) -> dict[str, Any]:
    """A ``meta.k8s.io/v1`` Table of the objects; ``version`` is its resourceVersion."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions(resource),
        "rows": [row(resource, obj, include, now) for obj in objects],
    }
