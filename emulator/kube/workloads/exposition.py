"""Several expositions in the Prometheus text format, summed to one of bare samples. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?[ \t]+(\S+)(?:[ \t]+-?\d+)?")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_SENSELESS = ("_created", "process_start_time_seconds")
"""Times of day: their sum means nothing."""


def parse(text: str) -> Iterable[tuple[str, float]]:
    """Samples as (name with its labels in order, value); lines that are none are left out."""
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line.strip()) if line[:1] not in ("#", "") else None
        if match is None or match.group(1).endswith(_SENSELESS):
            continue
        try:
            value = float(match.group(3))
        except ValueError:
            continue
        labels = _labels((match.group(2) or "")[1:-1])
        if labels is not None:
            yield match.group(1) + labels, value


def _labels(text: str) -> str | None:
    """The labels sorted by name; None when they cannot be read."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None:
            return None
        found[match.group(1)] = match.group(2)
        at = match.end()
    if not found:
        return ""
    return "{" + ",".join(f'{name}="{found[name]}"' for name in sorted(found)) + "}"


def total(texts: Iterable[str]) -> str:
    """Each sample once, its values summed over the texts; no comments, in the order of names.

    Scripts that take "the second word of the first line that names the metric" then read a number.
    """
    sums: dict[str, float] = {}
    for text in texts:
        for name, value in parse(text):
            if not math.isnan(value):
                sums[name] = sums.get(name, 0.0) + value
    return "".join(f"{name} {_number(value)}\n" for name, value in sums.items())


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
