"""Which kinds are served, and what the server knows of each."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beskar7.api.kinds import Kind
from emulator.kube.kinds.apitypes import TypeSchema
from emulator.kube.kinds.schema import Schema
from emulator.privatefiles import load_yaml

_BUILTIN = Path(__file__).with_name("builtin.yaml")
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column. ``compute`` names a function of the table module, for built-ins."""

    name: str
    type: str
    path: str = ""
    description: str = ""
    format: str = ""
    priority: int = 0
    compute: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a kind keeps what its scale subresource shows: paths with a leading dot."""

    spec_replicas: str
    status_replicas: str
    selector: str = ""
    """Of a LabelSelector, or of a text that is one."""


@dataclass(frozen=True, slots=True)
class Subresource:
    """``group``, ``version`` and ``kind`` are of its body; verbs as RBAC names them."""

    name: str
    group: str
    version: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Resource:
    """A served kind with its schema and its rules."""

    kind: Kind
    singular: str
    list_kind: str
    schema: Schema
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    selectable: frozenset[str] = field(default_factory=frozenset)
    custom: bool = False
    status: bool = False
    """Has the status subresource."""
    generation: bool = False
    """``metadata.generation`` counts changes of the desired state."""
    create_on_update: bool = False
    """PUT of an absent object creates it."""
    unconditional_update: bool = False
    """PUT without a resourceVersion overwrites; otherwise it is refused (422)."""
    name_rule: str = "subdomain"
    name_first: bool = True
    """Tables begin with the name; those of events do not."""
    verbs: tuple[str, ...] = VERBS
    virtual: bool = False
    """Nothing is stored: the object is a question, and its status the answer."""
    view: str = ""
    """The name of the view (module views) under which another kind's objects are shown."""
    type: str = ""
    """The schema's name in the type table; "" for those that bring their own."""
    scale: Scale | None = None
    extra: tuple[Subresource, ...] = ()
    """Subresources besides status and scale."""

    @property
    def subresources(self) -> tuple[Subresource, ...]:
        kind = self.kind
        verbs = ("get", "patch", "update")
        found = list(self.extra)
        if self.scale is not None:
            found.append(Subresource("scale", "autoscaling", "v1", "Scale", verbs))
        if self.status:
            found.append(Subresource("status", kind.group, kind.version, kind.kind, verbs))
        return tuple(found)

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)

    @property
    def patch_types(self) -> tuple[str, ...]:
        every = (
            "application/apply-patch+yaml",
            "application/json-patch+json",
            "application/merge-patch+json",
        )
        return every if self.custom else (*every, "application/strategic-merge-patch+json")


class Registry:
    """The served kinds; starts with the built-in ones."""

    def __init__(self) -> None:
        self._by_kind: dict[Kind, Resource] = {}
        self._by_path: dict[tuple[str, str, str], Resource] = {}
        self.version = 0
        """Rises with every change, so that discovery documents can be cached."""
        for resource in _builtins():
            self.register(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._by_kind.values())

    def register(self, resource: Resource) -> None:
        """Serve the kind; an earlier definition of the same plural and group is replaced."""
        kind = resource.kind
        self.unregister(kind.group, kind.plural)
        self._by_kind[kind] = resource
        self._by_path[kind.group, kind.version, kind.plural] = resource
        self.version += 1

    def unregister(self, group: str, plural: str) -> None:
        for kind in [k for k in self._by_kind if (k.group, k.plural) == (group, plural)]:
            del self._by_kind[kind]
            del self._by_path[kind.group, kind.version, kind.plural]
            self.version += 1

    def get(self, kind: Kind) -> Resource | None:
        return self._by_kind.get(kind)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._by_path.get((group, version, plural))

    def groups(self) -> dict[str, dict[str, list[Resource]]]:
        """group -> version -> resources, in the order of registration."""
        found: dict[str, dict[str, list[Resource]]] = {}
        for resource in self:
            versions = found.setdefault(resource.kind.group, {})
            versions.setdefault(resource.kind.version, []).append(resource)
        return found


@functools.cache
def _builtins() -> tuple[Resource, ...]:
    return tuple(_builtin(spec) for spec in load_yaml(_BUILTIN)[0])


def _builtin(spec: dict[str, Any]) -> Resource:
    kind = Kind(
        spec["group"],
        spec["version"],
        spec["kind"],
        spec["plural"],
        namespaced=spec["scope"] == "Namespaced",
    )
    return Resource(
        kind=kind,
        singular=spec["singular"],
        list_kind=spec["kind"] + "List",
        schema=TypeSchema(spec["type"]) if "type" in spec else Schema(spec["schema"]),
        short_names=tuple(spec.get("shortNames", ())),
        categories=tuple(spec.get("categories", ())),
        columns=tuple(columns(spec["columns"])),
        selectable=frozenset(spec.get("selectable", ())),
        status=spec.get("status", False),
        generation=spec.get("generation", False),
        create_on_update=spec.get("createOnUpdate", False),
        unconditional_update=spec.get("unconditionalUpdate", False),
        name_rule=spec.get("nameRule", "subdomain"),
        name_first=spec.get("nameFirst", True),
        verbs=tuple(spec.get("verbs", VERBS)),
        virtual=spec.get("virtual", False),
        view=spec.get("view", ""),
        type=spec.get("type", ""),
        scale=scale(spec["scale"], "selectorPath") if "scale" in spec else None,
        extra=tuple(_subresource(kind, each) for each in spec.get("subresources", ())),
    )


def scale(spec: dict[str, Any], selector: str = "labelSelectorPath") -> Scale:
    """The paths of a CRD's scale subresource. Raises ``KeyError`` where one is missing."""
    return Scale(spec["specReplicasPath"], spec["statusReplicasPath"], spec.get(selector) or "")


def _subresource(kind: Kind, spec: dict[str, Any]) -> Subresource:
    return Subresource(
        spec["name"],
        spec.get("group", kind.group),
        spec.get("version", kind.version),
        spec.get("kind", kind.kind),
        tuple(spec["verbs"]),
    )


def columns(specs: list[dict[str, Any]]) -> Iterator[Column]:
    for spec in specs:
        yield Column(
            name=spec["name"],
            # "absolute": the time itself instead of the age, as for CRDs' Created At.
            type="string" if spec.get("absolute") else spec["type"],
            path=spec.get("jsonPath", ""),
            description=spec.get("description", ""),
            format=spec.get("format", ""),
            priority=spec.get("priority", 0),
            compute=spec.get("compute", ""),
        )
