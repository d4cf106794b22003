"""The manager: contend for leadership, and reconcile while it is held."""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.kinds import Kind
from beskar7.claim_leadership import ClaimLeadership
from beskar7.config import LeaseSettings, Tuning
from beskar7.configuration import Configuration
from beskar7.elections import elector
from beskar7.kube.events import EventRecorder
from beskar7.kube.leases import LeaderElector
from beskar7.kube.port import Kube
from beskar7.metrics import Metrics
from beskar7.redfish.port import BmcConnector
from beskar7.runtime import Deadline, Event, Runtime
from beskar7.settings import ManagerSettings
from beskar7.term import MANAGER_LEASE, Term
from beskar7.tracing import Tracer

log = logging.getLogger(__name__)


class Manager:
    """One manager process.

    ``patient``: a client that gives a request up after so many seconds; elections need one that
    does so well within the lease's renewDeadline. None: ``kube`` does.
    """

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        connector: Callable[[Callable[[], Tuning]], BmcConnector],
        settings: ManagerSettings,
        *,
        patient: Callable[[float], Kube] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.metrics = Metrics()
        self._runtime = runtime
        self._kube = kube
        self._connector = connector
        self._settings = settings
        self._tracer = tracer
        self._patient = patient or (lambda _: kube)
        self._term: Term | None = None
        self._first_term = True
        self._told: dict[Kind, int] = {}
        """What its terms' caches were told, see :class:`Reflector`."""
        self._stopping = False
        self._recorder = EventRecorder(kube, runtime, "beskar7-manager", settings.identity)
        self.configuration = Configuration(
            runtime, kube, settings, self._recorder, self.metrics, lambda: self.leading
        )
        self._elector: LeaderElector | None = None
        self.metrics.leader.labels(settings.identity).set(0)
        self._claim_leadership = (
            ClaimLeadership(
                runtime,
                kube,
                self._election_kube(settings.claim_lease),
                settings,
                settings.claim_lease,
                self.metrics,
                self._recorder,
                lambda: self.configuration.tuning,
            )
            if settings.claim_lease
            else None
        )

    @property
    def leading(self) -> bool:
        return self._term is not None and (self._elector is None or self._elector.is_leader())

    @property
    def hands_over(self) -> bool:
        """Whether claims are handed over to an elected coordinator."""
        return self._claim_leadership is not None

    @property
    def ready(self) -> bool:
        """A leader that reconciles, or a follower that knows its leader."""
        term = self._term
        if term is not None:
            return term.ready
        return self._elector is not None and bool(self._elector.leader())

    def run(self, stop: Event) -> None:
        """Until ``stop`` is set; then finish what runs, within the shutdown timeout."""
        self._recorder.start()
        self.configuration.start()
        if self._claim_leadership is not None:
            self._claim_leadership.start()
        if self._settings.leader_elect:
            log.info("manager %s contends for %s", self._settings.identity, MANAGER_LEASE)
            self._elector = self._new_elector()
            self._elector.start()
        else:
            # BMC exclusivity and cooldowns are kept by the one manager that reconciles.
            log.warning("no leader election: this has to be the only manager of its hosts")
            self._begin()
        stop.wait()
        log.info("manager %s stops", self._settings.identity)
        self._stopping = True
        deadline = Deadline(self._runtime, self._settings.shutdown_timeout)
        if self._elector is not None:
            self._elector.stop(self._settings.shutdown_timeout)
        else:
            self._end()
        if self._claim_leadership is not None:
            self._claim_leadership.stop(max(1.0, deadline.remaining() or 0.0))
        self.configuration.stop(1.0)
        self._recorder.stop(1.0)

    def _election_kube(self, lease: LeaseSettings) -> Kube:
        return self._patient(lease.renew_deadline / 2)

    def _new_elector(self) -> LeaderElector:
        """With the times that are set now; an election keeps those that it began with."""
        lease = self.configuration.tuning.lease
        return elector(
            self._runtime,
            self._election_kube(lease),
            self._settings,
            MANAGER_LEASE,
            lease,
            self._recorder,
            self.metrics,
            self._begin,
            self._end,
        )

    def _begin(self) -> None:
        holds = _always if self._elector is None else self._elector.is_leader
        claims = self._claim_leadership
        self._term = Term(
            self._runtime,
            self._kube,
            self._connector,
            self._settings,
            self.metrics,
            self.configuration,
            holds,
            claims.leadership if claims is not None else None,
            self._tracer,
            first=self._first_term,
            told=self._told,
        )
        self._first_term = False
        self.metrics.leader.labels(self._settings.identity).set(1)
        self._term.start()

    def _end(self) -> None:
        term, self._term = self._term, None
        self.metrics.leader.labels(self._settings.identity).set(0)
        # A manager that stops keeps its lease until its last call is over.
        lost = not self._stopping
        if term is not None and not term.stop(self._settings.shutdown_timeout * 0.8, lost=lost):
            log.warning("work was still running when the term ended; it is fenced")


def _always() -> bool:
    return True
