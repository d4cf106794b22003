"""What all users of a test have in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import gevent
from locust import User, constant

from loadtest.api import ApiError, Unreachable
from loadtest.session import Session

PAUSE_AFTER_REFUSAL = 1.0
"""Seconds a user waits when the API server is not there or is busy."""


class ClusterUser(User):
    """A user of the Kubernetes API. ``session`` is set before the first of them is made."""

    abstract = True
    wait_time = constant(0)
    session: ClassVar[Session]

    def on_start(self) -> None:
        self.api = self.session.connect()

    def on_stop(self) -> None:
        self.api.close()

    def timed(self, name: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """One call, in Locust's statistics under ``name``; None where it failed."""
        began = time.monotonic()
        error: Exception | None = None
        answer = None
        try:
            answer = call()
        except (ApiError, Unreachable) as failed:
            error = failed
        self.session.tell_locust("api", name, time.monotonic() - began, error)
        if error is not None:
            self.refused(error)
        return answer

    def refused(self, error: Exception) -> None:
        """Wait a little where it may pass, and end the test where it never will."""
        if isinstance(error, Unreachable):
            self.session.outcome("API server not reachable")
        elif isinstance(error, ApiError) and (error.code == 429 or error.code >= 500):
            self.session.outcome(f"API server answered {error.code}")
        else:
            self.session.give_up(f"the API server refuses: {error}")
        gevent.sleep(PAUSE_AFTER_REFUSAL)
