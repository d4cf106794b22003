"""Hosts that faults may hit: their lives are decided by the controller's own reconciler.

What follows a fault is a matter of retries, backoff, circuits, recovery and proofs, of which the
model has no copies: for these hosts it runs the host reconciler, the operations and the BMC client
of the controller on emulated BMCs, as tasks beside the model's events. Left out for them, too, is
the way through API server, watches and work queues: it takes the times of :class:`Calibration`.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol, cast

from beskar7.api.errors import NotFound
from beskar7.api.kinds import Kind
from beskar7.api.meta import ObjectKey, View, rfc3339
from beskar7.api.objects import Object, copy_json
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.config import Tuning
from beskar7.controllers.bmc_requests import BmcRequests, judge
from beskar7.controllers.environment import Environment
from beskar7.controllers.host import HostReconciler
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.kube.port import Kube
from beskar7.kube.recorder import EventType
from beskar7.metrics import Metrics
from beskar7.redfish.port import BmcConnector
from beskar7.redfish.sushy_bmc import bmc_connector
from beskar7.runtime import VirtualRuntime
from beskar7.settings import ManagerSettings
from emulator.bmc.fleet import Fleet
from emulator.bmc.inprocess import FleetAdapter
from emulator.bmc.spec import Credentials, FleetSpec
from emulator.faultspec import Fault
from scenarios.engine.expand import machine as machine_of
from scenarios.engine.expand import physical_host, plan_hosts
from scenarios.engine.schema import Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.events import after
from scenarios.models.hitpool import StationPool
from scenarios.models.modelmachine import ModelMachine
from scenarios.models.station import Station

PORT = 8000
"""Of all BMCs' addresses; there is no socket."""
MANAGER = "manager-1"
LOGIN = {"username": "lab", "password": "model"}
BUSY = 0.001
"""Seconds until a host is asked to be let go of again, whose write is under way."""

Told = Callable[[str], None]
"""Hears of a host, by name."""


class Ready(Protocol):
    """What a scenario is played with."""

    scenario: Scenario
    settings: ManagerSettings
    tuning: Tuning
    times: Calibration


class HitHosts:
    """Drive them by :meth:`enrol`, :meth:`claim` and :meth:`release`.

    ``booted`` hears of a host that runs its machine's image; ``free`` of one that is Available and
    nobody's, after its enrolment and after each release.
    """

    def __init__(
        self,
        runtime: VirtualRuntime,
        made: Ready,
        spec: FleetSpec,
        names: frozenset[str],
        queue: ProvisioningQueue,
        station: Station,
        *,
        booted: Told,
        free: Told,
    ) -> None:
        logging.getLogger("beskar7").addHandler(_QUIET)
        scenario = made.scenario
        self.names = names
        self.tuning = made.tuning
        self.fleet = Fleet(
            spec, runtime, Credentials.from_dict(LOGIN), serves=lambda host: host.name in names
        )
        self._runtime = runtime
        self._scenario = scenario
        self._times = made.times
        self._booted = booted
        self._free = free
        self._awaited: set[str] = set()
        """Hosts of which ``free`` is still to hear."""
        self._kube = _Kube(self._written)
        for plan in plan_hosts(scenario.world.hosts):
            if plan.name in names:
                address = f"http://{plan.address}:{PORT}"
                self._kube.put(physical_host(scenario, plan, address))
        self._owners: dict[str, ModelMachine] = {}
        self._former: dict[str, ModelMachine] = {}
        """Of each host that was given back."""
        self.failed: set[str] = set()
        """Owned hosts in Error: so they may stay for as long as a fault keeps them from working."""
        self._due: dict[ObjectKey, float] = {}
        """When each host is reconciled next."""
        self._news = _News()
        env = Environment(
            runtime,
            cast("Kube", self._kube),
            self._news,
            Metrics(),
            lambda: self.tuning,
            _nothing,
        )
        adapter = FleetAdapter(self.fleet, runtime, before=self._asked, whole=True)
        connector = bmc_connector(
            runtime, MANAGER, lambda session: session.mount("http://", adapter)
        )
        self._requests = _Requests(
            env, connector(lambda: self.tuning), self._wake, queue, station, runtime
        )
        self._reconciler = HostReconciler(
            env,
            self._requests,
            self._kube.host,
            self._machine,
            stuck_timeout=made.settings.stuck_state_timeout,
        )

    @property
    def rejections(self) -> int:
        return self._news.rejections

    # --- what is done to them -----------------------------------------------------------------

    def enrol(self, name: str) -> None:
        self._awaited.add(name)
        self._reconcile_in(0.0, self._key(name))

    def claim(self, name: str, machine: ModelMachine) -> None:
        """The API has the machine's name on the host."""
        self._owners[name] = machine
        host = self._kube.own(self._key(name))
        host.claim(_as_api(self._scenario, machine), rfc3339(self._runtime.wall()))
        # Two steps, each with its write: that it is claimed, and that its provisioning begins.
        self._reconcile_in(self._times.handoff / 2, host.key)

    def release(self, name: str) -> None:
        """Its machine goes. The right to write is taken first, as the machine's reconciler does."""
        key = self._key(name)
        if not self._requests.revoke(key):
            self._after(BUSY, partial(self.release, name))
            return
        if name in self._owners:
            self._former[name] = self._owners.pop(name)
        self._awaited.add(name)
        self._kube.own(key).release(rfc3339(self._runtime.wall()))
        self._reconcile_in(self._times.seen, key)

    def add_fault(self, fault: Mapping[str, Any]) -> None:
        self.fleet.faults.add(Fault.from_dict(dict(fault)))

    def clear_fault(self, fault_id: str | None) -> None:
        self.fleet.faults.clear(fault_id)

    def given_up(self) -> bool:
        """Whether all of ``failed`` are hit by faults that do not end, and no other is to come:
        as runs of the code, those of the model end then."""
        now = self._runtime.now()
        faults = self.fleet.faults.list()
        lasting = [active for active in faults if active.ends is None and active.in_force(now)]
        over = all(active in lasting or (active.ends or now) < now for active in faults)
        blocking = [active for active in lasting if not active.fault.about.adds]
        blocked: set[str] = set().union(*(active.chosen for active in blocking))
        return over and self.failed <= blocked

    def configure(self, tuning: Tuning) -> None:
        self.tuning = tuning
        self._requests.reconfigure()

    # --- reconciles ---------------------------------------------------------------------------

    def _wake(self, key: ObjectKey) -> None:
        """An operation of the host is over."""
        self._reconcile_in(self._times.told, key)

    def _written(self, host: PhysicalHost) -> None:
        """The host's reconciler wrote it: the watch brings it back."""
        self._reconcile_in(self._times.seen, host.key)

    def _reconcile_in(self, seconds: float, key: ObjectKey) -> None:
        """The soonest of those that are asked for counts, as in a work queue."""
        due = self._runtime.now() + seconds
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            self._after(seconds, partial(self._reconcile, key, due))

    def _reconcile(self, key: ObjectKey, due: float) -> None:
        if self._due.get(key) != due:
            return
        del self._due[key]
        before = self._kube.own(key).state
        result = self._reconciler.reconcile(key)
        if result.requeue_after is not None:
            self._reconcile_in(result.requeue_after, key)
        host = self._kube.own(key)
        if host.state is HostState.PROVISIONED and before is not HostState.PROVISIONED:
            self._booted(key.name)
        if host.state is HostState.ERROR and host.consumer is not None:
            self.failed.add(key.name)
        else:
            self.failed.discard(key.name)
        free = host.state is HostState.AVAILABLE and host.consumer is None
        if free and key.name in self._awaited:
            self._awaited.discard(key.name)
            self._free(key.name)

    def _machine(self, key: ObjectKey) -> Beskar7Machine | None:
        owner = next((one for one in self._owners.values() if _name(one) == key.name), None)
        return None if owner is None else _as_api(self._scenario, owner)

    def _asked(self, name: str, method: str, path: str) -> None:
        """A request goes to a BMC."""
        if self._times.bmc_request > 0.0:
            self._runtime.sleep(self._times.bmc_request)
        now = self._runtime.now()
        owner, former = self._owners.get(name), self._former.get(name)
        if owner is not None and owner.begun is None:
            owner.begun = now
        if owner is not None and owner.written is None and method != "GET":
            owner.written = now
        if owner is None and former is not None and former.cleaned is None:
            former.cleaned = now

    def _key(self, name: str) -> ObjectKey:
        return ObjectKey(self._scenario.load.namespace, name)

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        after(self._runtime.environment, seconds, then)


class _Requests(BmcRequests):
    """The controller's, over the model's station."""

    def __init__(
        self,
        env: Environment,
        connector: BmcConnector,
        wake: Callable[[ObjectKey], None],
        queue: ProvisioningQueue,
        station: Station,
        runtime: VirtualRuntime,
    ) -> None:
        super().__init__(env, connector, _secret, _nothing, wake)
        queue.circuits = self._circuit_policy()
        self.pool = StationPool(runtime, queue, station, self._settings(), self._completed, judge)


class _Kube:
    """The API as far as the host reconciler asks it (not all of ``Kube``): it says yes.

    ``written`` hears of each host that was.
    """

    def __init__(self, written: Callable[[PhysicalHost], None]) -> None:
        self._hosts: dict[ObjectKey, PhysicalHost] = {}
        self._written = written
        self._version = 0

    def put(self, raw: Object) -> None:
        host = PhysicalHost(raw)
        host.metadata["uid"] = host.name
        self._hosts[host.key] = host

    def own(self, key: ObjectKey) -> PhysicalHost:
        return self._hosts[key]

    def host(self, key: ObjectKey) -> PhysicalHost | None:
        return self._hosts.get(key)

    def get(self, kind: Kind, namespace: str | None, name: str) -> Object:
        raise NotFound(f"{kind.kind} {namespace}/{name}")

    def update(self, kind: Kind, obj: Object) -> Object:
        host = PhysicalHost(copy_json(obj))
        self._version += 1
        host.metadata["resourceVersion"] = str(self._version)
        self._hosts[host.key] = host
        self._written(host)
        return host.raw

    update_status = update


class _News:
    """Events are for people; but they tell how often the queue was full."""

    def __init__(self) -> None:
        self.rejections = 0

    def event(self, obj: Object, type: EventType, reason: str, message: str) -> None:
        self.rejections += reason == "QueueFull"


_QUIET = logging.NullHandler()
_SECRET = View(
    {
        "metadata": {"name": "bmc-credentials", "resourceVersion": "1"},
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in LOGIN.items()},
    }
)


def _secret(key: ObjectKey) -> View:
    return _SECRET


def _nothing(*_: object) -> None: ...


def _name(machine: ModelMachine) -> str:
    return f"machine-{machine.number:03d}"


def _as_api(scenario: Scenario, machine: ModelMachine) -> Beskar7Machine:
    found = Beskar7Machine(machine_of(scenario.load, machine.number, machine.variant))
    found.metadata["uid"] = found.name
    return found
