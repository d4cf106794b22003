"""The distributions of :class:`emulator.latency.Latency`, in the form that fitting wants.

By scipy's special functions: its distribution objects take a hundred times as long, and a
bootstrap calls them a hundred thousand times.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from emulator.latency import Latency

Array = npt.NDArray[np.float64]
SHARES = (0.5, 0.95, 0.99)


def _log_scale(latency: Latency) -> float:
    return math.log(latency.mean) - latency.sigma**2 / 2


def _gamma(latency: Latency) -> tuple[float, float]:
    """Shape and scale."""
    return (latency.mean / latency.sigma) ** 2, latency.sigma**2 / latency.mean


def cdf(latency: Latency, at: Array) -> Array:
    """The share of draws up to each of ``at``, which may be infinite."""
    if latency.distribution == "lognormal":
        with np.errstate(divide="ignore"):
            scaled = (np.log(at) - _log_scale(latency)) / latency.sigma
        return np.asarray(special.ndtr(scaled))
    if latency.distribution == "gamma":
        shape, scale = _gamma(latency)
        return np.asarray(special.gammainc(shape, at / scale))
    low = latency.mean - latency.sigma
    return np.clip((at - low) / (2 * latency.sigma), 0.0, 1.0)


def log_density(latency: Latency, at: Array) -> Array:
    """The logarithm of the density at each of ``at``."""
    sigma = latency.sigma
    if latency.distribution == "lognormal":
        logs = np.log(at)
        scaled = (logs - _log_scale(latency)) / sigma
        return np.asarray(-(scaled**2) / 2 - logs - math.log(sigma * math.sqrt(2 * math.pi)))
    if latency.distribution == "gamma":
        shape, scale = _gamma(latency)
        norm = special.gammaln(shape) + shape * math.log(scale)
        return np.asarray((shape - 1) * np.log(at) - at / scale - norm)
    # The ends belong to it, whatever rounding did to them.
    inside = np.abs(at - latency.mean) <= sigma * (1 + 1e-9)
    return np.where(inside, -math.log(2 * sigma), -math.inf)


def draws(latency: Latency, size: int, rng: np.random.Generator) -> Array:
    if latency.distribution == "lognormal":
        return rng.lognormal(_log_scale(latency), latency.sigma, size)
    if latency.distribution == "gamma":
        return rng.gamma(*_gamma(latency), size)
    return rng.uniform(latency.mean - latency.sigma, latency.mean + latency.sigma, size)


def quantiles(latency: Latency, shares: tuple[float, ...] = SHARES) -> tuple[float, ...]:
    """The latency's quantiles, in seconds."""
    at = np.asarray(shares)
    if latency.distribution == "constant":
        found = np.full(len(shares), latency.mean)
    elif latency.distribution == "empirical":
        found = np.interp(at, np.linspace(0.0, 1.0, len(latency.quantiles)), latency.quantiles)
    elif latency.distribution == "lognormal":
        found = np.exp(_log_scale(latency) + latency.sigma * special.ndtri(at))
    elif latency.distribution == "gamma":
        shape, scale = _gamma(latency)
        found = special.gammaincinv(shape, at) * scale
    else:
        found = latency.mean + latency.sigma * (2 * at - 1)
    return tuple(float(value) for value in found)
