"""Fields that a JSON text names twice: parsers keep the last one, strict validation refuses."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

MAX_FOUND = 20


class _Repeats(dict[str, Any]):
    """An object that remembers which of its keys came more than once."""

    again: tuple[str, ...] = ()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = _Repeats(pairs)
    if len(made) != len(pairs):
        counted = Counter(key for key, _ in pairs)
        made.again = tuple(key for key, count in counted.items() if count > 1)
    return made


def duplicates(body: bytes) -> list[str]:
    """Their paths, at most :data:`MAX_FOUND`. The body is valid JSON of bounded depth."""
    found: list[str] = []
    _walk(json.loads(body, object_pairs_hook=_pairs), "", found)
    return found[:MAX_FOUND]


def _walk(value: Any, path: str, found: list[str]) -> None:
    if isinstance(value, _Repeats):
        found += [f"{path}.{key}" if path else key for key in value.again]
        for key, child in value.items():
            _walk(child, f"{path}.{key}" if path else key, found)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _walk(child, f"{path}[{index}]", found)
