"""Values in words, for terminal and page alike."""

from __future__ import annotations

import math

from scenarios.engine.checks import format_value
from scenarios.engine.measure_names import Unit
from scenarios.models.estimates import Estimate


def told(value: float, unit: Unit) -> str:
    """A measure's value; also one that is no number."""
    if math.isnan(value):
        return "not measured"
    if math.isinf(value):
        return "without end"
    return f"-{format_value(-value, unit)}" if value < 0 else format_value(value, unit)


def interval(found: Estimate, unit: Unit) -> str:
    """``5m (4m50s to 5m10s)``."""
    if not math.isfinite(found.mean) or not math.isfinite(found.half):
        return told(found.mean, unit)
    if found.half == 0.0:
        return told(found.mean, unit)
    return f"{told(found.mean, unit)} ({told(found.low, unit)} to {told(found.high, unit)})"


def change(found: Estimate, unit: Unit) -> str:
    """A difference with its half-width: ``+12s ±3s``; an empty text for none."""
    if not math.isfinite(found.mean):
        return told(found.mean, unit)
    if found.mean == 0.0 and found.half == 0.0:
        return "0"
    sign = "+" if found.mean >= 0 else ""
    half = f" ±{told(found.half, unit)}" if math.isfinite(found.half) else ""
    return f"{sign}{told(found.mean, unit)}{half}"


def share(value: float) -> str:
    """``+4.2 %``."""
    return "-" if math.isnan(value) else f"{value * 100:+.1f} %"
