"""What Locust leaves open about its workers: that they end, may be slow, and have a last word."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Any

from gevent.event import Event
from locust import runners
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when the one that forked it is gone."""
SILENCE = 20
"""Seconds without a word from a worker after which it counts as lost. Locust's own are 3, and on a
busy machine that ends tests of which nothing is wrong."""
LAST_WORD_SECONDS = 10.0
"""What workers may take to report beyond the time that their users have to stop."""
FINISH, FINISHED = "beskar7-finish", "beskar7-finished"
"""The master's message to its workers, and theirs to it when their last figures are on the way."""


def look_after_workers() -> None:
    """To be called once, before Locust forks those of ``--processes``.

    A master that ends before its workers have reached it leaves them behind, and one that is
    killed leaves all of them: on Linux they hear of it as of SIGTERM, and end in order.
    """
    runners.HEARTBEAT_LIVENESS = SILENCE // runners.HEARTBEAT_INTERVAL
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        os.register_at_fork(
            after_in_child=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        )


class LastFigures:
    """Those of a distributed test. Locust's master waits half a second for them when it quits, and
    users who give their machines back take longer."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._due: set[str] = set()
        """Workers that have not yet had their last word."""
        self._all_in = Event()
        runner = environment.runner
        if isinstance(runner, MasterRunner):
            runner.register_message(FINISHED, self._finished)
        elif isinstance(runner, WorkerRunner):
            # It waits for the users, while the worker goes on hearing its master.
            runner.register_message(FINISH, lambda **_: self.send(), concurrent=True)

    def collect(self) -> None:
        """On the master: have the workers stop their users and report, and wait for that.

        For as long as users may take to stop, and LAST_WORD_SECONDS; who is lost is not waited for.
        """
        runner = self._environment.runner
        # Locust stops a test once more from the task that hears workers when the last of them
        # quits meanwhile. If that waited, nobody would be heard.
        if not isinstance(runner, MasterRunner) or self._due:
            return
        clients = runner.clients
        self._due = {each.id for each in clients.ready + clients.spawning + clients.running}
        if not self._due:
            return
        self._all_in.clear()
        runner.send_message(FINISH)
        self._all_in.wait((self._environment.stop_timeout or 0.0) + LAST_WORD_SECONDS)
        self._due.clear()

    def send(self) -> None:
        """On a worker: stop the users, and send what was not yet reported."""
        runner = self._environment.runner
        assert isinstance(runner, WorkerRunner), "only workers report"
        runner.stop()
        data: dict[str, Any] = {}
        events: Any = self._environment.events
        events.report_to_master.fire(client_id=runner.client_id, data=data)
        runner.send_message("stats", data)
        runner.send_message(FINISHED)

    def _finished(self, msg: Any, **_: Any) -> None:
        self._due.discard(msg.node_id)
        if not self._due:
            self._all_in.set()
