"""A tuning as the ConfigMap would say it: for people, who know its keys and not our fields."""

from __future__ import annotations

from typing import Any

from beskar7.api.durations import format_duration
from beskar7.config import KEYS, Tuning

_PLAIN_NUMBERS = ("hostSelection.backoffMultiplier",)
"""All other fractional values are seconds."""


def effective(tuning: Tuning) -> dict[str, str | None]:
    """Each key's value in the ConfigMap's own form.

    None: each vendor's own, or another key's, as :class:`Tuning` says. What may be set for a
    single vendor is there only where it is.
    """
    found: dict[str, str | None] = {}
    for key, (name, _) in KEYS.items():
        group, _, inner = name.rpartition(".")
        holder: Any = getattr(tuning, group) if group else tuning
        if not isinstance(holder, dict):
            found[key] = _said(key, getattr(holder, inner))
        elif inner in holder:
            found[key] = _said(key, holder[inner])
    return found


def changes(before: Tuning, after: Tuning) -> list[str]:
    """``KEY=VALUE`` for each key that differs.

    Only these: what logs are searched for (``error``) is also among the words of keys and values.
    """
    old, new = effective(before), effective(after)
    changed = [key for key in old | new if old.get(key) != new.get(key)]
    return [f"{key}={new.get(key) or 'default'}" for key in changed]


def _said(key: str, value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}" if key in _PLAIN_NUMBERS else format_duration(value)
    return str(value)
