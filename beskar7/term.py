"""One term of leadership: caches, queues and reconcilers that live from election to loss.

A term is never reused. What is left of a past one (a worker that hangs on a BMC) is fenced: its
writes to the API and to BMCs are refused on this side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.hostclaims import HostClaim
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CAPI_CLUSTER,
    CONFIG_MAP,
    HOST_CLAIM,
    LEASE,
    PHYSICAL_HOST,
    SECRET,
)
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import copy_json
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.config import CONFIG_MAP_NAME, ConfigError, ManagerSettings, Tuning, parse_tuning
from beskar7.controllers.bmc_requests import BmcRequests
from beskar7.controllers.claim_protocol import ClaimProtocol
from beskar7.controllers.claims import Claims
from beskar7.controllers.clusters import ClusterControllers
from beskar7.controllers.environment import Environment
from beskar7.controllers.handover import Handover, Leadership
from beskar7.controllers.host import HostReconciler
from beskar7.controllers.machine import MachineReconciler
from beskar7.controllers.waiting import WaitingMachines
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.kube.controller import Controller, TemporaryError
from beskar7.kube.events import EventRecorder
from beskar7.kube.informers import SharedCaches, WriteThroughKube
from beskar7.kube.port import Kube, Object
from beskar7.metrics import Metrics
from beskar7.redfish.port import BmcConnector
from beskar7.runtime import Runtime

log = logging.getLogger(__name__)

MANAGER_LEASE = "beskar7-controller-manager"
SYNC_WARNING = 10.0
"""Seconds between words about caches that cannot be filled."""


class LeadershipLost(TemporaryError):
    """This term is over: nothing may be written in its name any more."""

    def __init__(self) -> None:
        super().__init__("another manager may lead by now", delay=1.0)


class Term:
    """``holds`` tells whether leadership is certain at this moment.

    ``claim_leadership``: how the claim coordinator is led; None: machines claim for themselves.
    """

    def __init__(
        self,
        runtime: Runtime,
        kube: Kube,
        connector: Callable[[Callable[[], Tuning]], BmcConnector],
        settings: ManagerSettings,
        metrics: Metrics,
        holds: Callable[[], bool],
        claim_leadership: Leadership | None = None,
    ) -> None:
        self._runtime = runtime
        self._kube = kube
        self._settings = settings
        self._metrics = metrics
        self._holds = holds
        self._over = False
        self._tuning = Tuning()
        self.ready = False
        self._caches = SharedCaches(kube, runtime, owner=settings.identity)
        self._own_namespace = SharedCaches(
            kube, runtime, settings.namespace, owner=f"{settings.identity}/own"
        )
        self._owners = SharedCaches(kube, runtime, owner=f"{settings.identity}/owners")
        """Kinds of Cluster API, which need not be installed."""
        self._recorder = EventRecorder(kube, runtime, "beskar7-controller", settings.identity)
        self._hosts = self._caches.cache(PHYSICAL_HOST)
        self._machines = self._caches.cache(BESKAR7_MACHINE)
        self._claims = self._caches.cache(HOST_CLAIM)
        self._secrets = self._caches.cache(SECRET)
        self._config_maps = self._own_namespace.cache(CONFIG_MAP)
        self._env = Environment(
            runtime=runtime,
            kube=WriteThroughKube(kube, self._caches, self._fence),
            recorder=self._recorder,
            metrics=metrics,
            tuning=lambda: self._tuning,
            observe=self._caches.observe,
        )
        self._pool = HostPool(runtime)
        self._waiting = WaitingMachines(
            runtime, self._fits, self._queue_machine, self._count_waiting
        )
        self._requests = BmcRequests(
            self._env,
            connector(lambda: self._tuning),
            self._secret,
            self._fence,
            lambda host: self._host_controller.queue.add(host),
        )
        self._host_reconciler = HostReconciler(
            self._env,
            self._requests,
            self._host,
            self._machine,
            stuck_timeout=settings.stuck_state_timeout,
        )
        claims = Claims(self._env, self._pool, self._named, self._requests.revoke)
        handover = Handover(
            self._env,
            ClaimProtocol(self._env, settings.identity, lambda: 0),
            self._pool,
            self._claim,
            self._host,
            claims.owned,
            claim_leadership,
        )
        machine_reconciler = MachineReconciler(
            self._env,
            claims,
            handover,
            self._pool,
            self._waiting,
            self._machine,
            lambda machine: self._cluster_controllers.owner_of(machine),
            require_owner=settings.require_owner_machine,
        )
        self._host_controller = self._controller("physicalhost", self._host_reconciler.reconcile)
        self._machine_controller = self._controller("beskar7machine", machine_reconciler.reconcile)
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

    def _controller(self, name: str, reconcile: Callable[..., object]) -> Controller:
        return Controller(
            self._runtime,
            f"{name}/{self._settings.identity}",
            reconcile,  # type: ignore[arg-type] # every reconcile returns a Result
            workers=self._settings.max_concurrent_reconciles,
            observe=lambda _, outcome, seconds: self._observe_reconcile(name, outcome, seconds),
        )

    def _wire(self) -> None:
        """Which change wakes which reconcile."""
        self._hosts.add_index("secret", lambda host: [self._secret_of(PhysicalHost(host))])
        self._hosts.add_index("consumer", lambda host: map(str, _consumer_of(host)))
        # Before the reconcilers hear of a host, the pool knows it.
        self._hosts.on_change(self._host_changed)
        self._host_controller.watch(self._hosts)
        self._machines.on_change(self._machine_changed)
        self._machine_controller.watch(self._machines)
        self._machine_controller.watch(self._hosts, _consumer_of)
        self._machine_controller.watch(self._claims)
        self._secrets.on_change(self._secret_changed)
        self._config_maps.on_change(self._config_changed)

    # --- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Fill the caches, then begin to reconcile. Returns early when the term ends before."""
        self._recorder.start()
        self._caches.start()
        self._own_namespace.start()
        self._owners.start()
        needed = [self._caches, self._own_namespace]
        if self._cluster_api_installed():
            needed.append(self._owners)
        while not all(caches.wait_synced(SYNC_WARNING) for caches in needed):
            if not self._holds():
                return
            missing = {kind: why for caches in needed for kind, why in caches.unsynced().items()}
            for kind, reason in missing.items():
                log.warning("cannot list %s: %s", kind, reason)
        self._requests.reconfigure()
        self._requests.pool.start(after_takeover=self._somebody_led_before())
        for controller in self._controllers:
            controller.start()
        self.ready = True
        log.info("reconciling %d hosts, %d machines", len(self._hosts), len(self._machines))

    def stop(self, timeout: float) -> bool:
        """Take nothing more, let finish what runs; False when ``timeout`` seconds came first."""
        self.ready = False
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
        self._own_namespace.stop(min(2.0, left()))
        self._owners.stop(min(2.0, left()))
        self._metrics.host_states.clear()
        self._metrics.claims_waiting.clear()
        self._metrics.circuit_state.clear()
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

    def _somebody_led_before(self) -> bool:
        """Whether another process may have touched BMCs a moment ago."""
        if not self._settings.leader_elect:
            return True
        try:
            lease = self._kube.get(LEASE, self._settings.namespace, MANAGER_LEASE)
        except ApiError as error:
            log.warning("cannot tell who led before, so every BMC rests first: %s", error)
            return True
        return bool(lease.get("spec", {}).get("leaseTransitions"))

    # --- views of the caches ------------------------------------------------------------------

    def _host(self, key: ObjectKey) -> PhysicalHost | None:
        raw = self._hosts.peek(key.namespace, key.name)
        return None if raw is None else PhysicalHost(raw)

    def _machine(self, key: ObjectKey) -> Beskar7Machine | None:
        raw = self._machines.peek(key.namespace, key.name)
        return None if raw is None else Beskar7Machine(raw)

    def _secret(self, key: ObjectKey) -> View | None:
        raw = self._secrets.peek(key.namespace, key.name)
        return None if raw is None else View(raw)

    def _claim(self, key: ObjectKey) -> HostClaim | None:
        raw = self._claims.peek(key.namespace, key.name)
        return None if raw is None else HostClaim(raw)

    def _named(self, machine: ObjectKey) -> Sequence[PhysicalHost]:
        return [PhysicalHost(raw) for raw in self._hosts.by_index("consumer", str(machine))]

    def _fits(self, namespace: str, wish: Requirements) -> int:
        return self._pool.fits(self._tuning.selection_algorithm, namespace, wish)

    # --- changes ------------------------------------------------------------------------------

    def _queue_machine(self, machine: ObjectKey) -> None:
        self._machine_controller.queue.add(machine, priority=1)

    def _count_waiting(self, namespace: str, length: int) -> None:
        self._metrics.claims_waiting.labels(namespace).set(length)

    def _host_changed(self, old: Object | None, new: Object | None) -> None:
        was, now = _view(old), _view(new)
        states = self._metrics.host_states
        if was is not None:
            states.labels(was.state or "None", was.namespace).dec()
        if now is not None:
            states.labels(now.state or "None", now.namespace).inc()
        host = now or was
        if host is not None and self._pool.update(host.key, now):
            self._waiting.wake(host.namespace)

    def _machine_changed(self, old: Object | None, new: Object | None) -> None:
        """A machine that is gone should have released its host; whether it did is looked at."""
        if old is not None and new is None:
            for raw in self._hosts.by_index("consumer", str(View(old).key)):
                self._host_controller.queue.add(PhysicalHost(raw).key)

    def _secret_changed(self, old: Object | None, new: Object | None) -> None:
        secret = View(new or old or {})
        for raw in self._hosts.by_index("secret", str(secret.key)):
            key = PhysicalHost(raw).key
            self._host_reconciler.credentials_changed(key)
            self._host_controller.queue.add(key)

    @staticmethod
    def _secret_of(host: PhysicalHost) -> str:
        return str(ObjectKey(host.namespace, host.secret_name))

    def _config_changed(self, old: Object | None, new: Object | None) -> None:
        view = View(new or old or {})
        if view.name != CONFIG_MAP_NAME:
            return
        try:
            self._tuning = parse_tuning((new or {}).get("data") or {})
        except ConfigError as error:
            log.error("ConfigMap %s is invalid, keeping the last good values: %s", view.key, error)
            self._recorder.event(
                copy_json(view.raw), "Warning", "InvalidConfiguration", str(error)[:1000]
            )
            return
        log.info("tuning: %s", self._tuning)
        self._requests.reconfigure()

    def _observe_reconcile(self, controller: str, outcome: str, seconds: float) -> None:
        self._metrics.reconciliations.labels(controller, outcome, "").inc()
        self._metrics.reconciliation_duration.labels(controller, outcome, "").observe(seconds)
        if outcome == "error":
            self._metrics.errors.labels(controller, "reconcile", "").inc()


def _view(raw: Object | None) -> PhysicalHost | None:
    return None if raw is None else PhysicalHost(raw)


def _consumer_of(raw: Object) -> Iterable[ObjectKey]:
    consumer = PhysicalHost(raw).consumer_key
    return () if consumer is None else (consumer,)
