"""Observations in the form that fitting wants, and what a distribution makes of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from emulator.calibration import laws
from emulator.calibration.laws import SHARES, Array
from emulator.calibration.observations import Sample
from emulator.latency import Latency

BOOTSTRAP_VALUES = 2000
"""Values in each repetition at most: more make the test stricter than the use needs."""
TINY = 1e-9
"""Seconds that stand for a measured zero, which has no logarithm."""
Bin = tuple[tuple[float, float], float]


def _whole(bins: Mapping[tuple[float, float], float]) -> list[Bin]:
    """In order, from zero to infinity: where nothing was counted is a bin, too."""
    whole: list[Bin] = []
    reached = 0.0
    for (low, high), count in sorted(bins.items()):
        if low > reached:
            whole.append(((reached, low), 0.0))
        whole.append(((low, high), count))
        reached = high
    if whole and not math.isinf(reached):
        whole.append(((reached, math.inf), 0.0))
    return whole


class Data:
    """A sample in the form that the fits want: values, or bounds with counts."""

    def __init__(self, sample: Sample) -> None:
        self.values: Array = np.maximum(np.sort(np.asarray(sample.values, float)), TINY)
        bins = _whole(sample.bins)
        self.low: Array = np.asarray([low for (low, _), _ in bins], float)
        self.high: Array = np.asarray([high for (_, high), _ in bins], float)
        self.counts: Array = np.asarray([count for _, count in bins], float)
        self.binned = bool(bins)

    @property
    def total(self) -> float:
        return float(self.counts.sum()) if self.binned else float(len(self.values))

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The first and the last bin in which anything was counted."""
        held = np.flatnonzero(self.counts)
        first, last = int(held[0]), int(held[-1])
        return (
            (float(self.low[first]), float(self.high[first])),
            (float(self.low[last]), float(self.high[last])),
        )

    @property
    def middles(self) -> Array:
        """A value for each bin, from which a search begins."""
        high = np.where(np.isinf(self.high), np.maximum(self.low * 1.5, TINY), self.high)
        return np.maximum((self.low + high) / 2, TINY)

    def moments(self) -> tuple[float, float]:
        if not self.binned:
            return float(self.values.mean()), float(self.values.std())
        mean = float(np.average(self.middles, weights=self.counts))
        spread = float(np.average((self.middles - mean) ** 2, weights=self.counts))
        return mean, math.sqrt(spread)

    def quantiles(self, shares: tuple[float, ...] = SHARES) -> tuple[float, ...]:
        """Of the data; within a bin by interpolation, in the last open one its lower bound."""
        if not self.binned:
            return tuple(float(value) for value in np.quantile(self.values, shares))
        share = np.cumsum(self.counts) / self.total
        points: list[tuple[float, float]] = []
        before = 0.0
        for low, high, upto in zip(self.low, self.high, share, strict=True):
            if upto <= before:
                continue
            points += [(before, low), (float(upto), low if math.isinf(high) else high)]
            before = float(upto)
        at, seconds = zip(*points, strict=True)
        return tuple(float(np.interp(wanted, at, seconds)) for wanted in shares)

    def likelihood(self, latency: Latency) -> float:
        """The logarithm; minus infinity where an observation is impossible."""
        if not self.binned:
            return float(np.sum(laws.log_density(latency, self.values)))
        held = self.counts > 0
        chance = laws.cdf(latency, self.high[held]) - laws.cdf(latency, self.low[held])
        if np.any(chance <= 0.0):
            return -math.inf
        return float(np.sum(self.counts[held] * np.log(chance)))

    def distance(self, latency: Latency) -> float:
        """Kolmogorov and Smirnov's: the greatest gap between both distribution functions."""
        if self.binned:
            share = np.cumsum(self.counts) / self.total
            below = np.concatenate(([0.0], share[:-1]))
            gaps = [
                np.abs(share - laws.cdf(latency, self.high)),
                np.abs(below - laws.cdf(latency, self.low)),
            ]
            return float(max(gap.max() for gap in gaps))
        count = len(self.values)
        expected = laws.cdf(latency, self.values)
        above = np.arange(1, count + 1) / count - expected
        return float(max(above.max(), (expected - np.arange(count) / count).max()))

    def again(self, latency: Latency, rng: np.random.Generator) -> Data:
        """As many observations of the fitted distribution, seen in the same way."""
        size = int(min(self.total, BOOTSTRAP_VALUES))
        drawn = Data.__new__(Data)
        drawn.values = np.sort(np.maximum(laws.draws(latency, size, rng), TINY))
        drawn.binned, drawn.low, drawn.high = self.binned, self.low, self.high
        drawn.counts = self.counts
        if self.binned:
            chance = np.maximum(laws.cdf(latency, self.high) - laws.cdf(latency, self.low), 0.0)
            drawn.counts = rng.multinomial(size, chance / chance.sum()).astype(float)
        return drawn
