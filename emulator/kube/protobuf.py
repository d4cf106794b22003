"""Protobuf bodies, as every Go client sends them for built-in kinds, decoded to JSON.

The wire format has four shapes and the served kinds few messages, so the field numbers of the
public ``generated.proto`` files stand here as a table instead of generated code.
Answers stay JSON: clients accept that.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from beskar7.api.errors import BadRequest, UnsupportedMediaType

MAGIC = b"k8s\x00"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAX_DEPTH = 16

# A field is "name:type". Types: str, bytes, int, bool, time, micro (an RFC 3339 text), map (of
# text), bytemap, or the name of a message; "[]" in front makes it a list.
_MESSAGES: dict[str, dict[int, str]] = {
    "TypeMeta": {1: "apiVersion:str", 2: "kind:str"},
    "Unknown": {1: "typeMeta:TypeMeta", 2: "raw:raw", 3: "contentEncoding:str", 4: "type:str"},
    "ObjectMeta": {
        1: "name:str",
        2: "generateName:str",
        3: "namespace:str",
        5: "uid:str",
        6: "resourceVersion:str",
        7: "generation:int",
        8: "creationTimestamp:time",
        9: "deletionTimestamp:time",
        10: "deletionGracePeriodSeconds:int",
        11: "labels:map",
        12: "annotations:map",
        13: "ownerReferences:[]OwnerReference",
        14: "finalizers:[]str",
    },
    "OwnerReference": {
        1: "kind:str",
        3: "name:str",
        4: "uid:str",
        5: "apiVersion:str",
        6: "controller:bool",
        7: "blockOwnerDeletion:bool",
    },
    "v1/ConfigMap": {
        1: "metadata:ObjectMeta",
        2: "data:map",
        3: "binaryData:bytemap",
        4: "immutable:bool",
    },
    "v1/Secret": {
        1: "metadata:ObjectMeta",
        2: "data:bytemap",
        3: "type:str",
        4: "stringData:map",
        5: "immutable:bool",
    },
    "v1/Namespace": {1: "metadata:ObjectMeta", 2: "spec:NamespaceSpec", 3: "status:PhaseStatus"},
    "NamespaceSpec": {1: "finalizers:[]str"},
    "PhaseStatus": {1: "phase:str"},
    "v1/Event": {
        1: "metadata:ObjectMeta",
        2: "involvedObject:ObjectReference",
        3: "reason:str",
        4: "message:str",
        5: "source:EventSource",
        6: "firstTimestamp:time",
        7: "lastTimestamp:time",
        8: "count:int",
        9: "type:str",
        10: "eventTime:micro",
        11: "series:EventSeries",
        12: "action:str",
        13: "related:ObjectReference",
        14: "reportingComponent:str",
        15: "reportingInstance:str",
    },
    "ObjectReference": {
        1: "kind:str",
        2: "namespace:str",
        3: "name:str",
        4: "uid:str",
        5: "apiVersion:str",
        6: "resourceVersion:str",
        7: "fieldPath:str",
    },
    "EventSource": {1: "component:str", 2: "host:str"},
    "EventSeries": {1: "count:int", 2: "lastObservedTime:micro"},
    "coordination.k8s.io/v1/Lease": {1: "metadata:ObjectMeta", 2: "spec:LeaseSpec"},
    "LeaseSpec": {
        1: "holderIdentity:str",
        2: "leaseDurationSeconds:int",
        3: "acquireTime:micro",
        4: "renewTime:micro",
        5: "leaseTransitions:int",
        6: "strategy:str",
        7: "preferredHolder:str",
    },
    "DeleteOptions": {
        1: "gracePeriodSeconds:int",
        2: "preconditions:Preconditions",
        3: "orphanDependents:bool",
        4: "propagationPolicy:str",
        5: "dryRun:[]str",
    },
    "Preconditions": {1: "uid:str", 2: "resourceVersion:str"},
    "Time": {1: "seconds:int", 2: "nanos:int"},
    "Pair": {1: "key:str", 2: "value:raw"},
}


@dataclass(slots=True)
class _Reader:
    data: bytes
    at: int = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            if self.at >= len(self.data) or shift > 63:
                raise BadRequest("the protobuf body is cut off or malformed")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
            shift += 7

    def take(self, length: int) -> bytes:
        if length < 0 or self.at + length > len(self.data):
            raise BadRequest("the protobuf body is cut off or malformed")
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
    name = "DeleteOptions" if kind == "DeleteOptions" else f"{api_version}/{kind}"
    if name not in _MESSAGES:
        raise UnsupportedMediaType(
            f"protobuf bodies of {kind or 'this kind'} ({api_version}) are not understood: send "
            "application/json"
        )
    decoded = _message(name, envelope.get("raw", b""), 0)
    return {"apiVersion": api_version, "kind": kind, **decoded}


def _message(name: str, data: bytes, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise BadRequest("the protobuf body is nested too deeply")
    fields = _MESSAGES[name]
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
            raise BadRequest("the protobuf body is cut off or malformed")
        if number in fields:
            field, _, type_ = fields[number].partition(":")
            _set(found, field, type_, value, depth)
    return found


def _set(found: dict[str, Any], field: str, type_: str, value: int | bytes, depth: int) -> None:
    if type_ in ("map", "bytemap"):
        pair = _message("Pair", _bytes(value), depth + 1)
        raw = pair.get("value", b"")
        text = base64.b64encode(raw).decode() if type_ == "bytemap" else _text(raw)
        found.setdefault(field, {})[pair.get("key", "")] = text
    elif type_.startswith("[]"):
        found.setdefault(field, []).append(_value(type_[2:], value, depth))
    else:
        converted = _value(type_, value, depth)
        # Go writes empty text and zero times where the JSON form has nothing.
        if converted not in ("", None, {}):
            found[field] = converted


def _value(type_: str, value: int | bytes, depth: int) -> Any:
    if type_ in ("int", "bool"):
        if not isinstance(value, int):
            raise BadRequest("the protobuf body is cut off or malformed")
        number = value - (1 << 64) if value >= 1 << 63 else value
        return bool(number) if type_ == "bool" else number
    data = _bytes(value)
    if type_ == "str":
        return _text(data)
    if type_ == "raw":
        return data
    if type_ in ("time", "micro"):
        return _time(_message("Time", data, depth + 1), micro=type_ == "micro")
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


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise BadRequest("the protobuf body is cut off or malformed")
    return value


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the protobuf body holds text that is not UTF-8") from error
