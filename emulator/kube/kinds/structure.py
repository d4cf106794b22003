"""How the parts of an object merge: which lists are joined by key, are sets, or are one value.

Custom resources say so by ``x-kubernetes-list-type`` and its kin. Built-in kinds carry the same
words, which :func:`annotated` writes into their schemas from the tables below; their source is
the public API reference ("patch strategy" and "merge key" of a field, and its list type).
"""

from __future__ import annotations

import functools
from typing import Any, Literal

from emulator.kube.kinds.registry import Resource
from emulator.kube.patches.mergerules import ATOMIC_MAPS, LISTS, META

Shape = Literal["map", "list", "set", "atomic"]
"""``map``: an object of separate fields. ``list``: a list joined by keys. ``set``: of scalars."""


_CACHED = 512  # children kept per node; the keys of a map are the clients' to choose


class Node:
    """What is known of one place in an object. Asking for a child never fails: the default for
    what no schema describes is an object of separate fields and a list that is one value."""

    __slots__ = ("_builtin", "_children", "_name", "_schema", "keys", "merge_key", "strategies")

    def __init__(self, schema: dict[str, Any], name: str, *, builtin: bool) -> None:
        self._schema = schema
        self._name = name
        self._builtin = builtin
        self._children: dict[str | None, Node] = {}
        self.keys: tuple[str, ...] = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        self.merge_key: str = schema.get("x-kubernetes-patch-merge-key", "")
        """Strategic merge joins this list by it."""
        words = schema.get("x-kubernetes-patch-strategy", "")
        self.strategies = frozenset(word for word in words.split(",") if word)
        """Of ``merge``, ``replace`` and ``retainKeys``."""

    def shape(self, value: Any) -> Shape:
        """How a value found here merges."""
        if isinstance(value, dict):
            return "atomic" if self._schema.get("x-kubernetes-map-type") == "atomic" else "map"
        if isinstance(value, list):
            kind = self._schema.get("x-kubernetes-list-type")
            if kind == "map" and self.keys:
                return "list"
            if kind == "set":
                return "set"
        return "atomic"

    def child(self, field: str) -> Node:
        found = self._children.get(field)
        if found is None:
            schema = self._schema.get("properties", {}).get(field)
            if not isinstance(schema, dict):
                rest = self._schema.get("additionalProperties")
                schema = rest if isinstance(rest, dict) else None
            if schema is None:
                schema = self._undescribed(field)
            found = Node(schema, field, builtin=self._builtin)
            if len(self._children) < _CACHED:
                self._children[field] = found
        return found

    @property
    def item(self) -> Node:
        """What each item of the list is."""
        found = self._children.get(None)
        if found is None:
            schema = self._schema.get("items")
            schema = schema if isinstance(schema, dict) else {}
            found = self._children[None] = Node(schema, self._name, builtin=self._builtin)
        return found

    def default(self, key: str) -> Any:
        """What a missing key of an item counts as; None without a default."""
        items = self._schema.get("items")
        known = items.get("properties", {}) if isinstance(items, dict) else {}
        if key in known and "default" in known[key]:
            return known[key]["default"]
        return "TCP" if self._builtin and key == "protocol" else None

    def _undescribed(self, field: str) -> dict[str, Any]:
        if not self._builtin:
            return {}
        if field == "metadata":
            return META
        return _words(self._name, field)


@functools.lru_cache(maxsize=1024)
def _words(parent: str, field: str) -> dict[str, Any]:
    """The extension fields for a field of a built-in kind, by its name and its parent's."""
    if parent == "metadata" and field in META["properties"]:
        known: dict[str, Any] = META["properties"][field]
        return {word: value for word, value in known.items() if word.startswith("x-")}
    if f"{parent}.{field}" in ATOMIC_MAPS or field in ATOMIC_MAPS:
        return {"x-kubernetes-map-type": "atomic"}
    rule = LISTS.get(f"{parent}.{field}", LISTS.get(field))
    if rule is None:
        return {}
    words: dict[str, Any] = {}
    if rule.keys:
        words["x-kubernetes-list-type"] = "map"
        words["x-kubernetes-list-map-keys"] = list(rule.keys)
    elif rule.merge_key:
        words["x-kubernetes-list-type"] = "atomic"
    if rule.merge_key:
        words["x-kubernetes-patch-merge-key"] = rule.merge_key
    if rule.strategy:
        words["x-kubernetes-patch-strategy"] = rule.strategy
    return words


def annotated(schema: dict[str, Any], name: str = "") -> dict[str, Any]:
    """A built-in kind's schema with the words of merging; what stands there already is kept."""
    out = dict(schema)
    if "properties" in schema:
        out["properties"] = {
            key: annotated({**_fitting(name, key, child), **child}, key)
            for key, child in schema["properties"].items()
        }
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            out[word] = annotated(schema[word], name)
    return out


def _fitting(parent: str, field: str, schema: dict[str, Any]) -> dict[str, Any]:
    """The words for the field, unless its type says that the name means something else here."""
    words = _words(parent, field)
    about_lists = "x-kubernetes-list-type" in words or "x-kubernetes-patch-merge-key" in words
    wanted = "array" if about_lists else "object"
    return words if schema.get("type", wanted) == wanted else {}


@functools.lru_cache(maxsize=512)
def structure_of(resource: Resource) -> Node:
    """The structure of a served kind."""
    openapi = resource.schema.openapi
    if not resource.custom:
        openapi = annotated(openapi)
    properties = {**openapi.get("properties", {}), "metadata": META}
    return Node({**openapi, "properties": properties}, "", builtin=not resource.custom)
