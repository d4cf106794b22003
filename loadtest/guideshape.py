"""Locust's view of a shape: how many users there are now, and when the test is over."""

from __future__ import annotations

from typing import ClassVar

from locust import LoadTestShape

from loadtest.session import Session
from loadtest.shapes import ONCE


class ChosenShape(LoadTestShape):
    """The shape of ``--shape``. ``session`` is set before it is asked."""

    session: ClassVar[Session]
    others: ClassVar[int] = 0
    """Users beside the requesters, for all of the time."""
    _now: tuple[int, float] | None = None

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them come a second; None once everything is done."""
        session, made = self.session, self.session.shape
        assert made is not None, "Locust asks for a shape that nobody chose"
        if session.stopping.is_set():
            # The master waits for its workers' last figures, and nobody is to come any more.
            return self._now
        elapsed = session.elapsed()
        begun = session.recorder.lives["begun"]
        asking = made.steps[-1].at if made.lives == ONCE else made.seconds
        # Late by a round of everything that a user waits for: something hangs that must not.
        limit = asking + 2 * session.longest_life
        if (begun and session.over(made)) or elapsed > limit:
            return None
        step = made.users_at(elapsed)
        self._now = step.users + self.others, step.rate + self.others
        return self._now
