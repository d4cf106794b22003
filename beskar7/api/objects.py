"""Objects, lists and watch events as an API server sends them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

T = TypeVar("T")

Object = dict[str, Any]
"""A Kubernetes object as JSON. What a port returns belongs to the caller and may be changed."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: Object


@dataclass(frozen=True, slots=True)
class ObjectList:
    items: list[Object]
    resource_version: str


def copy_json(value: T) -> T:
    """A deep copy of plain data, through JSON: less than half the time of copying it by hand."""
    return orjson.loads(orjson.dumps(value))  # type: ignore[no-any-return] # JSON is untyped
