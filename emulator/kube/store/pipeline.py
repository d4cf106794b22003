"""From what a client sent to an object that may be stored: decode, prune, default, validate."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any

from beskar7.api.errors import BadRequest
from beskar7.api.kinds import CONFIG_MAP, CRD, EVENT, NAMESPACE, SECRET, Kind
from beskar7.api.objects import Object
from emulator.kube.kinds import crd, kindrules
from emulator.kube.kinds.registry import Resource
from emulator.kube.store import metadata
from emulator.kube.store.addressing import check_identity
from emulator.kube.store.failures import Cause, forbidden_field, invalid, invalid_value, required

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_HINT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_MAX_DATA = 1024 * 1024  # bytes in a ConfigMap or Secret
_MAX_SAID = 20  # fields that a warning or refusal names
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(slots=True)
class Call:
    """Who asks, and how. ``warnings`` is filled with what the answer should warn of."""

    client: str = ""
    dry_run: bool = False
    field_validation: str = "Warn"  # Ignore, Warn or Strict
    field_manager: str = ""
    """Who owns what is written; without it the client's name up to the slash."""
    force: bool = False
    """An apply takes fields away from other managers."""
    duplicates: list[str] = field(default_factory=list)
    """Paths of the fields that the body names twice."""
    warnings: list[str] = field(default_factory=list)
    internal: bool = False
    """The server's own, past the webhooks: so instances go with their definition."""


def decode(resource: Resource, sent: object, call: Call) -> Object:
    """The sent body with type, clean metadata, known fields only and defaults.

    Raises :class:`BadRequest` for a body that is not of this kind, or that has unknown or
    duplicate fields under strict field validation.
    """
    return _fill(resource, resource.schema.default(clean(resource, sent, call)))


def clean(resource: Resource, sent: object, call: Call) -> Object:
    """As :func:`decode`, but without defaults."""
    if not isinstance(sent, dict):
        raise BadRequest("the body must be a JSON object")
    kind = resource.kind
    for key, expected in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        found = sent.get(key)
        if not found and resource.custom:
            raise BadRequest(f"Object '{key.capitalize()}' is missing in the body")
        if found and found != expected:
            raise BadRequest(
                f"the {key} in the data ({found}) does not match the expected {key} ({expected})"
            )
    meta, unknown = metadata.decode(sent)
    kept, pruned = resource.schema.prune(sent)
    unknown += pruned
    if (unknown or call.duplicates) and call.field_validation != "Ignore":
        _complain(kind, unknown, call)
    kept |= {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    return kept


def clean_config(
    resource: Resource, sent: object, call: Call, namespace: str | None, name: str
) -> Object:
    """An applied configuration, with the address that it is applied to.

    Raises :class:`BadRequest` and :class:`beskar7.api.errors.Invalid`.
    """
    if not isinstance(sent, dict):
        raise BadRequest("an applied configuration must be an object")
    for key in ("apiVersion", "kind"):
        if not sent.get(key):
            raise BadRequest(f"an applied configuration must say its {key}")
    if not isinstance(sent.get("metadata"), dict):
        raise BadRequest("an applied configuration must have metadata with the object's name")
    if sent["metadata"].get("managedFields") is not None:
        raise BadRequest("metadata.managedFields must be nil")
    config = clean(resource, sent if resource.custom else _without_nulls(sent), call)
    meta = config["metadata"]
    own = {"name": name, "namespace": namespace} if resource.kind.namespaced else {"name": name}
    check_identity(meta, own)
    meta |= {key: value for key, value in own.items() if value}
    return config


def _without_nulls(value: Any) -> Any:
    """Go's types of built-in kinds read null as absent."""
    if isinstance(value, dict):
        return {key: _without_nulls(child) for key, child in value.items() if child is not None}
    if isinstance(value, list):
        return [_without_nulls(child) for child in value]
    return value


def _complain(kind: Kind, unknown: list[str], call: Call) -> None:
    said = [f'duplicate field "{path}"' for path in call.duplicates]
    said += [f'unknown field "{path}"' for path in unknown]
    if call.field_validation == "Strict":
        named = ", ".join(said[:_MAX_SAID])
        raise BadRequest(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {named}"
        )
    call.warnings += said[:_MAX_SAID]


def _fill(resource: Resource, obj: Object) -> Object:
    """What built-in kinds add to what was sent; the object is the caller's own."""
    kind = resource.kind
    if kind == SECRET:
        plain, data = obj.get("stringData"), obj.get("data")
        if isinstance(plain, dict) and all(isinstance(value, str) for value in plain.values()):
            del obj["stringData"]  # anything else stays in, for the schema to refuse
            encoded = {
                key: base64.b64encode(value.encode()).decode() for key, value in plain.items()
            }
            obj["data"] = {**(data if isinstance(data, dict) else {}), **encoded}
        obj.setdefault("type", "Opaque")
    elif kind == NAMESPACE:
        _own_label(obj["metadata"])
    elif not resource.custom:
        kindrules.fill(resource, obj)
    return obj


def _own_label(meta: Object) -> None:
    if "name" in meta:
        own = {"kubernetes.io/metadata.name": meta["name"]}
        meta["labels"] = {**meta.get("labels", {}), **own}


def on_create(resource: Resource, obj: Object, now: str) -> None:
    """What a kind is given when it is made; ``now`` is an RFC 3339 time."""
    if resource.kind == NAMESPACE:
        _own_label(obj["metadata"])  # once more: generateName may have named it since
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    elif resource.kind == CRD:
        meta = obj["metadata"]
        meta["finalizers"] = sorted({*meta.get("finalizers", ()), CRD_FINALIZER})
        obj["status"] = crd.established(obj, now)
    elif not resource.custom:
        kindrules.on_create(resource, obj)


def validate(resource: Resource, new: Object, old: Object | None) -> None:
    """Raises :class:`beskar7.api.errors.Invalid` with a cause for each wrong field."""
    meta = new["metadata"]
    found = metadata.causes(meta, name_rule=resource.name_rule)
    schema_causes = resource.schema.causes(new)
    found += schema_causes
    if not schema_causes:
        found += _own_rules(resource, new, old)
    if old is not None and "deletionTimestamp" in old["metadata"]:
        added = set(meta.get("finalizers", ())) - set(old["metadata"].get("finalizers", ()))
        if added:
            found.append(
                forbidden_field(
                    "metadata.finalizers",
                    "no new finalizers can be added if the object is being deleted, found new "
                    f"finalizers {sorted(added)}",
                )
            )
    if found:
        raise invalid(resource.kind, meta.get("name", ""), found)


def _own_rules(resource: Resource, new: Object, old: Object | None) -> list[Cause]:
    kind = resource.kind
    if kind in (SECRET, CONFIG_MAP):
        return _data_rules(new, old)
    if kind == EVENT:
        about = new["involvedObject"].get("namespace", "")
        if about != new["metadata"].get("namespace", "") and (
            about or new["metadata"].get("namespace") != "default"
        ):
            return [
                invalid_value(
                    "involvedObject.namespace", f'"{about}"', "does not match event.namespace"
                )
            ]
    if kind == CRD:
        return crd.causes(new)
    return [] if resource.custom else kindrules.causes(resource, new, old)


def _data_rules(new: Object, old: Object | None) -> list[Cause]:
    found: list[Cause] = []
    size = 0
    for name in ("data", "binaryData"):
        for key, value in (new.get(name) or {}).items():
            size += len(value)
            if not _KEY.fullmatch(key) or key in (".", ".."):
                found.append(invalid_value(f"{name}[{key}]", f'"{key}"', _KEY_HINT))
            if name == "binaryData" or new["kind"] == "Secret":
                try:
                    base64.b64decode(value, validate=True)
                except (binascii.Error, ValueError):
                    found.append(
                        Cause(f"{name}[{key}]", "Invalid value: must be base64 encoded text")
                    )
    if size > _MAX_DATA:
        found.append(Cause("data", f"Too long: may not be more than {_MAX_DATA} bytes"))
    if new["kind"] == "Secret" and not new.get("type"):
        found.append(required("type"))
    if old is not None:
        if new.get("type") != old.get("type"):
            found.append(invalid_value("type", f'"{new.get("type")}"', "field is immutable"))
        if old.get("immutable") and any(
            new.get(name) != old.get(name) for name in ("data", "binaryData", "immutable")
        ):
            found.append(forbidden_field("data", "field is immutable when `immutable` is set"))
    return found


def same(new: Object, old: Object) -> bool:
    """Nothing would change: the write is answered and leaves no trace."""
    if new.keys() != old.keys():
        return False
    for key, value in new.items():
        if key == "metadata":
            ignore = {"resourceVersion": None, "generation": None}
            if {**value, **ignore} != {**old[key], **ignore}:
                return False
        elif value != old[key]:
            return False
    return True


def desired_changed(resource: Resource, new: Object, old: Object) -> bool:
    """Something other than metadata (and status, where it is split off) differs."""
    skipped = {"metadata", "status"} if resource.status else {"metadata"}
    return any(new.get(key) != old.get(key) for key in (new.keys() | old.keys()) - skipped)
