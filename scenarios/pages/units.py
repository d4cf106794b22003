"""How values read: three figures are enough, as no interval here is closer than that."""

from __future__ import annotations

import math

from beskar7.api.durations import format_duration
from scenarios.engine.measure_names import Unit
from scenarios.pages.content import interval

DIGITS = 3


def said(value: float | None, unit: Unit) -> str:
    """``12.3s``, ``4.51 %``, ``1 234``; a dash for what was not measured."""
    if value is None or math.isnan(value):
        return "\N{EN DASH}"
    if math.isinf(value):
        return "\N{INFINITY}" if value > 0 else "\N{MINUS SIGN}\N{INFINITY}"
    if value < 0:
        return "\N{MINUS SIGN}" + said(-value, unit)
    if unit == "seconds":
        return format_duration(_seconds(value))
    if unit == "ratio":
        return f"{_rounded(value * 100):g} %"
    return f"{_rounded(value):,.6g}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def span(low: float | None, high: float | None, unit: Unit) -> str:
    """``11.9s to 12.6s``; empty without an interval."""
    return f"{said(low, unit)} to {said(high, unit)}" if interval(low, high) else ""


def label(value: float, unit: Unit) -> str:
    """A tick's name: ticks are round numbers already, and must not be rounded to be equal."""
    if value < 0:
        return "\N{MINUS SIGN}" + label(-value, unit)
    if unit == "seconds":
        return format_duration(round(value, 9))
    if unit == "ratio":
        return f"{value * 100:.6g} %"
    return f"{value:,.6g}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def named(x: float | str, unit: Unit) -> str:
    """The name of a group or column."""
    return x if isinstance(x, str) else label(float(x), unit)


def _seconds(value: float) -> float:
    """Whole seconds from two minutes on: nobody reads tenths beside minutes."""
    return float(round(value)) if value >= 120 else _rounded(value)


def _rounded(value: float) -> float:
    """To three figures, or to a whole number where it has more before the point."""
    if value == 0:
        return 0.0
    return round(value, max(0, DIGITS - 1 - math.floor(math.log10(value))))
