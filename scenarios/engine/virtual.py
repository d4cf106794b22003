"""A scenario's world in virtual time: the same store, fleet and managers, without sockets."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, LEASE, PHYSICAL_HOST, SECRET
from beskar7.flags import manager_settings
from beskar7.kube.port import Kube
from beskar7.kube.ratelimit import TokenBucket
from beskar7.logs import LogSettings
from beskar7.manager import Manager
from beskar7.operations.cluster import Cluster, Usage
from beskar7.redfish.sushy_bmc import agent, bmc_connector
from beskar7.runtime import Runtime, VirtualRuntime
from beskar7.runtime.virtual import VirtualProcess
from beskar7.settings import ManagerSettings
from beskar7.term import MANAGER_LEASE
from emulator.bmc.fleet import Fleet
from emulator.bmc.inprocess import FleetAdapter
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.bmc.spec import Credentials, FleetSpec
from emulator.deployed import pod_of
from emulator.faultspec import Fault
from emulator.fields import FieldError
from emulator.kube import admission
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.faults.faultspec import ApiFault
from emulator.kube.inprocess import InProcessKube
from emulator.kube.lens import Lens
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.world import new_store
from scenarios.engine.calls import Call, RecordedKube
from scenarios.engine.doors import Doors
from scenarios.engine.expand import (
    CREDENTIALS_SECRET,
    SYSTEM_NAMESPACE,
    config_map,
    fleet_spec,
    physical_host,
    plan_hosts,
)
from scenarios.engine.inside import Look, look_into
from scenarios.engine.schema import Door, Passage, Scenario
from scenarios.engine.targets import CLIENT, choose, placed
from scenarios.engine.virtualpods.cluster import CLIENT as OPERATOR
from scenarios.engine.virtualpods.cluster import VirtualCluster
from scenarios.engine.virtualpods.deployment import VirtualDeployment
from scenarios.engine.virtualpods.logs import PodLogs
from scenarios.engine.virtualpods.pod import Life
from scenarios.engine.virtualpods.resources import Meter, memory
from scenarios.engine.world import World, WorldError

T = TypeVar("T")

_QUIET = logging.NullHandler()
LIMIT = 7 * 86400.0
"""Virtual seconds after which a run is given up; its own timeouts come long before."""


def run_virtual(scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    """Run ``body`` as the first task of a world in virtual time."""
    # Without a handler Python prints what managers warn of amid the runner's own words.
    logging.getLogger("beskar7").addHandler(_QUIET)
    runtime = VirtualRuntime(seed)
    return runtime.run(lambda: body(VirtualWorld(scenario, seed, runtime)), until=LIMIT)


class VirtualWorld:
    """See :class:`scenarios.engine.world.World`."""

    runtime: Runtime
    kube: Kube
    bmc_log_pause = 0.0

    def __init__(self, scenario: Scenario, seed: int, runtime: VirtualRuntime) -> None:
        self.runtime = runtime
        self._virtual = runtime
        self._scenario = scenario
        self._credentials = {"username": "lab", "password": f"virtual-{seed}"}
        self.store = admission.install(new_store(runtime))
        self._news = runtime.event()
        self.store.log.on_append = self._news.set
        self.api_faults = ApiFaults(runtime, self.store.forget_history)
        self.fleet = Fleet(
            FleetSpec.from_dict(fleet_spec(scenario, seed)),
            runtime,
            Credentials.from_dict(self._credentials),
        )
        self.kube = InProcessKube(self.store, runtime, client=CLIENT, faults=self.api_faults)
        self.doors = Doors()
        self.doors.on_end.append(lambda _: self._news.set())
        self.calls: list[Call] = []
        self.lens_of: Callable[[str], Lens] | None = None
        """How each manager, by its identity, is to see the API's state; None: as it is."""
        self._managers: dict[str, tuple[VirtualProcess, Manager]] = {}
        self._meters: dict[str, Meter] = {}
        self._logs = PodLogs(self._speaker)
        self._deployed: VirtualDeployment | None = None
        if scenario.world.managers.deployed:
            self._deployed = VirtualDeployment(
                runtime, self.store, self.kube, self._launch, self._logs, self.api_faults
            )

    @property
    def kubeconfig(self) -> None:
        return None

    def start(self) -> None:
        namespace = self._scenario.load.namespace
        data = {
            key: base64.b64encode(text.encode()).decode() for key, text in self._credentials.items()
        }
        self.kube.create(
            SECRET,
            {"metadata": {"namespace": namespace, "name": CREDENTIALS_SECRET}, "data": data},
        )
        self.kube.create(CONFIG_MAP, config_map(self._scenario))
        for host in plan_hosts(self._scenario.world.hosts):
            address = f"http://{host.address}:8000"
            self.kube.create(PHYSICAL_HOST, physical_host(self._scenario, host, address))
        managers = self._scenario.world.managers
        if self._deployed is not None:
            self._logs.attach()
            self._deployed.start(managers.replicas, managers.args)
            return
        for _ in range(managers.replicas):
            self.start_manager()

    def stop(self) -> None:
        self._logs.close()
        if self._deployed is not None:
            self._deployed.stop()
        for process, _ in self._managers.values():
            process.kill()

    def start_manager(self) -> str:
        if self._deployed is not None:
            return self._deployed.scale_up()
        identity = f"manager-{len(self._managers) + 1}"
        try:
            settings = manager_settings(identity, self._scenario.world.managers.args)
        except ValueError as error:
            raise WorldError(f"world.managers.args: {error}") from None
        self._launch(identity, identity, settings)
        return identity

    def _launch(
        self, life: str, pod: str, settings: ManagerSettings, *, cores: float | None = None
    ) -> Life:
        """Start a manager whose life has this name; faults of its clock are its pod's."""
        process = self._virtual.group(life)
        process.skew = partial(self.api_faults.clock_error, agent(pod))
        doors = self.doors.of(life, process)
        meter = self._meters[life] = Meter(process, cores)
        adapter = FleetAdapter(
            self.fleet,
            process,
            before=meter.counting(doors.bmc_call),
            after=doors.bmc_answer,
            whole=True,
        )
        kube = RecordedKube(
            self.store,
            process,
            client=agent(settings.identity),
            before=meter.counting(doors.kube_call),
            after=doors.kube_answer,
            faults=self.api_faults,
            calls=self.calls,
            lens=None if self.lens_of is None else self.lens_of(life),
            limit=_limit(process, settings),
        )
        manager = Manager(
            process,
            kube,
            bmc_connector(
                process, settings.identity, setup=lambda session: session.mount("http://", adapter)
            ),
            settings,
            patient=kube.with_timeout,
        )
        self._managers[life] = (process, manager)
        stop = process.event()
        main = process.spawn(manager.run, stop, name=f"{life}/main")
        return Life(process, manager, stop, main, lambda: self._memory(manager))

    def _memory(self, manager: Manager) -> int:
        objects = sum(len(self.store.list(kind)) for kind in (PHYSICAL_HOST, BESKAR7_MACHINE))
        return memory(objects, leading=manager.leading)

    def _speaker(self) -> tuple[VirtualProcess, str, LogSettings] | None:
        process = self._virtual.running
        held = None if process is None else self._managers.get(process.name)
        if process is None or held is None:
            return None
        return process, pod_of(process.name), held[1].configuration.tuning.log

    def cluster(self) -> Cluster:
        kube = InProcessKube(self.store, self.runtime, client=OPERATOR, faults=self.api_faults)
        return VirtualCluster(self.runtime, kube, self._living_pods, self._logs, self._usage)

    def _living_pods(self) -> dict[str, tuple[VirtualProcess, Manager]]:
        return {pod_of(life): held for life, held in self._managers.items() if held[0].alive}

    def _usage(self, pod: str) -> Usage:
        life, (_, manager) = next(
            (life, held)
            for life, held in self._managers.items()
            if held[0].alive and pod_of(life) == pod
        )
        whole = None if self._deployed is None else self._deployed.memory(pod)
        needed = self._memory(manager) if whole is None else whole
        return Usage(self._meters[life].cores(), needed)

    def kill_manager(self, target: str) -> str:
        identity = choose(target, self.managers(), self._leader())
        self._managers[identity][0].kill()
        return identity

    def kill_at(self, door: Door) -> None:
        self.doors.end_at(door)

    def killed_at(self) -> Passage | None:
        return self.doors.ended

    def _leader(self) -> str:
        try:
            lease = self.store.get(LEASE, SYSTEM_NAMESPACE, MANAGER_LEASE).copy()
        except NotFound:
            return ""
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def add_fault(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        fault = placed(fault, self.managers(), self._leader)
        try:
            if fault.get("target") == "api":
                self.api_faults.add(ApiFault.from_dict(dict(fault)))
            else:
                self.fleet.faults.add(Fault.from_dict(dict(fault)))
        except FieldError as error:
            raise WorldError(f"fault {fault.get('id', '?')}: {error}") from None
        return fault

    def clear_faults(self, id: str | None) -> None:
        self.fleet.faults.clear(id)
        self.api_faults.clear(id)

    def await_news(self, seconds: float) -> None:
        self._news.wait(seconds)
        self._news.clear()

    def writes(self, after_seq: int) -> tuple[list[WriteRecord], int]:
        return self.store.log.records(after_seq), max(0, self.store.log.dropped - after_seq)

    def bmc_log(
        self, after_records: int, after_events: int
    ) -> tuple[list[BmcRecord], list[BmcEvent]]:
        page = self.fleet.log(after_records, after_events, limit=1_000_000)
        return list(page.records), list(page.events)

    def manager_metrics(self) -> dict[str, str]:
        return {
            identity: manager.metrics.exposition().decode()
            for identity, (process, manager) in self._managers.items()
            if process.alive
        }

    def managers(self) -> list[tuple[str, bool]]:
        return [(identity, process.alive) for identity, (process, _) in self._managers.items()]

    def living(self) -> list[tuple[VirtualProcess, Manager]]:
        """The managers that were not killed, for those who look into them."""
        return [held for held in self._managers.values() if held[0].alive]

    def look(self) -> Look:
        lives = {identity: look_into(*held) for identity, held in self._managers.items()}
        return Look(self.runtime.now(), lives, self.calls, self.streams)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the random streams that the runtime keeps, for managers and world."""
        return self._virtual.streams

    def saturation(self) -> dict[str, float]:
        return {}


def _limit(process: VirtualProcess, settings: ManagerSettings) -> Callable[[], object] | None:
    """What keeps the manager's client to ``--kube-api-qps``; None: nothing does."""
    if not settings.kube_api_qps:
        return None
    return TokenBucket(process, settings.kube_api_qps, settings.kube_api_burst).acquire
