"""Structural schemas: prune unknown fields, fill in defaults, validate.

The order of a write is decode, patch, prune, default, validate, commit.
Validation itself is the ``jsonschema-rs`` library's; this module only translates the OpenAPI v3
dialect of CustomResourceDefinitions, and the library's errors into Kubernetes' words.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import jsonschema_rs
import orjson

from emulator.kube.store.failures import Cause, invalid_value, required

_COPIED = (
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
    "multipleOf",
    "pattern",
    "required",
    "uniqueItems",
)
_OBJECT_META = frozenset({"apiVersion", "kind", "metadata"})
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


class SchemaError(ValueError):
    """The schema itself is not usable; ``args[0]`` says what and where."""


class Schema:
    """One version's ``openAPIV3Schema``, compiled. Raises :class:`SchemaError`.

    A function that gives the schema is called, and its schema compiled, at the first use.
    """

    def __init__(self, openapi: dict[str, Any] | Callable[[], dict[str, Any]]) -> None:
        self._source = openapi
        if not callable(openapi):
            self._validator  # noqa: B018 - an unusable schema is refused at once

    @functools.cached_property
    def openapi(self) -> dict[str, Any]:
        return self._source() if callable(self._source) else self._source

    @functools.cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        try:
            return jsonschema_rs.Draft202012Validator(
                _translate(self.openapi, "schema"),
                validate_formats=True,
                pattern_options=jsonschema_rs.RegexOptions(),  # linear time, as the server's own
            )
        except ValueError as error:
            raise SchemaError(str(error).splitlines()[0]) from error

    @functools.cached_property
    def _defaults(self) -> dict[str, Any]:
        return _only_defaults(self.openapi)

    def prune(self, obj: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The object without the fields that the schema does not name, and those fields' paths."""
        unknown: list[str] = []
        kept = {key: value for key, value in obj.items() if key in _OBJECT_META}
        body = {key: value for key, value in obj.items() if key not in _OBJECT_META}
        return {**kept, **_prune(body, self.openapi, "", unknown)}, unknown

    def default(self, obj: dict[str, Any]) -> dict[str, Any]:
        """The object with the schema's defaults where a field is missing; the input is kept."""
        filled = _default(obj, self._defaults)
        assert isinstance(filled, dict)
        return filled

    def causes(self, obj: dict[str, Any]) -> list[Cause]:
        """What is wrong with the object; empty when it is valid."""
        if self._validator.is_valid(obj):
            return []
        found = [_cause(error) for error in self._validator.iter_errors(obj)]
        return sorted(found, key=lambda cause: cause.field)


def _translate(node: dict[str, Any], where: str) -> dict[str, Any]:
    """OpenAPI v3 as CRDs use it -> JSON Schema draft 2020-12."""
    if not isinstance(node, dict):
        raise SchemaError(f"{where}: must be an object")
    out: dict[str, Any] = {key: node[key] for key in _COPIED if key in node}
    if node.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
    elif "type" in node:
        out["type"] = node["type"]
    if node.get("nullable") and "type" in out:
        types = out["type"] if isinstance(out["type"], list) else [out["type"]]
        out["type"] = [*types, "null"]
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    low, high = _RANGES.get(node.get("format", ""), (None, None))
    for bound, exclusive, limit in (
        ("minimum", "exclusiveMinimum", low),
        ("maximum", "exclusiveMaximum", high),
    ):
        value = node.get(bound, limit)
        if value is not None:
            out[exclusive if node.get(exclusive) is True else bound] = value
    if "properties" in node:
        out["properties"] = {
            key: _translate(child, f"{where}.properties[{key}]")
            for key, child in node["properties"].items()
        }
    if isinstance(node.get("additionalProperties"), dict):
        out["additionalProperties"] = _translate(
            node["additionalProperties"], f"{where}.additionalProperties"
        )
    if "items" in node:
        out["items"] = _translate(node["items"], f"{where}.items")
    for word in ("allOf", "anyOf", "oneOf"):
        if word in node:
            out[word] = [_translate(child, f"{where}.{word}") for child in node[word]]
    if "not" in node:
        out["not"] = _translate(node["not"], f"{where}.not")
    return out


def _prune(value: Any, node: dict[str, Any], path: str, unknown: list[str]) -> Any:
    if isinstance(value, dict):
        properties = node.get("properties", {})
        rest = node.get("additionalProperties")
        keep_all = node.get("x-kubernetes-preserve-unknown-fields") or rest is True
        pruned: dict[str, Any] = {}
        for key, child in value.items():
            at = f"{path}.{key}" if path else key
            if key in properties:
                pruned[key] = _prune(child, properties[key], at, unknown)
            elif isinstance(rest, dict):
                pruned[key] = _prune(child, rest, at, unknown)
            elif keep_all or (node.get("x-kubernetes-embedded-resource") and key in _OBJECT_META):
                pruned[key] = child
            else:
                unknown.append(at)
        return pruned
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        return [
            _prune(child, node["items"], f"{path}[{index}]", unknown)
            for index, child in enumerate(value)
        ]
    return value


def _only_defaults(node: dict[str, Any]) -> dict[str, Any]:
    """The part of a schema that leads to defaults; empty where there are none."""
    kept: dict[str, Any] = {}
    children = {key: _only_defaults(child) for key, child in node.get("properties", {}).items()}
    if found := {key: child for key, child in children.items() if child}:
        kept["properties"] = found
    for word in ("additionalProperties", "items"):
        if isinstance(node.get(word), dict) and (child := _only_defaults(node[word])):
            kept[word] = child
    if "default" in node:
        kept |= {"default": node["default"], "nullable": node.get("nullable", False)}
    return kept


def _default(value: Any, node: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        properties: dict[str, Any] = node.get("properties", {})
        rest = node.get("additionalProperties")
        filled = dict(value)
        for key, child in properties.items():
            # A null where null is not allowed counts as missing if there is a default.
            if "default" in child and (
                key not in filled or (filled[key] is None and not child.get("nullable"))
            ):
                filled[key] = copy.deepcopy(child["default"])
            if key in filled:
                filled[key] = _default(filled[key], child)
        if isinstance(rest, dict):
            for key in filled.keys() - properties.keys():
                filled[key] = _default(filled[key], rest)
        return filled
    if isinstance(value, list) and isinstance(node.get("items"), dict):
        return [_default(child, node["items"]) for child in value]
    return value


def field_path(parts: Iterable[str | int]) -> str:
    """``["spec", "hosts", 0, "name"]`` -> ``spec.hosts[0].name``."""
    path = ""
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _cause(error: jsonschema_rs.ValidationError) -> Cause:
    path = field_path(error.instance_path)
    word = error.kind.name
    about = error.kind.as_dict()
    shown = orjson.dumps(error.instance).decode()
    limit = about.get("limit")
    if word == "required":
        return required(f"{path}.{about['property']}" if path else str(about["property"]))
    if word == "type":
        types = "/".join(name for name in about["types"] if name != "null")
        found = _type_name(error.instance)
        return Cause(
            path,
            f'Invalid value: "{found}": {path} in body must be of type {types}: "{found}"',
            "FieldValueTypeInvalid",
        )
    if word == "enum":
        options = ", ".join(
            orjson.dumps(option).decode() for option in about["options"] if option is not None
        )
        return Cause(
            path,
            f"Unsupported value: {shown}: supported values: {options}",
            "FieldValueNotSupported",
        )
    hints = {
        "pattern": f"should match '{about.get('pattern')}'",
        "minLength": f"should be at least {limit} chars long",
        "minItems": f"should have at least {limit} items",
        "minimum": f"should be greater than or equal to {limit}",
        "maximum": f"should be less than or equal to {limit}",
        "exclusiveMinimum": f"should be greater than {limit}",
        "exclusiveMaximum": f"should be less than {limit}",
        "format": f"must be of type {about.get('format')}: {shown}",
    }
    if word in ("maxLength", "maxItems"):
        what = "bytes" if word == "maxLength" else "items"
        reason = "FieldValueTooLong" if word == "maxLength" else "FieldValueTooMany"
        return Cause(path, f"Too long: may not be more than {limit} {what}", reason)
    if word in hints:
        return invalid_value(path, shown, f"{path} in body {hints[word]}")
    return invalid_value(path or "<root>", shown, error.message)


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
    return "null" if value is None else names.get(type(value), "object")
