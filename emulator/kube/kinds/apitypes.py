"""The types of the built-in kinds: one table for schemas, documents and protobuf bodies."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

from emulator.kube.kinds.schema import Schema
from emulator.privatefiles import load_yaml

_TYPES = Path(__file__).with_name("builtin_types.yaml")
_RULES = Path(__file__).with_name("builtin_rules.yaml")
_QUANTITY = r"^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
_ANY_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_SCALARS: dict[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "bytes": {"type": "string", "format": "byte"},
    "strings": {"type": "array", "items": {"type": "string"}},
    "Time": {"type": "string", "format": "date-time"},
    "MicroTime": {"type": "string", "format": "date-time"},
    "Duration": {"type": "string"},
    "IntOrString": {"x-kubernetes-int-or-string": True},
    "Quantity": {"x-kubernetes-int-or-string": True, "pattern": _QUANTITY},
    "Raw": _ANY_OBJECT,
    "FieldsV1": _ANY_OBJECT,
}
_FLAGS = ("required", "inline", "omitzero")
COMPONENTS = "#/components/schemas/"


class Field(NamedTuple):
    """A field of a message. ``type`` is a scalar's word or a type's name, without its list or map.

    ``container`` is "", ``list`` or ``map``; ``number`` is the field's in protobuf.
    """

    name: str
    number: int
    type: str
    container: str
    required: bool
    inline: bool
    omit_zero: bool = False


@functools.cache
def table() -> dict[str, dict[str, Field]]:
    """type -> field -> what is known of it."""
    read: dict[str, dict[str, str]] = load_yaml(_TYPES)[0]
    return {
        name: {field: _field(field, words) for field, words in fields.items()}
        for name, fields in read.items()
    }


def _field(name: str, words: str) -> Field:
    number, type_, *flags = words.split()
    container = "list" if type_.startswith("[]") else "map" if type_.startswith("map[") else ""
    plain = type_.removeprefix("[]").removeprefix("map[").removesuffix("]")
    return Field(name, int(number), plain, container, *(word in flags for word in _FLAGS))


@functools.cache
def _rules() -> dict[str, dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = load_yaml(_RULES)[0]
    return rules


def fields(name: str) -> dict[str, Field]:
    """The fields of a type as JSON has them: those of inlined parts among them."""
    found: dict[str, Field] = {}
    for field in table()[name].values():
        found |= fields(field.type) if field.inline else {field.name: field}
    return found


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """The whole structural schema of a type, as a CRD would have it. Not to be changed."""
    return _object(name, nested=schema)


def component(name: str) -> dict[str, Any]:
    """The type's own schema, with references to :func:`component_name` for the types in it."""
    return _object(
        name,
        nested=lambda inner: {"allOf": [{"$ref": COMPONENTS + component_name(inner)}]},
        plain=lambda inner: {"$ref": COMPONENTS + component_name(inner)},
    )


def component_name(name: str) -> str:
    root = "io.k8s.apimachinery.pkg.apis" if name.startswith("meta.") else "io.k8s.api"
    return f"{root}.{name}"


def closure(name: str) -> set[str]:
    """The type and all types that it is made of."""
    found: set[str] = set()
    todo = [name]
    while todo:
        at = todo.pop()
        if at not in found:
            found.add(at)
            todo += [field.type for field in fields(at).values() if field.type in table()]
    return found


def _object(name: str, *, nested: Any, plain: Any = None) -> dict[str, Any]:
    rules = _rules().get(name, {})
    found: dict[str, Any] = {"type": "object"}
    if "_" in rules:
        found["description"] = rules["_"]
    properties: dict[str, Any] = {}
    required = []
    for field in fields(name).values():
        words = rules.get(field.name) or {}
        words = {"description": words} if isinstance(words, str) else words
        inner = _SCALARS.get(field.type)
        if field.container:
            inner = inner if inner is not None else (plain or nested)(field.type)
            inner = (
                {"type": "array", "items": inner}
                if field.container == "list"
                else {"type": "object", "additionalProperties": inner}
            )
        elif inner is None:
            inner = nested(field.type)
        properties[field.name] = {**inner, **words}
        if field.required:
            required.append(field.name)
    if properties:
        found["properties"] = properties
    if required:
        found["required"] = required
    return found


class TypeSchema(Schema):
    """A built-in kind's schema, worked out when it is first needed."""

    def __init__(self, name: str) -> None:
        super().__init__(lambda: _root(name))
        self._name = name

    def prune(self, obj: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        cleaned = tidy(self._name, obj)
        return super().prune(cleaned)


def _root(name: str) -> dict[str, Any]:
    whole = schema(name)
    properties = {key: part for key, part in whole["properties"].items() if key != "metadata"}
    return {**whole, "properties": properties}


def tidy(name: str, value: Any) -> Any:
    """The object as Go's decoder leaves it: without nulls, and quantities as text."""
    if not isinstance(value, dict) or name not in table():
        if name == "Quantity" and isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return value
    known = _fields(name)
    clean: dict[str, Any] = {}
    for key, child in value.items():
        if child is None:
            continue
        field = known.get(key)
        if field is None or field.type in _PLAIN:
            clean[key] = child
        elif field.container == "list" and isinstance(child, list):
            clean[key] = [tidy(field.type, item) for item in child]
        elif field.container == "map" and isinstance(child, dict):
            clean[key] = {name: tidy(field.type, item) for name, item in child.items()}
        else:
            clean[key] = tidy(field.type, child)
    return clean


_PLAIN = frozenset(_SCALARS) - {"Quantity"}
_fields = functools.cache(fields)
