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

    def tick(self) -> tuple[int, float] | None:
        """Users and how many of them come a second; None once everything is done."""
        session, made = self.session, self.session.shape
        assert made is not None, "Locust asks for a shape that nobody chose"
        elapsed = session.elapsed()
        begun = session.recorder.lives["begun"]
        asking = made.steps[-1].at if made.lives == ONCE else made.seconds
        # Late by a round of everything that a user waits for: something hangs that must not.
        limit = asking + 2 * session.longest_life
        if (begun and session.over(made)) or elapsed > limit:
            return None
        step = made.users_at(elapsed)
        return step.users + self.others, step.rate + self.others
