"""Distributions fitted to observations by maximum likelihood, and how good the fits are.

Values are fitted by their density; counts between bounds by the probability between them
(interval-censored likelihood), so that what a histogram forgot is not made up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from emulator.calibration import laws
from emulator.calibration.data import BOOTSTRAP_VALUES, TINY, Data
from emulator.calibration.laws import Array
from emulator.calibration.observations import Sample
from emulator.latency import MAX_QUANTILES, Latency

CLOSE = 0.05
"""Kolmogorov-Smirnov distance up to which a fit serves, whatever the number of values.

Where there are many, every distribution is refuted; none is off by more than a twentieth of the
probability then.
"""
LEVEL = 0.05
"""Below this p-value a fit is refuted, unless it is :data:`CLOSE`."""
DRAWS = 100
"""Repetitions of the parametric bootstrap: a p-value to a hundredth, in seconds of work."""
QUANTILES_KEPT = 101


@dataclass(frozen=True, slots=True)
class Fit:
    """One distribution, fitted. ``aic``: less is better; ``distance``: Kolmogorov and Smirnov's."""

    latency: Latency
    aic: float
    distance: float
    p_value: float | None = None

    @property
    def good(self) -> bool:
        return self.distance <= CLOSE or (self.p_value is not None and self.p_value >= LEVEL)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a kind of request gets: ``fits`` are all that were tried, the best by AIC first."""

    latency: Latency
    fits: tuple[Fit, ...]
    data_quantiles: tuple[float, ...]
    fit_quantiles: tuple[float, ...]
    distance: float
    p_value: float | None


def _lognormal(data: Data) -> Latency | None:
    if not data.binned:
        logs = np.log(data.values)
        middle, sigma = float(logs.mean()), float(logs.std())
    else:
        logs = np.log(data.middles)
        middle = float(np.average(logs, weights=data.counts))
        sigma = math.sqrt(float(np.average((logs - middle) ** 2, weights=data.counts))) or 0.1
        found = _search(
            data,
            (middle, math.log(sigma)),
            lambda p: _as_lognormal(p[0], math.exp(p[1])),
        )
        if found is None:
            return None
        middle, sigma = found[0], math.exp(found[1])
    if sigma <= 0.0 or sigma > 20.0:
        return None
    return _as_lognormal(middle, sigma)


def _as_lognormal(middle: float, sigma: float) -> Latency:
    return Latency(math.exp(middle + sigma**2 / 2), "lognormal", sigma)


def _as_gamma(shape: float, scale: float) -> Latency:
    return Latency(float(shape * scale), "gamma", float(math.sqrt(shape) * scale))


def _gamma(data: Data) -> Latency | None:
    mean, spread = data.moments()
    shape = (mean / spread) ** 2 if spread > 0 else 100.0
    if not data.binned:
        if spread <= 0:
            return None
        # The maximum's one equation: log(k) - digamma(k) = log(mean) - mean(log).
        shape, _, scale = stats.gamma.fit(data.values, floc=0)
    else:
        found = _search(
            data,
            (math.log(shape), math.log(mean / shape)),
            lambda p: _as_gamma(math.exp(p[0]), math.exp(p[1])),
        )
        if found is None:
            return None
        shape, scale = math.exp(found[0]), math.exp(found[1])
    return _as_gamma(shape, scale)


def _uniform(data: Data) -> Latency | None:
    if not data.binned:
        low, high = float(data.values[0]), float(data.values[-1])
    else:
        if math.isinf(data.ends[1][1]):
            return None  # Whatever lies beyond the last bound makes the width anybody's guess.
        low, high = _uniform_in_bins(data)
    if high <= low:
        return None
    return Latency((low + high) / 2, "uniform", (high - low) / 2)


def _uniform_in_bins(data: Data) -> tuple[float, float]:
    """The ends lie in the first and the last bin; between them every bin counts by its width."""
    first, last = data.ends
    if first == last:
        return first

    def loss(ends: Array) -> float:
        width = max(ends[1] - ends[0], TINY)
        return -data.likelihood(Latency((ends[0] + ends[1]) / 2, "uniform", width / 2))

    start = [(first[0] + first[1]) / 2, (last[0] + last[1]) / 2]
    found = optimize.minimize(loss, start, method="Nelder-Mead", bounds=[first, last])
    return float(found.x[0]), float(found.x[1])


def _search(
    data: Data, start: tuple[float, float], made: Callable[[Array], Latency]
) -> tuple[float, float] | None:
    """The parameters of the greatest likelihood, by Nelder and Mead."""

    def loss(point: Array) -> float:
        try:
            return -data.likelihood(made(point))
        except (OverflowError, ValueError):
            return math.inf

    with np.errstate(all="ignore"):
        found = optimize.minimize(loss, start, method="Nelder-Mead", options={"maxiter": 400})
    if not math.isfinite(float(found.fun)):
        return None
    return float(found.x[0]), float(found.x[1])


PARAMETERS = 2
"""Of each of the fitted distributions."""
FITTERS: dict[str, Callable[[Data], Latency | None]] = {
    "lognormal": _lognormal,
    "gamma": _gamma,
    "uniform": _uniform,
}


def _constant(data: Data) -> Latency | None:
    """Where no observation contradicts it: all equal, or one value that all bins may hold."""
    if not data.binned:
        low, high = float(data.values[0]), float(data.values[-1])
        return Latency(low) if high - low <= 1e-6 * high else None
    # Half of the last digit is what rounding hides; a wide bucket says nothing of a constant.
    first, last = data.ends
    middle = (first[0] + first[1]) / 2
    return Latency(middle) if first == last and first[1] - first[0] <= 0.2 * middle else None


def choose(sample: Sample, rng: np.random.Generator) -> Chosen:
    """The distribution for a sample that is not empty: the best by AIC that is good enough.

    ``rng`` draws the bootstrap. Where no fit is good, the sample's own quantiles are kept.
    """
    data = Data(sample)
    seen = data.quantiles()
    constant = _constant(data)
    if constant is not None:
        known = laws.quantiles(constant)
        return Chosen(constant, (Fit(constant, 0.0, 0.0),), seen, known, 0.0, None)
    fits = [
        Fit(latency, 2 * PARAMETERS - 2 * data.likelihood(latency), data.distance(latency))
        for fitter in FITTERS.values()
        if (latency := fitter(data)) is not None
    ]
    fits.sort(key=lambda fit: fit.aic)
    if fits:
        fits[0] = best = replace(fits[0], p_value=_p_value(data, fits[0], rng))
        if best.good:
            known = laws.quantiles(best.latency)
            return Chosen(best.latency, tuple(fits), seen, known, best.distance, best.p_value)
    kept = _empirical(data)
    return Chosen(kept, tuple(fits), seen, laws.quantiles(kept), 0.0, None)


def _p_value(data: Data, fit: Fit, rng: np.random.Generator) -> float:
    """How often data of the fitted distribution, fitted in turn, lie as far from their fit.

    The parametric bootstrap: a table of Kolmogorov's would flatter, as the parameters come from
    the very data.
    """
    fitter = FITTERS[fit.latency.distribution]
    # The distance shrinks with the root of the number: compare at the number that is drawn.
    gap = fit.distance * math.sqrt(data.total / min(data.total, BOOTSTRAP_VALUES))
    worse = done = 0
    for _ in range(DRAWS):
        drawn = data.again(fit.latency, rng)
        latency = fitter(drawn) if drawn.total else None
        if latency is not None:
            done += 1
            worse += drawn.distance(latency) >= gap
    return (worse + 1) / (done + 1)


def _empirical(data: Data) -> Latency:
    """The sample's own quantiles, at steps of a hundredth, or at each value of a small sample."""
    count = int(min(QUANTILES_KEPT, MAX_QUANTILES, max(2.0, data.total)))
    shares = tuple(float(share) for share in np.linspace(0.0, 1.0, count))
    return Latency.empirical(tuple(round(value, 9) for value in data.quantiles(shares)))
