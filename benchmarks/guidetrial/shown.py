"""Figures as people read them."""

from __future__ import annotations

import re

from guidetrial.estimate import Estimate, Figures, estimate

SHORT = 0.1
"""Seconds below which a time is written in milliseconds."""
DIGITS = 3
"""Significant digits of a figure on the page."""
FIGURE = re.compile(r"\{([\w.-]+:[\w.]+)(?:\|([^}]*))?\}")
"""``{EXPERIMENT:MEASURE|unit}`` in a text."""
STORMS = ("p50", "p95", "p99")


def unit_of(measure: str) -> str:
    """The unit in which a measure is shown, by its name."""
    if measure.endswith(("per_second", "per_second_max")):
        return "/s"
    if measure.endswith("per_minute"):
        return "/min"
    if measure.endswith(("ratio", "share")):
        return "%"
    if measure.endswith("mib"):
        return "Mi"
    if measure.endswith("milli"):
        return "m"
    if measure in STORMS or "seconds" in measure:
        return "s"
    return ""


def scaled(value: float, unit: str) -> tuple[float, str]:
    """By what to multiply, and what to write behind: shares in percent, short times in ms."""
    if unit == "%":
        return 100.0, " %"
    if unit == "s":
        return (1000.0, " ms") if 0 < abs(value) < SHORT else (1.0, " s")
    return 1.0, unit


def number(value: float, unit: str) -> str:
    """A single number with its unit."""
    scale, suffix = scaled(value, unit)
    return plain(scale * value) + suffix


def plain(value: float) -> str:
    """To three significant digits, and never in powers of ten."""
    if value == 0:
        return "0"
    if abs(value) >= 10 ** (DIGITS - 1):
        return f"{value:.0f}"
    if abs(value) < 0.001:
        return f"{value:.2g}"
    return f"{value:.{DIGITS}g}"


def ranged(found: Estimate, unit: str) -> str:
    """A mean and half its confidence interval."""
    if not found.half:
        return number(found.mean, unit)
    scale, suffix = scaled(found.mean, unit)
    half = plain(float(f"{scale * found.half:.2g}"))
    return f"{plain(scale * found.mean)} ± {half}{suffix}"


def fill(text: str, figures: Figures) -> str:
    """Puts the figures into a text. Raises LookupError for one that is not there."""

    def put(match: re.Match[str]) -> str:
        name, unit = match.group(1), match.group(2)
        measure = name.partition(":")[2]
        mean = estimate(figures.of(name)).mean
        return number(mean, unit_of(measure) if unit is None else unit)

    return FIGURE.sub(put, text)
