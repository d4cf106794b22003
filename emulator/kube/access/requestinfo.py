"""What a request wants to do, in the words of RBAC, told from method, path and query alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from beskar7.api.errors import BadRequest
from emulator.kube.store.selectors import parse_fields

_METHODS = {
    "GET": "get",
    "HEAD": "get",
    "POST": "create",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_MAX_NAME = 512


class Attributes(NamedTuple):
    """One action. ``path`` is given instead of a resource for what is not in the API's tree."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def combined(self) -> str:
        """``resource/subresource``, as rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def attributes(method: str, path: str, query: dict[str, str]) -> Attributes:
    """Never fails: paths that lead nowhere have attributes too."""
    verb = _METHODS.get(method, method.lower())
    parts = path.strip("/").split("/")
    found = _resource(parts)
    if found is None:
        return Attributes(verb, path=path)
    group, namespace, rest = found.group, found.namespace, found.rest
    name = rest[1] if len(rest) > 1 else ""
    if not name:
        if verb == "get":
            watching = query.get("watch", "false").lower() in ("true", "1", "t", "")
            verb = "watch" if "watch" in query and watching else "list"
            name = _selected_name(query)
        elif verb == "delete":
            verb = "deletecollection"
            name = _selected_name(query)
    # What follows is the subresource's own: of pods/NAME/proxy/metrics, "proxy" is what is asked.
    subresource = rest[2] if len(rest) > 2 else ""
    return Attributes(verb, group, rest[0], subresource, namespace, name[:_MAX_NAME])


@dataclass(frozen=True, slots=True)
class _Found:
    group: str
    namespace: str
    rest: list[str]


def _resource(parts: list[str]) -> _Found | None:
    if parts[0] == "api" and len(parts) >= 3:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, rest = parts[1], parts[3:]
    else:
        return None
    if rest[0] != "namespaces" or group:
        if rest[0] == "namespaces" and len(rest) >= 3:
            return _Found(group, rest[1], rest[2:])
        return _Found(group, "", rest)
    # A namespace itself is an object in that namespace: a Role may allow to get it.
    if len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        return _Found(group, rest[1], rest[2:])
    return _Found(group, rest[1] if len(rest) > 1 else "", rest)


def _selected_name(query: dict[str, str]) -> str:
    """The one name that a field selector allows; "" when it allows more."""
    selector = query.get("fieldSelector", "")
    if "metadata.name" not in selector:
        return ""
    try:
        terms = parse_fields(selector)
    except BadRequest:
        return ""  # refused later, in its own words
    names = [term.value for term in terms if term.path == "metadata.name" and not term.negated]
    return names[0] if len(names) == 1 else ""
