"""Durations as Kubernetes and Go write them: ``10s``, ``1m30s``, ``250ms``, ``1.5h``."""

from __future__ import annotations

import re

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Seconds of a duration such as ``1m30s``; a bare ``0`` needs no unit.

    Raises:
        ValueError: saying what was read and what would be right.
    """
    stripped = text.strip()
    if stripped == "0":
        return 0.0
    terms = list(_TERM.finditer(stripped))
    if not terms or "".join(term.group() for term in terms) != stripped:
        raise ValueError(f"{text!r} is not a duration; write for example 10s, 1m30s or 250ms")
    return sum(float(term.group(1)) * _UNITS[term.group(2)] for term in terms)


def format_duration(seconds: float) -> str:
    """The shortest usual form: ``90`` becomes ``1m30s``, ``0.25`` becomes ``250ms``."""
    if seconds == 0:
        return "0s"
    if seconds < 1:
        return f"{seconds * 1000:.6g}ms"
    hours, rest = divmod(seconds, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "m"), (secs, "s")]
    return "".join(f"{value:.6g}{unit}" for value, unit in parts if value)
