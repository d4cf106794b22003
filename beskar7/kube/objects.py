"""Small facts about an object's JSON that caches, clients and queues share."""

from __future__ import annotations

from beskar7.api.meta import ObjectKey
from beskar7.kube.port import Object


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
