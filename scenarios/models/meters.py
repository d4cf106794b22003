"""What a run of a model is measured by: numbers over time, and Little's law on them."""

from __future__ import annotations

import simpy


class Meter:
    """Counts who is inside over time. Little's law has to hold for it, whatever is inside.

    ``area`` is the integral of the number over time (jobs x seconds), which is also the sum of all
    times spent inside up to now: the finite form of L = lambda W (Stidham 1974), exact at any
    moment if each job's time is kept. Whoever keeps these calls :meth:`agrees`.
    """

    __slots__ = ("_area", "_env", "_since", "inside", "most")

    def __init__(self, env: simpy.Environment) -> None:
        self._env = env
        self._since = env.now
        self._area = 0.0
        self.inside = 0
        self.most = 0

    def enter(self, count: int = 1) -> None:
        self._advance()
        self.inside += count
        if self.inside > self.most:
            self.most = self.inside

    def leave(self, count: int = 1) -> None:
        self._advance()
        self.inside -= count

    @property
    def area(self) -> float:
        self._advance()
        return self._area

    def mean(self, seconds: float) -> float:
        """The mean number inside over the last ``seconds``, if it was made then."""
        return self.area / seconds if seconds > 0 else 0.0

    def agrees(self, spent: float) -> bool:
        """Whether ``spent``, the sum of all times inside up to now (seconds), is what was seen.

        Within what adding floats in another order costs.
        """
        return abs(self.area - spent) <= 1e-9 * max(1.0, self._area, spent)

    def _advance(self) -> None:
        now = self._env.now
        self._area += self.inside * (now - self._since)
        self._since = now
