"""What every object's ``metadata`` must satisfy, whatever its kind."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from beskar7.api.errors import BadRequest
from beskar7.api.objects import Object
from emulator.kube.store.failures import Cause, invalid_value, required

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_QUALIFIED_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ANNOTATIONS_BYTES = 256 * 1024
_SUBDOMAIN_HINT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character"
)
_LABEL_HINT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character"
)
_PATH_HINT = "may not be '.' or '..' and may not contain '/' or '%'"
_KEY_HINT = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character"
)
_VALUE_HINT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
    "'.', and must start and end with an alphanumeric character"
)

FIELDS: dict[str, type] = {
    "annotations": dict,
    "creationTimestamp": str,
    "deletionGracePeriodSeconds": int,
    "deletionTimestamp": str,
    "finalizers": list,
    "generateName": str,
    "generation": int,
    "labels": dict,
    "managedFields": list,
    "name": str,
    "namespace": str,
    "ownerReferences": list,
    "resourceVersion": str,
    "selfLink": str,
    "uid": str,
}
_OWNER_FIELDS = ("apiVersion", "kind", "name", "uid")


def rfc3339(seconds: float) -> str:
    """A ``metav1.Time``: whole seconds, UTC."""
    return _rfc3339(int(seconds))


@functools.lru_cache(maxsize=64)
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decode(obj: Object) -> tuple[Object, list[str]]:
    """The object's metadata as a new dict, and the unknown fields that were left out of it.

    Raises :class:`BadRequest` where a field has the wrong JSON type, as Go's decoder would.
    """
    meta = obj.get("metadata")
    if meta is None:
        meta = {}
    if not isinstance(meta, dict):
        raise BadRequest(f"metadata must be an object, not {type(meta).__name__}")
    known: Object = {}
    unknown: list[str] = []
    for key, value in meta.items():
        want = FIELDS.get(key)
        if want is None:
            unknown.append(f"metadata.{key}")
        elif value is None or key == "selfLink":
            continue
        elif not isinstance(value, want) or isinstance(value, bool):
            raise BadRequest(f"metadata.{key} must be of type {want.__name__}: {_show(value)}")
        elif key == "managedFields" or value not in ("", {}, []):
            known[key] = value  # an empty list of managedFields means something: a reset
    for key in ("labels", "annotations"):
        for name, value in known.get(key, {}).items():
            if not isinstance(value, str):
                raise BadRequest(
                    f'metadata.{key}: the value of "{name}" must be a string: {_show(value)}'
                )
    for finalizer in known.get("finalizers", ()):
        if not isinstance(finalizer, str):
            raise BadRequest(f"metadata.finalizers must be strings: {_show(finalizer)}")
    for owner in known.get("ownerReferences", ()):
        if not isinstance(owner, dict):
            raise BadRequest(f"metadata.ownerReferences must be objects: {_show(owner)}")
    return known, unknown


def _show(value: Any) -> str:
    return orjson.dumps(value).decode()[:100]


def causes(meta: Object, *, name_rule: str = "subdomain") -> list[Cause]:
    """What is wrong with decoded metadata; ``name_rule``: subdomain, label or path."""
    found: list[Cause] = []
    name = meta.get("name", "")
    if not name:
        found.append(required("metadata.name", "name or generateName is required"))
    elif name_rule == "path":
        if name in (".", "..") or "/" in name or "%" in name:
            found.append(invalid_value("metadata.name", f'"{name}"', _PATH_HINT))
    elif name_rule == "label":
        if len(name) > 63 or not _LABEL.fullmatch(name):
            found.append(invalid_value("metadata.name", f'"{name}"', _LABEL_HINT))
    elif len(name) > 253 or not _SUBDOMAIN.fullmatch(name):
        found.append(invalid_value("metadata.name", f'"{name}"', _SUBDOMAIN_HINT))
    for key, value in meta.get("labels", {}).items():
        if not is_qualified_name(key):
            found.append(invalid_value("metadata.labels", f'"{key}"', _KEY_HINT))
        if not is_label_value(value):
            found.append(invalid_value("metadata.labels", f'"{value}"', _VALUE_HINT))
    annotations = meta.get("annotations", {})
    for key in annotations:
        if not is_qualified_name(key.lower()):
            found.append(invalid_value("metadata.annotations", f'"{key}"', _KEY_HINT))
    if sum(len(key) + len(value) for key, value in annotations.items()) > _ANNOTATIONS_BYTES:
        found.append(
            Cause(
                "metadata.annotations",
                f"Too long: may not be more than {_ANNOTATIONS_BYTES} bytes",
                "FieldValueTooLong",
            )
        )
    for finalizer in meta.get("finalizers", ()):
        if not is_qualified_name(finalizer):
            found.append(invalid_value("metadata.finalizers", f'"{finalizer}"', _KEY_HINT))
    controllers = 0
    for index, owner in enumerate(meta.get("ownerReferences", ())):
        at = f"metadata.ownerReferences[{index}]"
        found += [
            required(f"{at}.{key}", f"{key} must not be empty")
            for key in _OWNER_FIELDS
            if not isinstance(owner.get(key), str) or not owner[key]
        ]
        controllers += owner.get("controller") is True
    if controllers > 1:
        found.append(
            invalid_value(
                "metadata.ownerReferences",
                str(controllers),
                "Only one reference can have Controller set to true",
            )
        )
    return found


def is_qualified_name(text: str) -> bool:
    """A label key, annotation key or finalizer: an optional DNS prefix, ``/``, a name of <= 63."""
    prefix, slash, name = text.rpartition("/")
    if slash and (not prefix or len(prefix) > 253 or not _SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(name) <= 63 and _QUALIFIED_NAME.fullmatch(name) is not None


def is_label_value(text: str) -> bool:
    return not text or (len(text) <= 63 and _QUALIFIED_NAME.fullmatch(text) is not None)
