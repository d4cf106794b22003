"""Who looks on: lists machines and hosts, and describes one of them now and then."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from locust import constant, task

from loadtest.api import events_path, path
from loadtest.lifecycle import HOSTS, MACHINES
from loadtest.users.base import ClusterUser

PAGE = 500
"""Objects a list is asked for at once, as kubectl asks."""


class Operator(ClusterUser):
    """One person with kubectl: a look every two seconds."""

    wait_time = constant(2)

    def on_start(self) -> None:
        super().on_start()
        self._turn = itertools.count()

    @task(3)
    def list_machines(self) -> None:
        self._list(MACHINES)

    @task(3)
    def list_hosts(self) -> None:
        self._list(HOSTS)

    @task(1)
    def describe(self) -> None:
        """A machine with its Events, as `kubectl describe` gets them."""
        found = self._list(MACHINES)
        if not found:
            return
        name = found[next(self._turn) % len(found)]["metadata"]["name"]
        where = self.session.settings.namespace
        self.timed("get one", partial(self.api.get, path(where, MACHINES, name)))
        selector = f"involvedObject.name={name}"
        self.timed("list its events", partial(self.api.get, events_path(where, selector)))

    def _list(self, plural: str) -> list[dict[str, Any]]:
        """All objects, page by page."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            url = path(self.session.settings.namespace, plural, **query)
            answer = self.timed(f"list {plural}", partial(self.api.get, url))
            if answer is None:
                return found
            found += answer.get("items") or []
            following = (answer.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following
