"""From values to places on a plot, and the round numbers that are written beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scenarios.engine.measure_names import Unit
from scenarios.pages.content import Axis

FULL = 1000.0
"""A plot is so many units wide and high; what it measures in pixels is its frame's affair."""
LOG_STEPS = ((1, 2, 5), (1, 3), (1,))
NARROW = 8
"""A logarithmic range of less than such a factor has ticks at even distances, as others have."""
TINY = 1e-12
"""Values closer than this are one to the eye, and rounding would make nothing of their span."""
CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Steps that are round to readers of clocks, in seconds."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A range of values; on a logarithmic one both ends are positive."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """0 to :data:`FULL`; what lies beyond an end is put there."""
        if self.log:
            if value <= self.low:
                return 0.0
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return round(FULL * min(max(share, 0.0), 1.0), 2)


def fit(axis: Axis, values: Sequence[float], *, round_up: bool, air: float = 0.0) -> Scale:
    """The range for these values.

    ``round_up``: to the next tick, and from 0: for heights. ``air``: a share of the range that is
    left empty at both ends, unless an end is 0.
    """
    found = [each for each in values if math.isfinite(each)]
    ends = [each for each in (axis.low, axis.high) if each is not None]
    if axis.scale == "log" and (positive := [each for each in [*found, *ends] if each > TINY]):
        low, high = min(positive), max(positive)
        if high < low * (1 + 1e-9):
            low, high = low / 2, high * 2
        factor = (high / low) ** max(air, 0.02)
        return Scale(low / factor, high * factor, log=True)
    found = [*found, *ends] or [0.0, 1.0]
    low, high = min(found), max(found)
    if axis.low is None and (round_up or 0 <= low <= 0.3 * high):
        low = min(low, 0.0)
    if high - low <= max(TINY, TINY * abs(low)):
        low, high = (
            (low, low + 1.0) if abs(low) < TINY else (low - abs(low) / 2, low + abs(low) / 2)
        )
    if round_up:
        reached = ticks(low, high, axis.unit)
        return Scale(reached[0] if low < 0 else low, reached[-1])
    pad = air * (high - low)
    return Scale(low - pad if low != 0 else low, high + pad if high != 0 else high)


def step(high: float, count: int, unit: Unit) -> float:
    """A round step of which about ``count`` make ``high``."""
    rough = high / count
    if unit == "seconds" and rough > 0.5:
        for clock in CLOCK:
            if clock >= rough * (1 - 1e-9):
                return float(clock)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))


def ticks(low: float, high: float, unit: Unit = "number", count: int = 5) -> list[float]:
    """Round numbers from at or below ``low`` to at least ``high``."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [0.0, 1.0]
    by = step(high - low, count, unit)
    if unit == "count":
        by = max(by, 1.0)
    first, last = math.floor(low / by + 1e-9), math.ceil(high / by - 1e-9)
    return [round(by * index, 12) for index in range(first, last + 1)]


def scale_ticks(scale: Scale, unit: Unit, count: int = 5) -> list[float]:
    """The ticks that lie on the scale."""
    if not scale.log or scale.high <= NARROW * scale.low:
        spare = (scale.high - scale.low) * 1e-9
        return [
            tick
            for tick in ticks(scale.low, scale.high, unit, count)
            if scale.low - spare <= tick <= scale.high + spare
        ]
    first, last = math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high))
    for parts in LOG_STEPS:
        made = [m * 10.0**power for power in range(first, last + 1) for m in parts]
        made = [tick for tick in made if scale.low <= tick <= scale.high]
        if len(made) <= count + 2:
            break
    every = math.ceil(len(made) / (count + 2)) if made else 1
    return [float(f"{tick:.6g}") for tick in made[::every]]
