"""How deeply what comes from outside may be nested."""

from __future__ import annotations

from typing import Any

from beskar7.api.errors import BadRequest

MAX_DEPTH = 100  # levels; far from where recursion over an object would end


def check_depth(value: Any, what: str = "the body") -> None:
    """Raises :class:`BadRequest` for more than :data:`MAX_DEPTH` levels; does not recurse."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise BadRequest(f"{what} is nested more than {MAX_DEPTH} levels deep")
