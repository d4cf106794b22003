"""Query parameters of Redfish: ``$expand``, ``$select``, ``$top``, ``$skip`` and ``only``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urldefrag

from emulator.bmc.services.entrance import PROTOCOL_FEATURES
from emulator.bmc.services.messages import refuse

MAX_LEVELS: int = PROTOCOL_FEATURES["ExpandQuery"]["MaxLevels"]  # type: ignore[index]  # a constant
MAX_EXPANDED = 500
"""Resources in one answer; what is beyond stays a link."""
_EXPAND = re.compile(r"([.*~])(?:\(\$levels=(\d{1,3})\))?")
_NAMES = ("$expand", "$select", "$top", "$skip", "only")
Read = Callable[[str], dict[str, Any] | None]
"""The resource at a path, or None."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a client asks for beside the resource itself."""

    expand: str = ""
    levels: int = 1
    select: tuple[str, ...] = ()
    top: int | None = None
    skip: int = 0
    only: bool = False


def parse(text: str) -> Query | None:
    """None where nothing is asked. Raises 400 for a bad value, 501 for what is not supported."""
    given = dict(parse_qsl(text, keep_blank_values=True))
    for name in given:
        if name.startswith("$") and name not in _NAMES:
            raise refuse(501, "QueryParameterUnsupported", name)
    found = {name: value for name, value in given.items() if name in _NAMES}
    if not found:
        return None
    if found.get("only"):
        raise refuse(400, "QueryParameterValueFormatError", found["only"], "only")
    expand, levels = "", 1
    if "$expand" in found:
        shape = _EXPAND.fullmatch(found["$expand"])
        if shape is None:
            raise refuse(400, "QueryParameterValueFormatError", found["$expand"], "$expand")
        expand, levels = shape[1], int(shape[2] or 1)
        if not 1 <= levels <= MAX_LEVELS:
            raise refuse(400, "QueryParameterOutOfRange", levels, "$expand", f"1 to {MAX_LEVELS}")
    select = tuple(part.strip() for part in found.get("$select", "").split(",") if part.strip())
    if "$select" in found and not select:
        raise refuse(400, "QueryParameterValueFormatError", found["$select"], "$select")
    return Query(
        expand=expand,
        levels=levels,
        select=select,
        top=_count("$top", found["$top"]) if "$top" in found else None,
        skip=_count("$skip", found.get("$skip", "0")),
        only="only" in found,
    )


def _count(name: str, value: str) -> int:
    if not value.isdecimal() or len(value) > 9:
        raise refuse(400, "QueryParameterValueFormatError", value, name)
    return int(value)


def apply(query: Query, data: dict[str, Any], read: Read) -> dict[str, Any]:
    """The answer to the query; ``data`` is the resource as it is. Raises 400 where it does not fit.

    Order of DSP0266: ``only``, then ``$skip`` and ``$top``, ``$expand``, ``$select``.
    """
    members = data.get("Members")
    if query.only or query.top is not None or query.skip:
        if not isinstance(members, list):
            name = "only" if query.only else "$skip" if query.skip else "$top"
            raise refuse(400, "QueryNotSupported", name)
        if query.only and len(members) == 1 and "@odata.id" in members[0]:
            data = read(members[0]["@odata.id"]) or data
        elif not query.only:
            end = None if query.top is None else query.skip + query.top
            data = {**data, "Members": members[query.skip : end]}
    if query.expand:
        data = _expand(query, data, query.levels, [MAX_EXPANDED], read)
    return _select(query.select, data) if query.select else data


def _expand(
    query: Query, data: dict[str, Any], levels: int, left: list[int], read: Read
) -> dict[str, Any]:
    def walk(node: Any, in_links: bool) -> Any:
        if isinstance(node, list):
            return [walk(item, in_links) for item in node]
        if not isinstance(node, dict):
            return node
        wanted = {".": not in_links, "~": in_links, "*": True}[query.expand]
        if len(node) == 1 and "@odata.id" in node and wanted and left[0] > 0:
            path = urldefrag(node["@odata.id"])[0]
            found = read(path)
            if found is None:
                return node
            left[0] -= 1
            return _expand(query, found, levels - 1, left, read) if levels > 1 else found
        return {
            name: item if name == "Actions" else walk(item, in_links or name == "Links")
            for name, item in node.items()
        }

    return {
        name: item if name == "Actions" else walk(item, name == "Links")
        for name, item in data.items()
    }


def _select(names: tuple[str, ...], data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in data.items() if name.startswith("@odata.")}
    for name in names:
        source, target = data, kept
        *parents, last = name.split("/")
        for parent in parents:
            inner = source.get(parent)
            if not isinstance(inner, dict):
                break
            source, target = inner, target.setdefault(parent, {})
        else:
            if last in source:
                target[last] = source[last]
    return kept
