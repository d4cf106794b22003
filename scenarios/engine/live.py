"""A scenario's world as real processes on real sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import CONFIG_MAP, LEASE, PHYSICAL_HOST, SECRET
from beskar7.kube.port import Kube
from beskar7.operations.cluster import Cluster
from beskar7.operations.live import LiveCluster
from beskar7.runtime import LiveRuntime, Runtime
from beskar7.term import MANAGER_LEASE
from emulator.bmc.client import FleetControlError
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.fields import FieldError
from emulator.kube.faults.control import ApiControlError
from emulator.kube.store.writelog import WriteRecord
from emulator.lab import Lab, LabError
from scenarios.engine import skews
from scenarios.engine.expand import (
    CREDENTIALS_SECRET,
    SYSTEM_NAMESPACE,
    config_map,
    fleet_spec,
    physical_host,
    plan_hosts,
)
from scenarios.engine.renewing import put
from scenarios.engine.schema import Door, Passage, Scenario
from scenarios.engine.skews import ClockSkews
from scenarios.engine.targets import CLIENT, choose, placed
from scenarios.engine.world import World, WorldError

POLL_SECONDS = 0.1
"""Between two looks at the write log. Acts that wait for a condition are late by at most this."""


def open_world(scenario: Scenario, seed: int) -> World:
    """A world in a private temporary directory, which goes when the world stops."""
    return LiveWorld(scenario, seed)


class LiveWorld:
    """See :class:`scenarios.engine.world.World`.

    Managers are children of this process: one that a scenario kills stays dead, as in virtual
    time. With ``deployed`` they are pods of the Deployment ``beskar7-controller-manager``, for
    people and kubectl to act on; the kubelet restarts one that is killed, as another identity.
    """

    runtime: Runtime
    kube: Kube
    bmc_log_pause = 1.0

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        directory: Path | None = None,
        *,
        api_port: int = 0,
        deployed: bool = False,
        data_dir: Path | None = None,
    ) -> None:
        self._as_pods = deployed or scenario.world.managers.deployed
        self._api_faults: set[str] = set()
        self.runtime = LiveRuntime(seed)
        self._scratch = None if directory else tempfile.TemporaryDirectory(prefix="beskar7-lab-")
        self._scenario = scenario
        self._seed = seed
        self.lab = Lab(
            self.runtime,
            directory or Path(self._scratch.name if self._scratch else ""),
            fleet_spec(scenario, seed),
            client=CLIENT,
            api_port=api_port,
            data_dir=data_dir,
            shards=scenario.world.hosts.shards,
        )
        self._skews = ClockSkews(self.runtime, self.lab.directory)
        self._cluster: LiveCluster | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.lab.kubeconfig

    def start(self) -> None:
        try:
            self.lab.start()
            self.kube = self.lab.kube
            self._populate()
            managers = self._scenario.world.managers
            if self._as_pods:
                self.lab.deploy_managers(managers.replicas, managers.args)
            else:
                for _ in range(managers.replicas):
                    self._start_manager()
            self.lab.await_managers()
        except LabError as error:
            raise WorldError(str(error)) from None
        except ApiError as error:
            raise WorldError(f"the world's objects were refused: {error}") from None

    def _populate(self) -> None:
        namespace = self._scenario.load.namespace
        secret = self.lab.credentials_secret(namespace, CREDENTIALS_SECRET)
        put(self.kube, SECRET, secret, "data")
        put(self.kube, CONFIG_MAP, config_map(self._scenario))
        for host in plan_hosts(self._scenario.world.hosts):
            address = self.lab.addresses[host.name]
            put(
                self.kube,
                PHYSICAL_HOST,
                physical_host(self._scenario, host, address),
                "spec.redfishConnection",
            )

    def stop(self) -> None:
        if self._cluster is not None:
            self._cluster.close()
        self.lab.stop()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _start_manager(self) -> str:
        identity = f"manager-{len(self.lab.managers()) + 1}"
        arguments = self._scenario.world.managers.args
        self.lab.start_manager(identity, arguments, self._skews.environment(identity))
        return identity

    def start_manager(self) -> str:
        try:
            if self.lab.deployed:
                return self.lab.scale_up()
            identity = self._start_manager()
            self.lab.await_managers()
        except LabError as error:
            raise WorldError(str(error)) from None
        return identity

    def kill_manager(self, target: str) -> str:
        identity = choose(target, self.managers(), self._leader())
        try:
            self.lab.kill_manager(identity)
        except LabError as error:
            raise WorldError(str(error)) from None
        return identity

    def kill_at(self, door: Door) -> None:
        raise WorldError(f"a manager's end at {door}: only in virtual time, --clock virtual")

    def killed_at(self) -> Passage | None:
        return None

    def _leader(self) -> str:
        try:
            lease = self.kube.get(LEASE, SYSTEM_NAMESPACE, MANAGER_LEASE)
        except NotFound:
            return ""
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def add_fault(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            fault = placed(fault, self.managers(), self._leader)
            if fault.get("kind") == skews.KIND and not self.lab.deployed:
                self._skews.add(fault)
            elif fault.get("target") == "api":
                self.lab.api.add_fault(fault)
                self._api_faults.add(str(fault.get("id", "")))
            else:
                self.lab.fleet.add_fault(fault)
        except (FieldError, FleetControlError, ApiControlError) as error:
            raise WorldError(f"fault {fault.get('id', '?')}: {error}") from None
        return fault

    def clear_faults(self, id: str | None) -> None:
        if self._skews.clear(id) and id is not None:
            return
        try:
            if id is None:
                self.lab.fleet.clear_faults()
                self.lab.api.clear_faults()
            elif id in self._api_faults:
                self.lab.api.clear_fault(id)
            else:
                self.lab.fleet.clear_fault(id)
        except (FleetControlError, ApiControlError) as error:
            raise WorldError(str(error)) from None

    def check(self) -> None:
        """Raises WorldError when a process that the world needs is gone."""
        try:
            self.lab.check()
        except LabError as error:
            raise WorldError(str(error)) from None

    def await_news(self, seconds: float) -> None:
        self.runtime.sleep(min(seconds, POLL_SECONDS))

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

    def look(self) -> None:
        return None

    def cluster(self) -> Cluster:
        if self._cluster is None:
            try:
                self._cluster = LiveCluster.from_kubeconfig(self.lab.kubeconfig)
            except ApiError as error:
                raise WorldError(f"the API does not answer: {error.message}") from None
        return self._cluster

    def managers(self) -> list[tuple[str, bool]]:
        return self.lab.managers()

    def saturation(self) -> dict[str, float]:
        return self.lab.saturation()
