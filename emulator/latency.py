"""How long an answer takes, as a distribution that is data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from beskar7.runtime import Random
from emulator import fields as f
from emulator.fields import FieldError

DISTRIBUTIONS = ("constant", "lognormal", "gamma", "uniform")
MAX_SECONDS = 3600.0
"""Upper bound of a single delay: nothing that is studied here waits longer for one answer."""


@dataclass(frozen=True, slots=True)
class Latency:
    """A distribution of seconds, every draw cut at :data:`MAX_SECONDS`.

    ``mean`` is in seconds. ``sigma`` is, for ``lognormal`` the standard deviation of the logarithm
    (no unit), for ``gamma`` the standard deviation, for ``uniform`` half the width (both seconds);
    ``constant`` has none.
    """

    mean: float
    distribution: str = "constant"
    sigma: float = 0.0

    def draw(self, rng: Random) -> float:
        """One draw in seconds; ``rng`` is left alone where nothing is random."""
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

    def scaled(self, factor: float) -> Latency:
        """The same shape, ``factor`` times as long."""
        sigma = self.sigma if self.distribution == "lognormal" else self.sigma * factor
        return Latency(self.mean * factor, self.distribution, sigma)

    @classmethod
    def from_dict(cls, data: object, where: str = "latency") -> Latency:
        """Raises :class:`FieldError`."""
        fields = f.mapping(data, where, ("distribution", "mean", "sigma"))
        if "mean" not in fields:
            raise FieldError(f"{where}.mean: missing; seconds, 0 to {MAX_SECONDS:g}")
        return cls(
            mean=f.number(fields["mean"], f"{where}.mean", 0.0, MAX_SECONDS),
            distribution=f.choice(
                fields.get("distribution", "constant"), f"{where}.distribution", DISTRIBUTIONS
            ),
            sigma=f.number(fields.get("sigma", 0.0), f"{where}.sigma", 0.0, MAX_SECONDS),
        )

    def to_dict(self) -> dict[str, Any]:
        return {"distribution": self.distribution, "mean": self.mean, "sigma": self.sigma}
