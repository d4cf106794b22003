"""What runs of a model tell of it: means with intervals, warm-up, replications, differences.

Sources: Law, Simulation Modeling and Analysis (5th edition, 2014), chapters 9 and 11:
replications, Student's interval, paired differences under common random numbers. White, MSER-5:
Simulation 69 (1997), where to cut the warm-up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

Regime = Literal["terminating", "steady-state"]
"""What the runs were that something is estimated from (see :mod:`scenarios.models.regimes`)."""
CONFIDENCE = 0.95
LEAST_REPLICATIONS = 10
"""Before a half-width is believed: with fewer the deviation itself is too uncertain (Law, 9.4)."""
BATCH = 5
"""Observations in one batch of MSER-5."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over independent replications and the half-width of its interval.

    ``half`` is infinite for a single one, which says nothing of its own error.
    """

    mean: float
    half: float
    count: int
    confidence: float = CONFIDENCE
    regime: Regime = "terminating"

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half

    @property
    def relative(self) -> float:
        """The half-width as a share of the mean; infinite where the mean is 0 and it is not."""
        if self.half == 0.0:
            return 0.0
        return self.half / abs(self.mean) if self.mean else math.inf

    def covers(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Shown:
    """An estimate as it is shown: no measure is below zero, so its interval does not go there."""

    mean: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, each: Estimate) -> Shown:
        return cls(each.mean, max(0.0, each.low), each.high, each.count)


def estimate(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Student's interval of the mean of independent values. Raises ValueError for none."""
    count = len(values)
    if count == 0:
        raise ValueError("no values to estimate a mean from")
    data = np.asarray(values, dtype=float)
    mean = float(data.mean())
    if count == 1:
        return Estimate(mean, math.inf, 1, confidence)
    # Late, as a worker that plays runs estimates nothing; and of scipy's special functions, which
    # have Student's quantile in a quarter of the time that scipy.stats takes to load.
    from scipy import special

    quantile = float(special.stdtrit(count - 1, 0.5 + confidence / 2))
    return Estimate(mean, quantile * float(data.std(ddof=1)) / math.sqrt(count), count, confidence)


def difference(
    one: Sequence[float], other: Sequence[float], confidence: float = CONFIDENCE
) -> Estimate:
    """Of ``other`` from ``one``, pair by pair: run with common random numbers.

    Raises ValueError unless there are as many of each.
    """
    return estimate([b - a for a, b in zip(one, other, strict=True)], confidence)


def replicate(
    run: Callable[[int], Mapping[str, float]],
    *,
    first_seed: int = 1,
    relative: float = 0.05,
    watched: Iterable[str] = (),
    most: int = 200,
    confidence: float = CONFIDENCE,
    told: Callable[[int], None] = lambda done: None,
    regime: Regime = "terminating",
) -> dict[str, Estimate]:
    """Run with one seed after the other until every ``watched`` mean is known well enough.

    Well enough: its half-width is at most ``relative`` of it (or ``most`` runs were made; the
    estimates tell). Nothing watched: all that a run returns. ``told`` hears of each run's end.
    What some runs have no value for (NaN: nothing to measure) is estimated from the others.
    ``regime`` is what the runs are, which the estimates say.
    """
    values: dict[str, list[float]] = {}
    for done in range(1, most + 1):
        for name, value in run(first_seed + done - 1).items():
            kept = values.setdefault(name, [])
            if not math.isnan(value):
                kept.append(value)
        told(done)
        if done >= LEAST_REPLICATIONS:
            names = list(watched) or list(values)
            made = [estimate(values[name], confidence) for name in names if values[name]]
            if all(each.relative <= relative for each in made):
                break
    return {
        name: replace(estimate(kept, confidence), regime=regime)
        for name, kept in values.items()
        if kept
    }


def warm_up(series: Sequence[float]) -> int:
    """How many of the first observations of a steady-state run to leave out (MSER-5).

    The cut within the first half that makes the mean of the rest most certain. Where that is its
    end, the series has not settled: the run was too short, which the whole length says.
    """
    batches = len(series) // BATCH
    if batches < 4:
        return len(series)
    means = np.asarray(series[: batches * BATCH], dtype=float).reshape(batches, BATCH).mean(axis=1)
    # Sums from the end: of what is left after each cut.
    left = np.arange(batches, 0, -1, dtype=float)
    sums = np.cumsum(means[::-1])[::-1]
    squares = np.cumsum((means**2)[::-1])[::-1]
    error = (squares - sums**2 / left) / left**2
    half = batches // 2
    best = int(np.argmin(error[: half + 1]))
    return len(series) if best == half else best * BATCH


def quantile(values: Sequence[float], share: float) -> float:
    """The ``share`` quantile (0 to 1), interpolated; NaN without values."""
    return float(np.quantile(np.asarray(values, dtype=float), share)) if values else math.nan
