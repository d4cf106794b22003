"""Who lets managers die: by the API alone, so that it works on any cluster it is let loose on."""

from __future__ import annotations

import gevent
from locust import task

from loadtest.api import ApiError, Unreachable
from loadtest.managers import LIST, PODS, living
from loadtest.users.base import ClusterUser


class Chaos(ClusterUser):
    """Deletes a pod of the managers every ``--chaos-every`` seconds, each in its turn.

    A pod without grace ends as by SIGKILL: a crash, and no orderly hand-over.
    """

    def on_start(self) -> None:
        super().on_start()
        options = self.environment.parsed_options
        self._every: float = options.chaos_every
        self._killed: set[str] = set()

    @task
    def kill_one(self) -> None:
        gevent.sleep(self._every)
        if not self.session.asking:
            return
        listed = self.timed("list pods", lambda: self.api.get(LIST))
        names = [pod["metadata"]["name"] for pod in living(listed or {})]
        fresh = [name for name in names if name not in self._killed]
        if not names:
            self.session.outcome("no manager's pod to kill")
            return
        victim = sorted(fresh or names)[0]
        self._killed.add(victim)
        try:
            self.api.delete(f"{PODS}/{victim}?gracePeriodSeconds=0")
            self.session.outcome("managers killed")
        except (ApiError, Unreachable):
            self.session.outcome("manager could not be killed")
