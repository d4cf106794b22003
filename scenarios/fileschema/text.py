"""JSON as people read it: what fits on a line stands on one."""

from __future__ import annotations

import json
from typing import Any

WIDTH = 100
"""Characters of a line."""


def text_of(value: Any) -> str:
    """The document with a newline at its end."""
    return _text(value, 0, 0) + "\n"


def _text(value: Any, indent: int, used: int) -> str:
    """``used``: characters of the line that are taken before and after the value."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(flat) + indent + used <= WIDTH:
        return flat
    inner = indent + 2
    if isinstance(value, dict):
        keys = [json.dumps(name, ensure_ascii=False) + ": " for name in value]
        items = [
            key + _text(item, inner, len(key) + 1)
            for key, item in zip(keys, value.values(), strict=True)
        ]
    else:
        items = [_text(item, inner, 1) for item in value]
    left, right = "{}" if isinstance(value, dict) else "[]"
    lines = f",\n{' ' * inner}".join(items)
    return f"{left}\n{' ' * inner}{lines}\n{' ' * indent}{right}"
