"""How long an answer takes, as a distribution that is data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from beskar7.runtime import Random
from emulator import fields as f
from emulator.fields import FieldError

DISTRIBUTIONS = ("constant", "lognormal", "gamma", "uniform", "empirical")
MAX_SECONDS = 3600.0
"""Upper bound of a single delay: nothing that is studied here waits longer for one answer."""
MAX_QUANTILES = 1001
"""Of an empirical distribution: every thousandth, with both ends."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds, every draw cut at :data:`MAX_SECONDS`.

    ``mean`` is in seconds. ``sigma`` is, for ``lognormal`` the standard deviation of the logarithm
    (no unit), for ``gamma`` the standard deviation, for ``uniform`` half the width (both seconds);
    ``constant`` has none. ``empirical`` has ``quantiles`` in place of both: seconds at equal steps
    of probability from the least to the greatest, between which a draw interpolates.
    """

    mean: float
    distribution: str = "constant"
    sigma: float = 0.0
    quantiles: tuple[float, ...] = ()

    def draw(self, rng: Random) -> float:
        """One draw in seconds; ``rng`` is left alone where nothing is random."""
        if self.distribution == "empirical":
            return min(self._at(rng.random()), MAX_SECONDS)
        if self.mean <= 0.0:
            return 0.0
        if self.distribution == "constant" or self.sigma <= 0.0:
            return min(self.mean, MAX_SECONDS)
        if self.distribution == "lognormal":
            value = rng.lognormvariate(math.log(self.mean) - self.sigma**2 / 2, self.sigma)
        elif self.distribution == "gamma":
            value = rng.gammavariate((self.mean / self.sigma) ** 2, self.sigma**2 / self.mean)
        else:
            value = rng.uniform(self.mean - self.sigma, self.mean + self.sigma)
        return min(max(0.0, value), MAX_SECONDS)

    def _at(self, share: float) -> float:
        """The quantile at ``share``, 0 to 1."""
        place = share * (len(self.quantiles) - 1)
        index = min(int(place), len(self.quantiles) - 2)
        low, high = self.quantiles[index : index + 2]
        return low + (high - low) * (place - index)

    def scaled(self, factor: float) -> Latency:
        """The same shape, ``factor`` times as long."""
        sigma = self.sigma if self.distribution == "lognormal" else self.sigma * factor
        quantiles = tuple(value * factor for value in self.quantiles)
        return Latency(self.mean * factor, self.distribution, sigma, quantiles)

    @classmethod
    def empirical(cls, quantiles: tuple[float, ...]) -> Latency:
        """The distribution with these quantiles, two at least, in ascending order."""
        inner = sum(quantiles) - (quantiles[0] + quantiles[-1]) / 2
        return cls(inner / (len(quantiles) - 1), "empirical", 0.0, quantiles)

    @classmethod
    def from_dict(cls, data: object, where: str = "latency") -> Latency:
        """Raises :class:`FieldError`."""
        fields = f.mapping(data, where, ("distribution", "mean", "sigma", "quantiles"))
        kind = f.choice(
            fields.get("distribution", "constant"), f"{where}.distribution", DISTRIBUTIONS
        )
        for name in ("mean", "sigma") if kind == "empirical" else ("quantiles",):
            if name in fields:
                raise FieldError(f"{where}.{name}: not for distribution {kind}; leave it out")
        if kind == "empirical":
            return cls.empirical(_quantiles(fields.get("quantiles"), f"{where}.quantiles"))
        if "mean" not in fields:
            raise FieldError(f"{where}.mean: missing; seconds, 0 to {MAX_SECONDS:g}")
        return cls(
            mean=f.number(fields["mean"], f"{where}.mean", 0.0, MAX_SECONDS),
            distribution=kind,
            sigma=f.number(fields.get("sigma", 0.0), f"{where}.sigma", 0.0, MAX_SECONDS),
        )

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`from_dict` reads back."""
        if self.distribution == "empirical":
            return {"distribution": "empirical", "quantiles": list(self.quantiles)}
        return {"distribution": self.distribution, "mean": self.mean, "sigma": self.sigma}


def _quantiles(value: object, where: str) -> tuple[float, ...]:
    if not isinstance(value, list) or not 2 <= len(value) <= MAX_QUANTILES:
        raise FieldError(f"{where}: must be a list of 2 to {MAX_QUANTILES} ascending seconds")
    found = tuple(
        f.number(item, f"{where}[{index}]", 0.0, MAX_SECONDS) for index, item in enumerate(value)
    )
    for index in range(1, len(found)):
        if found[index] < found[index - 1]:
            raise FieldError(f"{where}[{index}]: must not be less than the one before it")
    return found
