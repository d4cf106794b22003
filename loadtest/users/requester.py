"""Who asks for machines, waits until they run, keeps them a while and gives them back."""

from __future__ import annotations

import itertools
from typing import ClassVar

import gevent
from locust import task

from loadtest.api import ApiError, Unreachable
from loadtest.lifecycle import Lifecycle
from loadtest.shapes import ONCE, PACED
from loadtest.users.base import ClusterUser

LATE = "late"
"""Outcome: an appointment that was kept later than ``LATE_SECONDS``, as all users were busy."""
LATE_SECONDS = 0.1
REST = 7 * 24 * 3600.0
"""Seconds: until the test ends."""


class MachineRequester(ClusterUser):
    """What it does with one life after the other, its shape says; without one it begins again.

    All waiting is between its tasks, where Locust may end a user at once.
    """

    _appointments: ClassVar[itertools.count[int]] = itertools.count()
    """Of this process; one of several workers takes every so-manieth."""

    def on_start(self) -> None:
        super().on_start()
        session = self.session
        self._pause = 0.0
        self._due: float | None = None
        """The appointment that is still to come, in seconds from the test's start."""
        self.lifecycle = Lifecycle(
            self.api,
            session.settings,
            session.ledger,
            session,
            sleep=gevent.sleep,
            keep=self._keep,
        )

    def _keep(self, seconds: float) -> None:
        """Nobody keeps a machine while the test is being stopped."""
        session = self.session
        if session.shape is not None and session.shape.together:
            session.released.wait()
        session.stopping.wait(seconds)

    def wait_time(self) -> float:
        return self._pause

    @task
    def live(self) -> None:
        made = self.session.shape
        if self.session.stopping.is_set():
            self._pause = REST
        elif made is not None and made.lives == PACED:
            self._keep_appointment(made.pace)
        elif not self.session.asking:
            self._pause = REST
        else:
            self._live()
            if made is not None and made.lives == ONCE:
                self._pause = REST

    def _keep_appointment(self, pace: float) -> None:
        """Be there in time for the next that nobody has. A machine's times count from then on."""
        session = self.session
        due = self._next_due(pace) if self._due is None else self._due
        early = due - session.elapsed()
        if session.shape is None or due >= session.shape.seconds:
            self._pause = REST
        elif early > 0.0:
            self._due, self._pause = due, early
        else:
            self._due, self._pause = None, 0.0
            if -early > LATE_SECONDS:
                session.outcome(LATE)
            self._live(-early)

    def _next_due(self, pace: float) -> float:
        index = max(0, getattr(self.environment.runner, "worker_index", 0))
        return (next(self._appointments) * self.session.workers + index) / pace

    def _live(self, late: float = 0.0) -> None:
        try:
            self.lifecycle.run(self.session.next_name(), late)
        except (ApiError, Unreachable) as error:
            self.refused(error)
