"""A page in Locust's own web UI: conflicts, queue and hosts, as they are now."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import gevent
from flask import Response, jsonify
from locust.env import Environment

from loadtest.api import ApiError, Unreachable, path
from loadtest.lifecycle import HOSTS, TIME_TO_CLAIM, TIME_TO_PROVISIONED
from loadtest.metrics import QUEUE_LENGTH, totals
from loadtest.session import Session

HTML = Path(__file__).with_name("page.html")
EVERY = 2.0
"""Seconds between two looks; however many browsers watch, the cluster is asked once."""
KEPT = 900
"""Looks that are kept: half an hour."""


class Figures:
    """What the page shows. One greenlet looks, the page reads what it saw."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._api = session.connect()
        self.rows: list[dict[str, Any]] = []

    def watch(self) -> None:
        """Look now and then, for as long as the greenlet lives."""
        while True:
            self.rows.append(self._look())
            del self.rows[:-KEPT]
            gevent.sleep(EVERY)

    def _look(self) -> dict[str, Any]:
        recorder = self._session.recorder
        attempts = self._session.attempts.since_start()
        tried = None if attempts is None else sum(attempts.values())
        conflicts = None if attempts is None else attempts["conflict"]
        return {
            "time": round(time.time(), 1),
            "attempts": tried,
            "conflicts": conflicts,
            "conflict_ratio": conflicts / tried if tried and conflicts is not None else None,
            "queue": self._queue(),
            "hosts": self._hosts(),
            "claimed": recorder.succeeded[TIME_TO_CLAIM],
            "provisioned": recorder.succeeded[TIME_TO_PROVISIONED],
            "broken": recorder.failed.total(),
            "saturated": recorder.saturated,
        }

    def _queue(self) -> int | None:
        texts = self._session.managers().values()
        known = [totals(text, QUEUE_LENGTH, "namespace") for text in texts]
        return sum(found.total() for found in known) if known else None

    def _hosts(self) -> dict[str, int] | None:
        try:
            listed = self._api.get(path(self._session.settings.namespace, HOSTS))
        except (ApiError, Unreachable):
            return None
        states = Counter(
            str((host.get("status") or {}).get("state") or "New")
            for host in listed.get("items") or []
        )
        return dict(sorted(states.items()))


def add_page(environment: Environment, session: Session) -> None:
    """Serve ``/beskar7`` and ``/beskar7/figures`` beside Locust's own pages."""
    ui = environment.web_ui
    if ui is None or ui.app is None:
        return
    figures = Figures(session)
    gevent.spawn(figures.watch)

    def page() -> Response:
        return Response(HTML.read_text(encoding="utf-8"), mimetype="text/html")

    def rows() -> Response:
        found: Response = jsonify(figures.rows)
        return found

    ui.app.add_url_rule("/beskar7", "beskar7", ui.auth_required_if_enabled(page))
    ui.app.add_url_rule("/beskar7/figures", "beskar7_figures", ui.auth_required_if_enabled(rows))
