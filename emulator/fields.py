"""Checks for data from outside; each error names the field and says what it may hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class FieldError(ValueError):
    """A field that cannot be: ``args[0]`` reads ``<path of the field>: <what would be right>``."""


def mapping(data: object, where: str, allowed: Sequence[str]) -> Mapping[str, Any]:
    """A mapping with no other keys than ``allowed``."""
    if not isinstance(data, Mapping):
        raise FieldError(f"{where}: must be a mapping, not {type(data).__name__}")
    for key in data:
        if key not in allowed:
            raise FieldError(f"{where}.{key}: unknown field; allowed: {', '.join(allowed)}")
    return data


def number(value: object, where: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise FieldError(f"{where}: must be a number from {low:g} to {high:g}, not {value!r}")
    return float(value)


def whole(value: object, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise FieldError(f"{where}: must be a whole number from {low} to {high}, not {value!r}")
    return value


def flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise FieldError(f"{where}: must be true or false, not {value!r}")
    return value


def choice(value: object, where: str, allowed: Sequence[str]) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise FieldError(f"{where}: must be one of {', '.join(allowed)}, not {value!r}")
    return value


def text(value: object, where: str, most: int = 253) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise FieldError(f"{where}: must be text of 1 to {most} characters, not {value!r}")
    return value


def texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise FieldError(f"{where}: must be a list of text, not {value!r}")
    return tuple(text(item, f"{where}[{index}]") for index, item in enumerate(value))


def labels(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise FieldError(f"{where}: must be a mapping of label to value, not {value!r}")
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            raise FieldError(f"{where}.{key}: label and value must be text, not {item!r}")
    return dict(value)
