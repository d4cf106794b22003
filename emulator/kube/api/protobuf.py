"""Protobuf bodies, as every Go client sends them for built-in kinds, decoded to JSON.

The wire format has four shapes, and the field numbers of the public ``generated.proto`` files
stand in the table of types, so there is no generated code. Answers stay JSON: clients accept that.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from beskar7.api.errors import BadRequest, UnsupportedMediaType
from emulator.kube.kinds import apitypes
from emulator.kube.kinds.apitypes import Field

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAX_DEPTH = 24
_CUT_OFF = "the protobuf body is cut off or malformed"

_GROUPS = {
    "v1": "core.v1",
    "events.k8s.io/v1": "events.v1",
    "rbac.authorization.k8s.io/v1": "rbac.v1",
}
"""apiVersion -> package, where the package is not the group's first word."""

_OWN: dict[str, dict[str, Field]] = {
    name: {field: Field(field, number, type_, "", False, False) for number, field, type_ in fields}
    for name, fields in {
        "TypeMeta": [(1, "apiVersion", "str"), (2, "kind", "str")],
        "Unknown": [
            (1, "typeMeta", "TypeMeta"),
            (2, "raw", "raw"),
            (3, "contentEncoding", "str"),
            (4, "contentType", "str"),
        ],
        "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
        "Number": [(1, "type", "int64"), (2, "intVal", "int32"), (3, "strVal", "str")],
        "Text": [(1, "text", "str")],
        "Strings": [(1, "items", "str[]")],
        "Bytes": [(1, "raw", "raw")],
        "Span": [(1, "duration", "int64")],
        "Pair": [(1, "key", "str"), (2, "value", "raw")],
    }.items()
}


@functools.cache
def _fields(name: str) -> dict[int, Field]:
    """The fields of a message by number; an inlined part counts as a field of its own."""
    known = _OWN.get(name) or apitypes.table()[name]
    return {field.number: field for field in known.values()}


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise BadRequest(_CUT_OFF)
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def take(self, length: int) -> bytes:
        if length < 0 or self.at + length > len(self.data):
            raise BadRequest(_CUT_OFF)
        self.at += length
        return self.data[self.at - length : self.at]


def decode(body: bytes) -> dict[str, Any]:
    """The JSON form of an enveloped object.

    Raises :class:`BadRequest` for malformed bytes and :class:`UnsupportedMediaType` for a kind
    whose messages are not known here.
    """
    if not body.startswith(MAGIC):
        raise BadRequest("the body is not Kubernetes protobuf: its magic number is missing")
    envelope = _message("Unknown", body[len(MAGIC) :], 0)
    meta = envelope.get("typeMeta", {})
    api_version, kind = meta.get("apiVersion", ""), meta.get("kind", "")
    package = _GROUPS.get(api_version) or _package(api_version)
    name = "meta.v1.DeleteOptions" if kind == "DeleteOptions" else f"{package}.{kind}"
    if name not in apitypes.table():
        raise UnsupportedMediaType(
            f"protobuf bodies of {kind or 'this kind'} ({api_version}) are not understood: send "
            "application/json"
        )
    decoded = _message(name, envelope.get("raw", b""), 0)
    return {"apiVersion": api_version, "kind": kind, **decoded}


def _package(api_version: str) -> str:
    group, _, version = api_version.rpartition("/")
    return f"{group.split('.')[0]}.{version}"


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise BadRequest("the protobuf body is nested too deeply")
    fields = _fields(name)
    reader = _Reader(data)
    found: dict[str, Any] = {}
    while reader.at < len(data):
        tag = reader.varint()
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value: int | bytes = reader.varint()
        elif wire == 2:
            value = reader.take(reader.varint())
        elif wire in (1, 5):
            reader.take(8 if wire == 1 else 4)
            continue
        else:
            raise BadRequest(_CUT_OFF)
        if number in fields:
            _set(found, fields[number], value, depth)
    return found


def _set(found: dict[str, Any], field: Field, value: int | bytes, depth: int) -> None:
    if field.inline:
        found |= _message(field.type, _bytes(value), depth + 1)
    elif field.container == "map":
        pair = _message("Pair", _bytes(value), depth + 1)
        item = _value(field.type, pair.get("value", b""), depth)
        found.setdefault(field.name, {})[pair.get("key", "")] = item
    elif field.container == "list":
        found.setdefault(field.name, []).append(_value(field.type, value, depth))
    elif field.type == "str[]":
        found.setdefault(field.name, []).append(_text(_bytes(value)))
    else:
        converted = _value(field.type, value, depth)
        # Go writes empty text and zero times where the JSON form has nothing.
        empty = converted in ("", None, {}) or (field.omit_zero and not converted)
        if not empty or field.required:
            found[field.name] = converted


def _value(type_: str, value: int | bytes, depth: int) -> Any:
    if type_ in ("int32", "int64", "bool"):
        if not isinstance(value, int):
            raise BadRequest(_CUT_OFF)
        number = value - (1 << 64) if value >= 1 << 63 else value
        return bool(number) if type_ == "bool" else number
    data = _bytes(value)
    if type_ in ("str", "raw", "bytes"):
        if type_ == "bytes":
            return base64.b64encode(data).decode()
        return _text(data) if type_ == "str" else data
    convert = _SPECIAL.get(type_)
    if convert is not None:
        message, read = convert
        return read(_message(message, data, depth + 1))
    return _message(type_, data, depth + 1)


def _time(parts: dict[str, Any], *, micro: bool) -> str | None:
    if not parts:
        return None
    try:
        moment = datetime.fromtimestamp(parts.get("seconds", 0), UTC)
    except (OverflowError, OSError, ValueError):
        return None  # Go's zero time lies outside of the calendar
    if moment.year < 1970:
        return None
    if micro:
        return moment.strftime(f"%Y-%m-%dT%H:%M:%S.{parts.get('nanos', 0) // 1000:06d}Z")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(parts: dict[str, Any]) -> Any:
    try:
        return orjson.loads(parts.get("raw") or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadRequest("the protobuf body holds JSON that cannot be read") from error


_Convert = Callable[[dict[str, Any]], Any]
_SPECIAL: dict[str, tuple[str, _Convert]] = {
    "Time": ("Timestamp", lambda parts: _time(parts, micro=False)),
    "MicroTime": ("Timestamp", lambda parts: _time(parts, micro=True)),
    "IntOrString": (
        "Number",
        # type 0 is a number, and zero is not on the wire.
        lambda parts: parts.get("strVal", "") if parts.get("type") else parts.get("intVal", 0),
    ),
    "Quantity": ("Text", lambda parts: parts.get("text", "0")),
    "strings": ("Strings", lambda parts: parts.get("items", [])),
    "Duration": ("Span", lambda parts: f"{parts.get('duration', 0) / 1e9:g}s"),
    "Raw": ("Bytes", _json),
    "FieldsV1": ("Bytes", _json),
}


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BadRequest(_CUT_OFF)
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the protobuf body holds text that is not UTF-8") from error
