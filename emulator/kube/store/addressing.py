"""Which object a request means, and whether it is still in the state that the client thinks."""

from __future__ import annotations

from typing import Any

from beskar7.api.errors import BadRequest
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.kinds.registry import Resource
from emulator.kube.store import failures
from emulator.kube.store.history import Entry


def parse_version(text: str) -> int:
    """A resourceVersion to list or watch from; "" is 0. Raises :class:`BadRequest`."""
    if text and not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise BadRequest(f'resourceVersion: Invalid value: "{text[:40]}": not a number')
    return int(text or 0)


def address(
    resource: Resource, sent: Any, namespace: str | None, name: str | None
) -> tuple[str, str, str]:
    """Namespace, name and resourceVersion of what is to be replaced."""
    meta = sent.get("metadata") if isinstance(sent, dict) else None
    if not isinstance(meta, dict):
        raise BadRequest("the body must be an object with metadata")
    version = meta.get("resourceVersion") or ""
    called = name or meta.get("name")
    at = namespace or meta.get("namespace") or ""
    if not (isinstance(version, str) and isinstance(called, str) and isinstance(at, str)):
        raise BadRequest("metadata: name, namespace and resourceVersion must be strings")
    parse_version(version)
    return at, called, version


def choose_namespace(resource: Resource, meta: Object, namespace: str | None) -> str:
    """The namespace of an object to be created, also written into its metadata."""
    if not resource.kind.namespaced:
        meta.pop("namespace", None)
        return ""
    own = meta.get("namespace", "")
    if namespace and own and namespace != own:
        raise BadRequest(
            "the namespace of the provided object does not match the namespace sent on the "
            f"request: {own} and {namespace}"
        )
    if not (namespace or own):
        raise BadRequest("an empty namespace may not be set during creation")
    chosen: str = namespace or own
    meta["namespace"] = chosen
    return chosen


def check_preconditions(kind: Kind, old: Entry, uid: str | None, version: str | None) -> None:
    """Raises :class:`beskar7.api.errors.Conflict`."""
    if uid and uid != old.uid:
        why = f"UID in precondition: {uid}, UID in object meta: {old.uid}"
        raise failures.conflict(kind, old.name, f"Precondition failed: {why}")
    if version and version != str(old.version):
        raise failures.conflict(kind, old.name)


def check_identity(meta: Object, was: Object) -> None:
    """An update cannot rename or move. Raises :class:`BadRequest`."""
    for key in ("name", "namespace"):
        if meta.get(key, was.get(key)) != was.get(key):
            raise BadRequest(
                f"the {key} of the object ({meta[key]}) does not match the {key} on the URL "
                f"({was.get(key)})"
            )
