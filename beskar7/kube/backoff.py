"""Exponential backoff with jitter."""

from __future__ import annotations

from dataclasses import dataclass

from beskar7.runtime import Random


@dataclass(frozen=True, slots=True)
class Exponential:
    """``base * factor**failures``, at most ``maximum`` (seconds), less up to ``jitter`` of itself.

    The jitter only shortens, so ``maximum`` holds.
    """

    base: float
    maximum: float
    factor: float = 2.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        if not 0 < self.base <= self.maximum:
            raise ValueError(f"backoff: 0 < base ({self.base}) <= maximum ({self.maximum}) fails")
        if self.factor < 1 or not 0 <= self.jitter < 1:
            raise ValueError(
                f"backoff: factor ({self.factor}) must be at least 1, "
                f"jitter ({self.jitter}) from 0 to less than 1"
            )

    def delay(self, failures: int, rng: Random) -> float:
        """Seconds to wait after so many earlier failures (0: this is the first)."""
        # A float overflows at about 2**1024; long before that the maximum has won.
        raw = min(self.maximum, self.base * self.factor ** min(failures, 64))
        return raw * (1 - self.jitter * rng.random())


class Backoff:
    """The state of one retried activity."""

    def __init__(self, policy: Exponential, rng: Random) -> None:
        self._policy = policy
        self._rng = rng
        self.failures = 0

    def next(self) -> float:
        """Count a failure; the seconds to wait after it."""
        delay = self._policy.delay(self.failures, self._rng)
        self.failures += 1
        return delay

    def reset(self) -> None:
        self.failures = 0
