"""From what a client sent to an object that may be stored: decode, prune, default, validate."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from beskar7.api.errors import BadRequest
from beskar7.api.kinds import CONFIG_MAP, CRD, EVENT, NAMESPACE, SECRET
from beskar7.api.objects import Object
from emulator.kube import crd, metadata
from emulator.kube.failures import Cause, forbidden_field, invalid, invalid_value, required
from emulator.kube.registry import Resource

_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
_KEY_HINT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
_MAX_DATA = 1024 * 1024  # bytes in a ConfigMap or Secret
CRD_FINALIZER = "customresourcecleanup.apiextensions.k8s.io"


@dataclass(slots=True)
class Call:
    """Who asks, and how. ``warnings`` is filled with what the answer should warn of."""

    client: str = ""
    dry_run: bool = False
    field_validation: str = "Warn"  # Ignore, Warn or Strict
    warnings: list[str] = field(default_factory=list)


def decode(resource: Resource, sent: object, call: Call) -> Object:
    """The sent body with type, clean metadata, known fields only and defaults.

    Raises :class:`BadRequest` for a body that is not of this kind, or that has unknown fields
    under strict field validation.
    """
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
    if unknown and call.field_validation == "Strict":
        named = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise BadRequest(f"strict decoding error: {named}")
    if call.field_validation == "Warn":
        call.warnings += [f'unknown field "{path}"' for path in unknown[:20]]
    kept |= {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": meta}
    return _fill(resource, resource.schema.default(kept))


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
    return []


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
