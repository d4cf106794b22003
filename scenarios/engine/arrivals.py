"""When a load's machines come, and for how long each stays: at every level by this alone.

Pure: the same load and the same random streams give the same machines.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from beskar7.runtime import Random
from scenarios.engine.schema import Arrivals, Coming, Day, LoadSpec

MAX_PEAK = 20.0
"""Times the mean: with it nine tenths of a day's machines come within two hours and a half."""


def arrivals_of(load: LoadSpec, rng: Random) -> list[Coming]:
    """The load's machines in the order in which they come."""
    arrivals = load.arrivals
    if arrivals.trace is not None:
        return list(arrivals.trace.rows[: load.machines])
    times = _times(arrivals, rng)
    return [Coming(next(times)) for _ in range(load.machines)]


def _times(arrivals: Arrivals, rng: Random) -> Iterator[float]:
    """Seconds after the load's start, without end."""
    at, number = 0.0, 0
    while True:
        match arrivals.process:
            case "poisson":
                at += rng.expovariate(arrivals.rate)
            case "constant":
                at = number / arrivals.rate
            case "diurnal":
                at = _next_of_day(arrivals, at, rng)
        yield at
        number += 1


def _next_of_day(arrivals: Arrivals, at: float, rng: Random) -> float:
    """The next of a Poisson process whose rate changes, by thinning one at its highest rate.

    Lewis and Shedler, Naval Research Logistics 26 (1979).
    """
    day = arrivals.day
    while True:
        at += rng.expovariate(arrivals.rate * day.peak)
        if rng.random() < _share_of_peak(day, at):
            return at


def rate_at(arrivals: Arrivals, at: float) -> float:
    """Machines per second that come ``at`` seconds after the load's start, on the mean."""
    if arrivals.process != "diurnal":
        return arrivals.rate
    return arrivals.rate * arrivals.day.peak * _share_of_peak(arrivals.day, at)


def _share_of_peak(day: Day, at: float) -> float:
    angle = 2.0 * math.pi * (day.starts + at - day.at) / day.period
    return math.exp(_concentration(day.peak) * (math.cos(angle) - 1.0))


@lru_cache(maxsize=64)
def _concentration(peak: float) -> float:
    """Of the von Mises density whose highest value is ``peak`` times its mean.

    That is the bell on a circle: a sine could not rise above twice its mean. Its peak over its
    mean, exp(k) / I0(k), grows with k.
    """
    low, high = 0.0, 2.0 * math.pi * peak**2  # exp(k) / I0(k) is near sqrt(2 pi k).
    for _ in range(60):
        middle = (low + high) / 2
        if 1.0 / _scaled_bessel(middle) < peak:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _scaled_bessel(k: float) -> float:
    """exp(-k) I0(k), by the trapezoidal rule, which is exact to rounding for a periodic function
    (Trefethen and Weideman, SIAM Review 56, 2014)."""
    points = 256
    angles = (2.0 * math.pi * point / points for point in range(points))
    return math.fsum(math.exp(k * (math.cos(angle) - 1.0)) for angle in angles) / points


def lifetime_of(load: LoadSpec, coming: Coming, rng: Random) -> float | None:
    """Seconds that a machine is wanted; None: for as long as the run lasts."""
    if coming.lifetime is not None or load.lifetime is None:
        return coming.lifetime
    mean = load.lifetime.mean
    return mean if load.lifetime.process == "constant" else rng.expovariate(1.0 / mean)
