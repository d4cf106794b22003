"""A scenario's world as real processes on real sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import CONFIG_MAP, LEASE, PHYSICAL_HOST, SECRET
from beskar7.kube.port import Kube
from beskar7.runtime import LiveRuntime, Runtime
from emulator.bmc.client import FleetControlError
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.kube.writelog import WriteRecord
from emulator.lab import Lab, LabError
from scenarios.engine.expand import (
    CREDENTIALS_SECRET,
    SYSTEM_NAMESPACE,
    config_map,
    fleet_spec,
    physical_host,
    plan_hosts,
)
from scenarios.engine.schema import Scenario, Target
from scenarios.engine.targets import choose
from scenarios.engine.world import World, WorldError

T = TypeVar("T")

CLIENT = "beskar7-scenario"
MANAGER_LEASE = "beskar7-controller-manager"


def run_live(scenario: Scenario, seed: int, body: Callable[[World], T]) -> T:
    """Run ``body`` on a fresh lab in a private temporary directory."""
    with tempfile.TemporaryDirectory(prefix="beskar7-lab-") as directory:
        return body(LiveWorld(scenario, seed, Path(directory)))


class LiveWorld:
    """See :class:`scenarios.engine.world.World`."""

    runtime: Runtime
    kube: Kube

    def __init__(
        self, scenario: Scenario, seed: int, directory: Path, *, api_port: int = 0
    ) -> None:
        self.runtime = LiveRuntime(seed)
        self._scenario = scenario
        self._seed = seed
        self.lab = Lab(
            self.runtime,
            directory,
            fleet_spec(scenario, seed),
            client=CLIENT,
            api_port=api_port,
        )

    def start(self) -> None:
        try:
            self.lab.start()
            self.kube = self.lab.kube
            self._populate()
            for _ in range(self._scenario.world.managers.replicas):
                self._start_manager()
            self.lab.await_managers()
        except LabError as error:
            raise WorldError(str(error)) from None
        except ApiError as error:
            raise WorldError(f"the world's objects were refused: {error}") from None

    def _populate(self) -> None:
        namespace = self._scenario.load.namespace
        self.kube.create(SECRET, self.lab.credentials_secret(namespace, CREDENTIALS_SECRET))
        self.kube.create(CONFIG_MAP, config_map(self._scenario))
        for host in plan_hosts(self._scenario.world.hosts):
            address = self.lab.addresses[host.name]
            self.kube.create(PHYSICAL_HOST, physical_host(self._scenario, host, address))

    def stop(self) -> None:
        self.lab.stop()

    def _start_manager(self) -> str:
        identity = f"manager-{len(self.lab.managers()) + 1}"
        self.lab.start_manager(identity, self._scenario.world.managers.args)
        return identity

    def start_manager(self) -> str:
        identity = self._start_manager()
        try:
            self.lab.await_managers()
        except LabError as error:
            raise WorldError(str(error)) from None
        return identity

    def kill_manager(self, target: Target) -> str:
        identity = choose(target, self.managers(), self._leader())
        self.lab.kill_manager(identity)
        return identity

    def _leader(self) -> str:
        try:
            lease = self.kube.get(LEASE, SYSTEM_NAMESPACE, MANAGER_LEASE)
        except NotFound:
            return ""
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def add_fault(self, fault: Mapping[str, Any]) -> None:
        try:
            self.lab.fleet.add_fault(fault)
        except FleetControlError as error:
            raise WorldError(f"fault {fault.get('id', '?')}: {error}") from None

    def clear_faults(self, id: str | None) -> None:
        try:
            if id is None:
                self.lab.fleet.clear_faults()
            else:
                self.lab.fleet.clear_fault(id)
        except FleetControlError as error:
            raise WorldError(str(error)) from None

    def writes(self, after_seq: int) -> tuple[list[WriteRecord], int]:
        try:
            self.lab.check()
            return self.lab.writes(after_seq)
        except LabError as error:
            raise WorldError(str(error)) from None

    def bmc_log(
        self, after_records: int, after_events: int
    ) -> tuple[list[BmcRecord], list[BmcEvent]]:
        records: list[BmcRecord] = []
        events: list[BmcEvent] = []
        try:
            while True:
                page = self.lab.fleet.log(after_records, after_events)
                records += page.records
                events += page.events
                if not page.more:
                    return records, events
                after_records = page.records[-1].seq if page.records else after_records
                after_events = page.events[-1].seq if page.events else after_events
        except FleetControlError as error:
            raise WorldError(f"the fleet's log: {error}") from None

    def manager_metrics(self) -> dict[str, str]:
        return self.lab.manager_metrics()

    def managers(self) -> list[tuple[str, bool]]:
        return self.lab.managers()

    def saturation(self) -> dict[str, float]:
        return self.lab.saturation()
