"""Paths of fields, and plain documents by them: ``a.b`` is a field of a mapping, ``a[]`` an element
of a list, which has one element here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.problems import Where

PLACE = Where("survey", 1)


def node_of(value: Any) -> Node:
    """Plain data as the tree that readers take."""
    if isinstance(value, Mapping):
        return Node(PLACE, {name: node_of(item) for name, item in value.items()})
    if isinstance(value, list | tuple):
        return Node(PLACE, [node_of(item) for item in value])
    return Node(PLACE, value)


def steps(path: str) -> list[str]:
    return re.findall(r"[^.\[\]]+|\[\]", path)


def general(path: str) -> str:
    """The path with all positions of lists left out."""
    return re.sub(r"\[\d+\]", "[]", path)


def owners(path: str) -> Iterator[str]:
    """The path, and those of the same field of the mappings that have the lists it is in:
    ``load.image_url`` after ``load.mix[].image_url``."""
    yield path
    while "[]." in path:
        head, _, tail = path.partition("[].")
        holder = head.rpartition(".")[0]
        path = f"{holder}.{tail}" if holder else tail
        yield path


def is_in(path: str, part: str) -> bool:
    return path == part or path.startswith((f"{part}.", f"{part}["))


def put(document: dict[str, Any], path: str, value: Any) -> None:
    names = steps(path)
    last = names[-1]
    at: Any = document
    for here, following in itertools.pairwise(names):
        fresh: Any = [] if following == "[]" else {}
        if here == "[]":
            if not at:
                at.append(fresh)
            at = at[0]
        else:
            if not isinstance(at.get(here), type(fresh)):
                at[here] = fresh
            at = at[here]
    if last == "[]":
        at[:] = [value]
    else:
        at[last] = value


def take_out(document: dict[str, Any], path: str) -> bool:
    """Whether it was there."""
    holder, _, last = path.rpartition(".")
    at = get(document, holder)
    return isinstance(at, dict) and at.pop(last, None) is not None


def get(document: Any, path: str) -> Any:
    """None where there is nothing."""
    at = document
    for step in steps(path):
        if step == "[]":
            at = at[0] if isinstance(at, list) and at else None
        else:
            at = at.get(step) if isinstance(at, dict) else None
    return at
