"""Values of a scenario file that are more than a number: rates, spans of time, places of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beskar7.api.documents import Node
from beskar7.api.durations import format_duration, parse_duration

_RATES = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def rate_of(value: Any) -> float | None:
    """Events per second of ``5/s``, ``40/h``, ``200/d`` (and ``/m``), or of a plain number, which
    is per second; None for what is no rate."""
    if isinstance(value, str):
        number, _, unit = value.partition("/")
        try:
            return float(number) / _RATES[unit.strip()]
        except (ValueError, KeyError):
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def seconds_of(text: str, *, signed: bool = False) -> float:
    """Seconds of a duration; ``signed``: it may begin with a minus. Raises ValueError."""
    if signed and text.startswith("-"):
        return -parse_duration(text[1:])
    return parse_duration(text)


def span(low: float, high: float) -> str:
    """From one duration to another (seconds), in words."""
    sign = "-" if low < 0 else ""
    return f"{sign}{format_duration(abs(low))} to {format_duration(high)}"


def beside(node: Node, place: str) -> str:
    """The absolute place of a file that a value names: relative to the document that it stands in,
    or, from ``--set``, to the working directory."""
    folder = Path(node.where.source).parent if node.where.line else Path()
    return str((folder / place).resolve())
