"""How fast something grows, apart from what the load explains, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
from scipy.stats import theilslopes

CONFIDENCE = 0.95
MOST = 400
"""Points that are taken into account, spread evenly: the fit looks at all their pairs."""
LEAST = 8
"""Points below which there is no fit."""
UNEXPLAINED = 0.05
"""Share of the time's spread that the load must leave unexplained. Below it the two rose together,
and nobody can tell which of them made the difference."""

Array = numpy.typing.NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class Trend:
    """``slope``: growth a second, which lies within ``low`` and ``high`` with CONFIDENCE.

    ``per_load`` is the growth with each unit of load, 0 where that stood still. ``rest`` has the
    points' values without the load's part, around 0, by ``times``.
    """

    slope: float
    low: float
    high: float
    per_load: float
    times: tuple[float, ...]
    rest: tuple[float, ...]


def trend(times: Sequence[float], values: Sequence[float], load: Sequence[float]) -> Trend | None:
    """The median of the slopes between all pairs (Theil and Sen), so that no outlier counts.

    The load's part is taken out of values and times first: by the theorem of Frisch, Waugh and
    Lovell, what is left of both has the slope that both variables together would give. None: too
    few points, all at one time, or the load rose so evenly that its part cannot be told apart.
    """
    if len(times) < LEAST:
        return None
    chosen = numpy.unique(numpy.linspace(0, len(times) - 1, MOST).round().astype(int))
    at, value, busy = (
        numpy.asarray(column, dtype=float)[chosen] for column in (times, values, load)
    )
    at, value, busy = at - at.mean(), value - value.mean(), busy - busy.mean()
    spread = float(at @ at)
    if not spread > 0.0:
        return None
    rest_of_time = _unexplained(at, busy)
    if float(rest_of_time @ rest_of_time) < UNEXPLAINED * spread:
        return None
    rest = _unexplained(value, busy)
    slope, _, low, high = theilslopes(rest, rest_of_time, CONFIDENCE)
    without_time = value - slope * at
    per_load = _share(without_time, busy)
    return Trend(
        float(slope),
        float(low),
        float(high),
        per_load,
        tuple(float(each) for each in numpy.asarray(times, dtype=float)[chosen]),
        tuple(float(each) for each in value - per_load * busy),
    )


def _share(values: Array, by: Array) -> float:
    spread = float(by @ by)
    return float(by @ values) / spread if spread > 0.0 else 0.0


def _unexplained(values: Array, by: Array) -> Array:
    return values - _share(values, by) * by
