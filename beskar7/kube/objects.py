"""Small facts about an object's JSON that caches, clients and queues share."""

from __future__ import annotations

from typing import Any

from beskar7.api.meta import ObjectKey
from beskar7.kube.port import Object


def copy_object(obj: Object) -> Object:
    """A deep copy of JSON; several times quicker than ``copy.deepcopy``, which tracks identity."""
    copied: Object = _copy(obj)
    return copied


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


def key_of(obj: Object) -> ObjectKey:
    metadata = obj.get("metadata") or {}
    return ObjectKey(metadata.get("namespace") or "", metadata.get("name") or "")


def uid_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("uid") or "")


def resource_version_of(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")


def version_number(resource_version: str) -> int | None:
    """The version as a number that can be compared; None when it is not a decimal number.

    Kubernetes defines resource versions of one resource as comparable decimal integers since 1.35
    (KEP-5504), and every server so far has handed out such.
    """
    return int(resource_version) if resource_version.isdecimal() else None
