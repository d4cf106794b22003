"""One term of leadership: caches, queues and reconcilers that live from election to loss.

A term is never reused. What is left of a past one (a worker that hangs on a BMC) is fenced: its
writes to the API and to BMCs are refused on this side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from beskar7.api.errors import ApiError, Conflict, NotFound
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    CAPI_CLUSTER,
    HOST_CLAIM,
    LEASE,
    PHYSICAL_HOST,
    SECRET,
    Kind,
)
from beskar7.api.meta import ObjectKey, View
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.census import Census
from beskar7.config import Tuning
from beskar7.configuration import Configuration
from beskar7.controllers.bmc_requests import BmcRequests
from beskar7.controllers.claim_protocol import ClaimProtocol
from beskar7.controllers.claims import Claims
from beskar7.controllers.clusters import ClusterControllers
from beskar7.controllers.environment import Environment
from beskar7.controllers.handover import Handover, Leadership
from beskar7.controllers.host import HostReconciler
from beskar7.controllers.machine import MachineReconciler
from beskar7.controllers.security import SecurityMonitor
from beskar7.controllers.underway import FOLLOW_UP_PRIORITY, ClaimsUnderWay, claimant, is_new
from beskar7.controllers.waiting import WaitingMachines
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.kube.controller import Controller, Reconcile, Request, Result, TemporaryError
from beskar7.kube.events import EventRecorder
from beskar7.kube.informers import SharedCaches, WriteThroughKube
from beskar7.kube.port import Kube, Object
from beskar7.metrics import Metrics
from beskar7.reconcile_log import ReconcileLog
from beskar7.redfish.port import BmcConnector
from beskar7.runtime import Deadline, Runtime
from beskar7.settings import ManagerSettings
from beskar7.timeouts import check_time, within
from beskar7.tracing import NoTracer, Tracer, about
from beskar7.views import Views, consumer_of

log = logging.getLogger(__name__)

MANAGER_LEASE = "beskar7-controller-manager"
SYNC_WARNING = 10.0
"""Seconds between words about caches that cannot be filled."""


RESYNC_PRIORITY = -200
"""Behind all else, even the first list's backlog."""


class LeadershipLost(TemporaryError):
    """This term is over: nothing may be written in its name any more."""

    def __init__(self) -> None:
        super().__init__("another manager may lead by now", delay=1.0)


class Term:
    """``holds`` tells whether leadership is certain at this moment.

    ``first``: this process has not led before. ``claim_leadership``: how the claim coordinator is
    led; None: machines claim for themselves.
    """

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        connector: Callable[[Callable[[], Tuning]], BmcConnector],
        settings: ManagerSettings,
        metrics: Metrics,
        configuration: Configuration,
        holds: Callable[[], bool],
        claim_leadership: Leadership | None = None,
        tracer: Tracer | None = None,
        *,
        first: bool = True,
        told: dict[Kind, int] | None = None,
    ) -> None:
        """``told`` as for :class:`Reflector`, from this manager's terms before."""
        self._runtime = runtime
        self._kube = kube
        self._first = first
        self._settings = settings
        self._metrics = metrics
        self._holds = holds
        self._over = False
        self._ending = runtime.event()
        """Set: what runs by the clock has to stop."""
        self._configuration = configuration
        self.ready = False
        self._caches = SharedCaches(kube, runtime, owner=settings.identity, told=told)
        self._owners = SharedCaches(kube, runtime, owner=f"{settings.identity}/owners")
        """Kinds of Cluster API, which need not be installed."""
        self._recorder = EventRecorder(kube, runtime, "beskar7-controller", settings.identity)
        self._views = Views(self._caches, kube)
        self._hosts = self._caches.cache(PHYSICAL_HOST)
        self._machines = self._caches.cache(BESKAR7_MACHINE)
        self._claims = self._caches.cache(HOST_CLAIM)
        self._secrets = self._caches.cache(SECRET)
        self._env = Environment(
            runtime=runtime,
            kube=WriteThroughKube(kube, self._caches, self._fence),
            recorder=self._recorder,
            metrics=metrics,
            tuning=lambda: configuration.tuning,
            observe=self._caches.observe,
            tracer=tracer or NoTracer(),
        )
        self._census = Census(metrics.controllers)
        self._reconciles = ReconcileLog(
            runtime, metrics.controllers, lambda: configuration.tuning.metrics_interval
        )
        self._pool = HostPool(runtime, self._views.host)
        self._waiting = WaitingMachines(
            runtime, self._fits, self._queue_machine, self._count_waiting
        )
        self._requests = BmcRequests(
            self._env,
            connector(lambda: configuration.tuning),
            self._views.secret,
            self._fence,
            lambda host: self._host_controller.queue.add(host),
        )
        self._host_reconciler = HostReconciler(
            self._env,
            self._requests,
            self._views.host,
            self._views.machine,
            stuck_timeout=settings.stuck_state_timeout,
        )
        claims = Claims(
            self._env,
            self._pool,
            self._views.hosts_of,
            self._requests.revoke,
            self._caches.newest,
        )
        handover = Handover(
            self._env,
            ClaimProtocol(self._env, settings.identity, lambda: 0),
            self._pool,
            self._views.claim,
            self._views.host,
            claims.owned,
            claim_leadership,
        )
        self._under_way = ClaimsUnderWay(runtime)
        self._machine_reconciler = MachineReconciler(
            self._env,
            claims,
            handover,
            self._pool,
            self._waiting,
            self._under_way,
            self._views.machine,
            lambda machine: self._cluster_controllers.owner_of(machine),
            require_owner=settings.require_owner_machine,
        )
        self._host_controller = self._controller(PHYSICAL_HOST, self._host_reconciler.reconcile)
        self._machine_controller = self._controller(
            BESKAR7_MACHINE, self._machine_reconciler.reconcile
        )
        self._cluster_controllers = ClusterControllers(
            self._env,
            self._caches,
            self._owners,
            self._controller,
            self._queue_machine,
            require_owner=settings.require_owner_machine,
        )
        self._controllers = (
            self._machine_controller,
            self._host_controller,
            self._cluster_controllers.clusters,
            self._cluster_controllers.templates,
        )
        self._wire()

    def _controller(self, kind: Kind, reconcile: Reconcile) -> Controller:
        name = kind.kind.lower()

        def bounded(request: Request) -> Result:
            timeout = self._configuration.tuning.reconcile_timeout
            limit = Deadline(self._runtime, timeout, f"reconcile of {name} {request}")
            with about(**self._views.subject(name, request)), within(limit):
                try:
                    return reconcile(request)
                except Conflict:
                    self._env.look_again(kind, request)
                    raise

        return Controller(
            self._runtime,
            f"{name}/{self._settings.identity}",
            bounded,
            workers=self._configuration.tuning.max_concurrent_reconciles,
            patience=self._settings.max_retries,
            observe=lambda request, outcome, seconds, reason: self._reconciles.observe(
                name, request, outcome, seconds, reason
            ),
        )

    def _wire(self) -> None:
        """Which change wakes which reconcile."""
        # Before the reconcilers hear of a host, the pool knows it.
        self._hosts.on_change(self._host_changed)
        self._hosts.on_change(self._census.host_changed)
        self._machines.on_change(self._census.machine_changed)
        self._caches.cache(BESKAR7_CLUSTER).on_change(self._census.cluster_changed)
        self._host_controller.watch(
            self._hosts, delay=self._under_way.delays(self._host_controller)
        )
        self._machines.on_change(self._machine_changed)
        self._machine_controller.watch(self._machines)
        later = self._under_way.delays(self._machine_controller)
        self._machine_controller.watch(
            self._hosts, consumer_of, priority=FOLLOW_UP_PRIORITY, delay=later
        )
        self._machine_controller.watch(self._claims, priority=FOLLOW_UP_PRIORITY, delay=later)
        self._secrets.on_change(self._secret_changed)

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Fill the caches, then begin to reconcile. Returns early when the term ends before."""
        self._recorder.start()
        self._caches.start()
        self._owners.start()
        needed = [self._caches]
        if self._cluster_api_installed():
            needed.append(self._owners)
        while not all(caches.wait_synced(SYNC_WARNING) for caches in needed):
            if not self._holds():
                return
            missing = {kind: why for caches in needed for kind, why in caches.unsynced().items()}
            for kind, reason in missing.items():
                log.warning("cannot list %s: %s", kind, reason)
        self._configuration.subscribe(self._retune)
        self._retune(self._configuration.tuning)
        self._requests.pool.start(after_takeover=self._somebody_led_before())
        for controller in self._controllers:
            controller.start()
        by_the_clock: dict[str, Callable[[], None]] = {
            "resync": self._reconcile_all,
            "reconcile-log": lambda: self._reconciles.report_until(self._ending),
        }
        if self._settings.security_monitoring:
            monitor = SecurityMonitor(self._runtime, self._metrics, self._views.hosts, self._views)
            by_the_clock["security"] = lambda: monitor.watch_until(self._ending)
        for name, task in by_the_clock.items():
            self._runtime.spawn(task, name=f"{name}/{self._settings.identity}")
        self.ready = True
        log.info("reconciling %d hosts, %d machines", len(self._hosts), len(self._machines))

    def stop(self, timeout: float, *, lost: bool = False) -> bool:
        """Take nothing more, let finish what runs; False when ``timeout`` seconds came first.

        ``lost``: somebody else may lead soon, so that no call may stay in a BMC until then.
        """
        self.ready = False
        if lost:
            self._requests.cut()
        self._configuration.unsubscribe(self._retune)
        self._ending.set()
        end = self._runtime.now() + timeout

        def left() -> float:
            return max(0.0, end - self._runtime.now())

        for controller in self._controllers:
            controller.queue.shut_down()
        finished = self._requests.pool.stop(left())
        for controller in self._controllers:
            finished = controller.stop(left()) and finished
        self._over = True
        self._recorder.stop(min(2.0, left()))
        self._caches.stop(min(2.0, left()))
        self._owners.stop(min(2.0, left()))
        self._census.close()
        self._metrics.claims_waiting.clear()
        self._metrics.concurrency_limit.clear()
        self._requests.close()
        return finished

    def _cluster_api_installed(self) -> bool:
        """Without its kinds nothing can be paused by an owner, and nobody has to wait for them."""
        try:
            self._kube.list(CAPI_CLUSTER, self._settings.namespace)
        except NotFound:
            log.info("Cluster API is not installed: no Cluster can pause its machines")
            return False
        except ApiError as error:
            log.warning("cannot tell whether Cluster API is installed: %s", error)
        return True

    def _fence(self) -> None:
        if self._over or not self._holds():
            raise LeadershipLost
        check_time()

    def _somebody_led_before(self) -> bool:
        """Whether another process, or this one in a past term, may have touched BMCs just now."""
        if not self._settings.leader_elect or not self._first:
            return True
        try:
            lease = self._kube.get(LEASE, self._settings.lease_namespace, MANAGER_LEASE)
        except ApiError as error:
            log.warning("cannot tell who led before, so every BMC rests first: %s", error)
            return True
        if lease.get("spec", {}).get("leaseTransitions"):
            return True
        # An operator may have deleted the lease and its count with it; the hosts still tell.
        return any(host.state is not HostState.NONE for host in self._views.hosts())

    def _fits(self, namespace: str, wish: Requirements) -> int:
        algorithm = self._configuration.tuning.selection_algorithm
        return self._pool.fits(algorithm, namespace, wish)

    # --- changes ------------------------------------------------------------------------------

    def _queue_machine(self, machine: ObjectKey) -> None:
        self._machine_controller.queue.add(machine, priority=1)

    def _count_waiting(self, namespace: str, length: int) -> None:
        self._metrics.claims_waiting.labels(namespace).set(length)

    def _host_changed(self, old: Object | None, new: Object | None) -> None:
        was, now = _view(old), _view(new)
        host = now or was
        if host is not None and self._pool.update(host.key, now):
            self._waiting.wake(host.namespace)
        owner = claimant(old, new)
        if owner is not None and now is not None:
            self._machine_reconciler.settled(owner, now.consumer_uid)

    def _machine_changed(self, old: Object | None, new: Object | None) -> None:
        """A machine that is gone should have released its host; whether it did is looked at."""
        if old is None and new is not None and is_new(Beskar7Machine(new)):
            self._under_way.begin(View(new).key, View(new).uid)
        if old is not None and new is None:
            for host in self._views.hosts_of(View(old).key):
                self._host_controller.queue.add(host.key)

    def _secret_changed(self, old: Object | None, new: Object | None) -> None:
        for host in self._views.hosts_with(View(new or old or {}).key):
            self._host_reconciler.credentials_changed(host.key)
            self._host_controller.queue.add(host.key)

    def _retune(self, tuning: Tuning) -> None:
        """Take over what may change while the term lasts."""
        self._requests.reconfigure()
        # Told once it holds: who sees the 0 of a drained queue knows that nothing begins any more.
        limit = self._metrics.concurrency_limit.labels(self._settings.identity)
        limit.set(tuning.max_concurrent_ops)
        for controller in self._controllers:
            controller.resize(tuning.max_concurrent_reconciles)

    def _reconcile_all(self) -> None:
        """Every now and then, behind what has changed: a net below changes that were missed."""
        while not self._ending.wait(self._configuration.tuning.sync_period):
            for controller, cache in (
                (self._host_controller, self._hosts),
                (self._machine_controller, self._machines),
            ):
                for raw in cache.list():
                    controller.queue.add(View(raw).key, priority=RESYNC_PRIORITY)


def _view(raw: Object | None) -> PhysicalHost | None:
    return None if raw is None else PhysicalHost(raw)
