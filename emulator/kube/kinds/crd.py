"""CustomResourceDefinitions: from their YAML to a served :class:`Resource`."""

from __future__ import annotations

import functools
from typing import Any

import orjson

from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.kinds.registry import Resource, columns, scale
from emulator.kube.kinds.schema import Schema, SchemaError
from emulator.kube.store.failures import Cause, invalid_value, required
from emulator.kube.tables.table import ColumnError, check_path

_AGE = [{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def storage_version(spec: Object) -> Object:
    """The one version that is stored and served. Raises ``LookupError`` without exactly one."""
    found: list[Object] = [version for version in spec["versions"] if version.get("storage")]
    if len(found) != 1 or not found[0].get("served"):
        raise LookupError("must have exactly one version marked as storage version, and serve it")
    return found[0]


def causes(crd: Object) -> list[Cause]:
    """What keeps the definition from being served."""
    spec = crd["spec"]
    expected = f"{spec['names']['plural']}.{spec['group']}"
    found: list[Cause] = []
    if crd["metadata"]["name"] != expected:
        found.append(
            invalid_value(
                "metadata.name",
                f'"{crd["metadata"]["name"]}"',
                f'must be spec.names.plural+"."+spec.group ("{expected}")',
            )
        )
    try:
        version = storage_version(spec)
    except LookupError as error:
        return [*found, invalid_value("spec.versions", "[]", str(error.args[0]))]
    served = [each["name"] for each in spec["versions"] if each["served"]]
    if len(served) > 1:
        found.append(invalid_value("spec.versions", str(served), "the lab serves one version"))
    if not isinstance((version.get("schema") or {}).get("openAPIV3Schema"), dict):
        return [*found, required("spec.versions[0].schema.openAPIV3Schema", "schemas are required")]
    try:
        resource(crd)
    except (SchemaError, ColumnError) as error:
        found.append(invalid_value("spec.versions[0]", f'"{version["name"]}"', str(error)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found.append(invalid_value("spec.versions[0]", "{}", f"malformed: {error!r}"))
    return found


def resource(crd: Object) -> Resource:
    """The definition as a served resource.

    Raises :class:`SchemaError` and :class:`ColumnError`, saying what cannot be used.
    """
    return _resource(orjson.dumps(crd["spec"]))


@functools.lru_cache(maxsize=64)
def _resource(encoded: bytes) -> Resource:
    """Equal definitions, and those of all stores of a process, share one compiled schema."""
    spec = orjson.loads(encoded)
    names = spec["names"]
    version = storage_version(spec)
    printed = list(columns(version.get("additionalPrinterColumns") or _AGE))
    for column in printed:
        check_path(column.path)
    subresources = version.get("subresources") or {}
    return Resource(
        kind=Kind(
            spec["group"],
            version["name"],
            names["kind"],
            names["plural"],
            namespaced=spec["scope"] == "Namespaced",
        ),
        singular=names.get("singular") or names["kind"].lower(),
        list_kind=names.get("listKind") or names["kind"] + "List",
        schema=Schema(version["schema"]["openAPIV3Schema"]),
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        columns=tuple(printed),
        selectable=frozenset(
            field["jsonPath"].removeprefix(".") for field in version.get("selectableFields") or ()
        ),
        custom=True,
        status="status" in subresources,
        scale=scale(subresources["scale"]) if subresources.get("scale") else None,
        generation=True,
    )


def established(crd: Object, now: str) -> dict[str, Any]:
    """The status of a definition that is served; ``now`` is an RFC 3339 time."""
    names = crd["spec"]["names"]
    accepted = {
        "singular": names["kind"].lower(),
        "listKind": names["kind"] + "List",
        **names,
    }

    def condition(kind: str, reason: str, message: str) -> dict[str, Any]:
        return {
            "type": kind,
            "status": "True",
            "lastTransitionTime": now,
            "reason": reason,
            "message": message,
        }

    return {
        "acceptedNames": accepted,
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names are accepted"),
        ],
        "storedVersions": [storage_version(crd["spec"])["name"]],
    }
