"""The circuit breaker of one BMC: whether it answers, and when it is tried again if not.

A state machine without clock or randomness; :mod:`beskar7.coordination.queue` drives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class CircuitState(StrEnum):
    """Closed: operations pass. Open: none does until its time. Half-open: one tries."""

    CLOSED = "closed"
    HALF_OPEN = "half-open"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """``threshold`` operations in a row that got no answer open the circuit; 0: none do.

    ``delay(bmc, trials)`` is how many seconds it then stays open, after so many trials that
    failed (0: it has just opened).
    """

    threshold: int = 3
    delay: Callable[[str, int], float] = lambda bmc, trials: min(60.0, 5.0 * 2.0 ** min(trials, 8))


@dataclass(slots=True)
class Circuit:
    """``failures``: operations in a row that got no answer from ``bmc``."""

    bmc: str
    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    retry_at: float = float("-inf")

    @property
    def suspect(self) -> bool:
        """Its last operation got no answer: what follows must not hold up other BMCs' work."""
        return self.failures > 0

    def begin(self) -> None:
        """An operation starts; on an open circuit it is the trial."""
        if self.state is CircuitState.OPEN:
            self.state = CircuitState.HALF_OPEN

    def answered(self) -> None:
        """The BMC is there."""
        self.state = CircuitState.CLOSED
        self.failures = 0
        self.retry_at = float("-inf")

    def failed(self, now: float, policy: CircuitPolicy) -> None:
        """The operation got no answer."""
        self.failures += 1
        if policy.threshold and self.failures >= policy.threshold:
            self.state = CircuitState.OPEN
            self.retry_at = now + policy.delay(self.bmc, self.failures - policy.threshold)
        else:
            self.state = CircuitState.CLOSED

    def undecided(self) -> None:
        """The operation ended without a word about the BMC: the next one is the trial."""
        if self.state is CircuitState.HALF_OPEN:
            self.state = CircuitState.OPEN
