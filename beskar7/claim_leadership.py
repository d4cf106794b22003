"""Contends for the claim coordinator's lease, and coordinates while it is held.

Every manager does, whether or not it is the one that reconciles, under its own identity, and
again after every loss.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from prometheus_client import Counter

from beskar7.claim_term import CLAIM_LEASE, ClaimTerm
from beskar7.config import LeaseSettings, Tuning
from beskar7.controllers.handover import Leadership
from beskar7.elections import elector
from beskar7.kube.port import Kube
from beskar7.kube.recorder import Recorder
from beskar7.metrics import Metrics
from beskar7.runtime import Runtime
from beskar7.settings import ManagerSettings

log = logging.getLogger(__name__)

LEADERSHIP_EVENTS = ("started_leading", "stopped_leading")
"""Counted from 0 when a process begins: a counter that begins at 1 shows no increase."""


class ClaimLeadership:
    """Raises ValueError when the times of ``lease`` do not fit together."""

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        election_kube: Kube,
        settings: ManagerSettings,
        lease: LeaseSettings,
        metrics: Metrics,
        recorder: Recorder,
        tuning: Callable[[], Tuning],
    ) -> None:
        self._runtime = runtime
        self._kube = kube
        self._settings = settings
        self._metrics = metrics
        self._tuning = tuning
        self._term: ClaimTerm | None = None
        self._began = 0.0
        self._elector = elector(
            runtime,
            election_kube,
            settings,
            CLAIM_LEASE,
            lease,
            recorder,
            metrics,
            self._begin,
            self._end,
        )
        self.leadership = Leadership(self._elector.vacant, lease.renew_deadline)
        for event in LEADERSHIP_EVENTS:
            self._elections(event)
        metrics.claim_leadership.labels(settings.namespace, settings.identity).set_function(
            lambda: self._runtime.now() - self._began if self._term is not None else 0.0
        )

    def start(self) -> None:
        log.info("manager %s contends for %s", self._settings.identity, CLAIM_LEASE)
        self._elector.start()

    def stop(self, timeout: float) -> bool:
        """Give the lease up when what was being written has ended within ``timeout`` seconds."""
        return self._elector.stop(timeout)

    def _begin(self) -> None:
        self._elections("started_leading").inc()
        self._began = self._runtime.now()
        self._term = ClaimTerm(
            self._runtime,
            self._kube,
            self._settings,
            self._metrics,
            self._tuning,
            self._elector.is_leader,
            self._elector.transitions,
        )
        self._term.start()

    def _end(self) -> None:
        self._elections("stopped_leading").inc()
        term, self._term = self._term, None
        if term is not None and not term.stop(self._settings.shutdown_timeout * 0.4):
            log.warning("claims were still being written when the term ended; it is fenced")

    def _elections(self, event: str) -> Counter:
        return self._metrics.claim_elections.labels(self._settings.namespace, event)
