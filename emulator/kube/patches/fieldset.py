"""Sets of fields: paths into an object, as ``managedFields`` keeps them, and how to find them.

A path is a tuple of elements in the words of FieldsV1: ``f:name`` a field, ``k:{"name":"x"}`` an
item of a list joined by keys, ``v:"x"`` a member of a set.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from emulator.kube.kinds.structure import Node

Path = tuple[str, ...]
Paths = frozenset[Path]
NONE: Paths = frozenset()
MAX_DEPTH = 100  # levels of a FieldsV1 that a client sends

# Set by the server alone; nobody owns them. Of the metadata, only these fields have owners.
_UNOWNED = frozenset({"apiVersion", "kind", "metadata"})
_OWNED_META = ("annotations", "finalizers", "generateName", "labels", "ownerReferences")


class Fields(dict[str, Any]):
    """A FieldsV1 object that knows its set; shared between all objects with the same one."""

    __slots__ = ("paths",)
    paths: Paths


@functools.lru_cache(maxsize=4096)
def encode(paths: Paths) -> Fields:
    """The set as FieldsV1. Shared: not to be changed."""
    fields = Fields()
    for path in sorted(paths):
        node: dict[str, Any] = fields
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    for path in paths:
        _shorten(fields, path)
    fields.paths = paths
    return fields


def _shorten(node: dict[str, Any], path: Path) -> None:
    """A member without members below it is written as ``{}``, not as ``{".": {}}``."""
    for element in path:
        node = node[element]
    if len(node) == 1 and "." in node:
        del node["."]


def decode(fields: Any) -> Paths:
    """Raises ``ValueError`` for what is not FieldsV1."""
    if isinstance(fields, Fields):
        return fields.paths
    found: set[Path] = set()
    _decode(fields, (), found)
    return frozenset(found)


def _decode(node: Any, path: Path, found: set[Path]) -> None:
    if not isinstance(node, dict) or len(path) > MAX_DEPTH:
        raise ValueError("FieldsV1 must be nested objects")
    if path and (not node or "." in node):
        found.add(path)
    for element, child in node.items():
        if element == ".":
            continue
        if element[:2] not in ("f:", "k:", "v:", "i:"):
            raise ValueError(f'FieldsV1: "{element[:40]}" is no path element')
        _decode(child, (*path, element), found)


def item_element(node: Node, item: Any) -> str | None:
    """The path element of an item of a list joined by keys; None when it has none."""
    if not isinstance(item, dict):
        return None
    keys = {}
    for key in node.keys:
        value = item.get(key)
        if value is None:
            value = node.default(key)
        if isinstance(value, dict | list):
            return None
        if value is not None:
            keys[key] = value
    if not keys:
        return None
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def members(node: Node, shape: str, value: list[Any]) -> dict[str, Any] | None:
    """The items of a list by their path elements; None when they cannot be told apart."""
    found: dict[str, Any] = {}
    for item in value:
        if shape == "list":
            element = item_element(node, item)
        elif isinstance(item, dict | list):
            element = None
        else:
            element = "v:" + orjson.dumps(item).decode()
        if element is None or element in found:
            return None
        found[element] = item
    return found


@dataclass(slots=True)
class Changes:
    """What differs between two states of an object."""

    changed: set[Path] = field(default_factory=set)
    """Added or with another value."""
    removed: set[Path] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def compare(old: dict[str, Any], new: dict[str, Any], root: Node) -> Changes:
    """Of two whole objects, without what nobody owns."""
    changes = Changes()
    for name, value in new.items():
        if name not in _UNOWNED:
            if name not in old:
                _collect(value, root.child(name), (f"f:{name}",), changes.changed)
            elif old[name] != value:
                _compare(old[name], value, root.child(name), (f"f:{name}",), changes)
    for name in old.keys() - new.keys() - _UNOWNED:
        _collect(old[name], root.child(name), (f"f:{name}",), changes.removed)
    was, now = old.get("metadata") or {}, new.get("metadata") or {}
    for name in _OWNED_META:
        if was.get(name) != now.get(name):
            path = ("f:metadata", f"f:{name}")
            node = root.child("metadata").child(name)
            if name not in was:
                _collect(now[name], node, path, changes.changed)
            elif name not in now:
                _collect(was[name], node, path, changes.removed)
            else:
                _compare(was[name], now[name], node, path, changes)
    return changes


def _compare(old: Any, new: Any, node: Node, path: Path, changes: Changes) -> None:
    """For two values that differ."""
    shape = node.shape(new)
    if shape == "map" and isinstance(old, dict):
        for key, value in new.items():
            at = (*path, f"f:{key}")
            if key not in old:
                _collect(value, node.child(key), at, changes.changed)
            elif old[key] != value:
                _compare(old[key], value, node.child(key), at, changes)
        for key in old.keys() - new.keys():
            _collect(old[key], node.child(key), (*path, f"f:{key}"), changes.removed)
        return
    if shape in ("list", "set") and isinstance(old, list):
        before, after = members(node, shape, old), members(node, shape, new)
        if before is not None and after is not None:
            for element, value in after.items():
                if element not in before:
                    _collect(value, node.item, (*path, element), changes.changed)
                elif before[element] != value:
                    _compare(before[element], value, node.item, (*path, element), changes)
            for element in before.keys() - after.keys():
                _collect(before[element], node.item, (*path, element), changes.removed)
            return
    if type(old) is not type(new):
        _collect(old, node, path, changes.removed)
        _collect(new, node, path, changes.changed)
        changes.removed -= changes.changed
    changes.changed.add(path)


def _collect(value: Any, node: Node, path: Path, found: set[Path]) -> None:
    """The value's own path and all paths below it."""
    found.add(path)
    for element, child, below in parts(value, node):
        _collect(child, below, (*path, element), found)


def parts(value: Any, node: Node) -> Iterator[tuple[str, Any, Node]]:
    """Element, value and structure of what has an owner of its own inside of the value."""
    shape = node.shape(value)
    if shape == "map":
        for key, child in value.items():
            yield f"f:{key}", child, node.child(key)
    elif shape in ("list", "set"):
        for element, child in (members(node, shape, value) or {}).items():
            yield element, child, node.item


def applied_set(config: dict[str, Any], root: Node) -> Paths:
    """The fields that an applied configuration claims: its leaves, and its lists' items."""
    found: set[Path] = set()
    for name, value in config.items():
        if name not in _UNOWNED:
            _claim(value, root.child(name), (f"f:{name}",), found)
    meta = config.get("metadata") or {}
    for name in _OWNED_META:
        if name in meta:
            node = root.child("metadata").child(name)
            _claim(meta[name], node, ("f:metadata", f"f:{name}"), found)
    return frozenset(found)


def _claim(value: Any, node: Node, path: Path, found: set[Path]) -> None:
    inside = list(parts(value, node))
    if not inside or path[-1][0] in "kv":
        found.add(path)
    for element, child, below in inside:
        _claim(child, below, (*path, element), found)


def with_parents(paths: Iterable[Path]) -> set[Path]:
    """The set and the fields (not the items) that lead to its members."""
    found = set(paths)
    for path in list(found):
        for length in range(len(path) - 1, 0, -1):
            above = path[:length]
            if above[-1].startswith("f:"):
                if above in found:
                    break
                found.add(above)
    return found


def shown(path: Path) -> str:
    """The path as messages name it: ``.spec.containers[name="x"].image``."""
    out = ""
    for element in path:
        tag, rest = element[:2], element[2:]
        if tag == "f:":
            out += f".{rest}"
        elif tag == "k:":
            keys = orjson.loads(rest)
            said = (f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items())
            out += f"[{','.join(said)}]"
        else:
            out += f"[={rest}]"
    return out
