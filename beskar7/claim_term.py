"""One term of claim leadership: caches of its own, and the coordinator on them.

Other managers than the one that reconciles may hold it, so it shares nothing with
:mod:`beskar7.term`. What is left of a past term is refused its writes on this side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.kinds import HOST_CLAIM, PHYSICAL_HOST
from beskar7.api.resources import PhysicalHost
from beskar7.config import Tuning
from beskar7.controllers.claim_coordinator import ClaimCoordinator
from beskar7.controllers.claim_protocol import ClaimProtocol
from beskar7.controllers.environment import Environment
from beskar7.coordination.hostpool import HostPool
from beskar7.kube.events import EventRecorder
from beskar7.kube.informers import SharedCaches, WriteThroughKube
from beskar7.kube.port import Kube, Object
from beskar7.metrics import Metrics
from beskar7.runtime import Runtime
from beskar7.settings import ManagerSettings
from beskar7.term import SYNC_WARNING, LeadershipLost
from beskar7.views import ClaimViews

log = logging.getLogger(__name__)

CLAIM_LEASE = "beskar7-claim-coordinator-leader"
WORKERS = 10
"""Claims that are written at once: as many as the reconcilers of a manager (facts section 7)."""


class ClaimTerm:
    """``holds`` tells whether claim leadership is certain now; ``number`` is the term's."""

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        settings: ManagerSettings,
        metrics: Metrics,
        tuning: Callable[[], Tuning],
        holds: Callable[[], bool],
        number: Callable[[], int],
    ) -> None:
        self._runtime = runtime
        self._holds = holds
        self._over = False
        owner = f"{settings.identity}/claims"
        self._caches = SharedCaches(kube, runtime, owner=owner)
        self._recorder = EventRecorder(
            kube, runtime, "beskar7-claim-coordinator", settings.identity
        )
        views = ClaimViews(self._caches)
        self._hosts = self._caches.cache(PHYSICAL_HOST)
        self._claims = self._caches.cache(HOST_CLAIM)
        self._pool = HostPool(runtime, views.host)
        env = Environment(
            runtime=runtime,
            kube=WriteThroughKube(kube, self._caches, self._fence),
            recorder=self._recorder,
            metrics=metrics,
            tuning=tuning,
            observe=self._caches.observe,
        )
        self.coordinator = ClaimCoordinator(
            env,
            ClaimProtocol(env, settings.identity, number),
            self._pool,
            views.claim,
            views.host,
            WORKERS,
        )
        self._hosts.on_change(self._host_changed)
        self._claims.on_change(self.coordinator.claim_changed)

    def start(self) -> None:
        """Fill the caches, then begin to serve. Returns early when the term ends before."""
        self._recorder.start()
        self._caches.start()
        while not self._caches.wait_synced(SYNC_WARNING):
            if not self._holds():
                return
            for kind, reason in self._caches.unsynced().items():
                log.warning("claim coordinator: cannot list %s: %s", kind, reason)
        log.info("coordinating %d claims on %d hosts", len(self._claims), len(self._hosts))
        self.coordinator.start()

    def stop(self, timeout: float) -> bool:
        """Let finish what is being written; False when ``timeout`` seconds came first."""
        end = self._runtime.now() + timeout
        finished = self.coordinator.stop(timeout)
        self._over = True
        for part in (self._recorder, self._caches):
            part.stop(max(0.0, min(2.0, end - self._runtime.now())))
        return finished

    def _fence(self) -> None:
        if self._over or not self._holds():
            raise LeadershipLost

    def _host_changed(self, old: Object | None, new: Object | None) -> None:
        key = PhysicalHost(new or old or {}).key
        if self._pool.update(key, None if new is None else PhysicalHost(new)):
            self.coordinator.host_freed()
