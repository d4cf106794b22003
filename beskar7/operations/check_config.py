"""``beskar7 check-config``: is this ConfigMap one that the controller would take?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beskar7.api.documents import Node, read_all
from beskar7.api.problems import DocumentError, Problem, Problems, Where
from beskar7.config import (
    CONFIG_MAP_NAME,
    KEYS,
    Tuning,
    contradictions,
    doubts,
    read_setting,
    with_settings,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``problems``: the controller would refuse it. ``advice``: it would work, but."""

    tuning: Tuning
    data: dict[str, str]
    problems: list[Problem]
    advice: list[Problem]


def check(path: Path) -> Verdict:
    """Read the ConfigMap in a YAML or JSON file, among other objects or alone.

    A file that has no Kubernetes object in it may hold the settings themselves.

    Raises:
        DocumentError: it cannot be read, or there is no ConfigMap ``beskar7-config`` in it.
    """
    data = _settings(read_all(path), Where(str(path)))
    problems = Problems()
    values: dict[str, Any] = {}
    for key, node in data.items():
        if not isinstance(node.value, str):
            quoted = "" if isinstance(node.value, dict | list) else f'; write "{_plain(node)}"'
            problems.add(
                node.where, key, f"a ConfigMap's values are text, not {node.shape()}{quoted}"
            )
            continue
        try:
            field_name, value = read_setting(key, node.value)
        except ValueError as error:
            problems.add(node.where, key, str(error))
            continue
        values[field_name] = value
    tuning = with_settings(Tuning(), values)
    _judge(contradictions, tuning, data, problems)
    advice = Problems()
    _judge(doubts, tuning, data, advice)
    given = {key: node.value for key, node in data.items() if isinstance(node.value, str)}
    return Verdict(tuning, given, problems.in_order(), advice.in_order())


def _judge(
    rules: Callable[[Tuning], list[tuple[str, str]]],
    tuning: Tuning,
    data: dict[str, Node],
    into: Problems,
) -> None:
    """A rule is about several keys: it points to its own where that stands, else to the first."""
    for key, text in rules(tuning):
        node = data.get(key) or next(iter(data.values()), None)
        into.add(node.where if node else Where(""), key, text)


def _settings(documents: list[Node], where: Where) -> dict[str, Node]:
    objects = [node for node in documents if isinstance(node.value, dict)]
    expanded = [item for node in objects for item in _items(node)]
    maps = [node for node in expanded if _text(node, "kind") == "ConfigMap"]
    named = [node for node in maps if _name(node) == CONFIG_MAP_NAME] or maps
    if len(named) > 1:
        second = named[1]
        raise DocumentError([Problem(second.where, "", "a second ConfigMap; keep one")])
    if named:
        data = named[0].mapping.get("data")
        if data is None or not isinstance(data.value, dict):
            raise DocumentError(
                [Problem(named[0].where, "data", "missing; the settings belong there")]
            )
        return data.mapping
    bare = [node for node in objects if not _text(node, "kind")]
    if len(bare) == 1 and set(bare[0].mapping) & set(KEYS):
        return bare[0].mapping
    raise DocumentError([Problem(where, "", f"no ConfigMap {CONFIG_MAP_NAME} in it")])


def _items(node: Node) -> list[Node]:
    """The objects of a List, or the object itself."""
    items = node.mapping.get("items")
    if _text(node, "kind").endswith("List") and items is not None and isinstance(items.value, list):
        return [item for item in items.items if isinstance(item.value, dict)]
    return [node]


def _name(node: Node) -> str:
    meta = node.mapping.get("metadata")
    return _text(meta, "name") if meta is not None and isinstance(meta.value, dict) else ""


def _text(node: Node, field: str) -> str:
    found = node.mapping.get(field)
    return found.value if found is not None and isinstance(found.value, str) else ""


def _plain(node: Node) -> str:
    value = node.value
    return str(value).lower() if isinstance(value, bool) else str(value)
