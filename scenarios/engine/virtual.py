"""A scenario's world in virtual time: the same store, fleet and managers, without sockets."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from beskar7.api.errors import NotFound
from beskar7.api.kinds import CONFIG_MAP, LEASE, PHYSICAL_HOST, SECRET
from beskar7.flags import manager_settings
from beskar7.kube.port import Kube
from beskar7.manager import Manager
from beskar7.redfish.sushy_bmc import agent, bmc_connector
from beskar7.runtime import Runtime, VirtualRuntime
from beskar7.runtime.virtual import VirtualProcess
from beskar7.term import MANAGER_LEASE
from emulator.bmc.fleet import Fleet
from emulator.bmc.inprocess import FleetAdapter
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.bmc.spec import Credentials, FleetSpec
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
from scenarios.engine.schema import Door, Passage, Scenario, Target
from scenarios.engine.targets import CLIENT, choose, placed
from scenarios.engine.world import World, WorldError

T = TypeVar("T")

LIMIT = 7 * 86400.0
"""Virtual seconds after which a run is given up; its own timeouts come long before."""


def run_virtual(scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    """Run ``body`` as the first task of a world in virtual time."""
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
        for _ in range(self._scenario.world.managers.replicas):
            self.start_manager()

    def stop(self) -> None:
        for process, _ in self._managers.values():
            process.kill()

    def start_manager(self) -> str:
        identity = f"manager-{len(self._managers) + 1}"
        process = self._virtual.group(identity)
        process.skew = partial(self.api_faults.clock_error, agent(identity))
        try:
            settings = manager_settings(identity, self._scenario.world.managers.args)
        except ValueError as error:
            raise WorldError(f"world.managers.args: {error}") from None
        doors = self.doors.of(identity, process)
        adapter = FleetAdapter(
            self.fleet, process, before=doors.bmc_call, after=doors.bmc_answer, whole=True
        )
        manager = Manager(
            process,
            RecordedKube(
                self.store,
                process,
                client=agent(identity),
                before=doors.kube_call,
                after=doors.kube_answer,
                faults=self.api_faults,
                calls=self.calls,
                lens=None if self.lens_of is None else self.lens_of(identity),
            ),
            bmc_connector(
                process, identity, setup=lambda session: session.mount("http://", adapter)
            ),
            settings,
        )
        self._managers[identity] = (process, manager)
        process.spawn(manager.run, process.event(), name=f"{identity}/main")
        return identity

    def kill_manager(self, target: Target) -> str:
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
