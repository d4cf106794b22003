"""Paths of the API: which resource, namespace, object and subresource they lead to."""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.api.errors import NotFound
from emulator.kube.api.views import VIEWS, View
from emulator.kube.kinds.registry import Registry, Resource


@dataclass(slots=True)
class Location:
    """A resource path: a collection, or with ``name`` an object."""

    resource: Resource
    """Whose objects are meant."""
    namespace: str
    name: str
    subresource: str
    shown: Resource
    """As which they are shown; another one than ``resource`` behind a view."""

    @property
    def view(self) -> View | None:
        return VIEWS[self.shown.view] if self.shown.view else None


def locate(registry: Registry, path: str) -> Location:
    """Raises :class:`NotFound` for a path that leads to no served resource."""
    parts = path.split("/")[1:]
    if parts[0] == "api" and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise nowhere()
    namespace = ""
    in_namespace = rest[0] == "namespaces" and len(rest) >= 3
    if in_namespace and not (group == "" and rest[2] in ("status", "finalize")):
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            raise nowhere()
    if not rest[0] or len(rest) > 3:
        raise nowhere()
    shown = registry.find(group, version, rest[0])
    if shown is None or (namespace and not shown.kind.namespaced):
        raise nowhere()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if len(rest) > 1 and (not name or (shown.kind.namespaced and not namespace)):
        raise nowhere()
    if subresource and shown.subresource(subresource) is None:
        raise nowhere()
    resource = registry.get(VIEWS[shown.view].stored) if shown.view else shown
    if resource is None:
        raise nowhere()
    return Location(resource, namespace, name, subresource, shown)


def nowhere() -> NotFound:
    return NotFound("the server could not find the requested resource")
