"""Logs made by hand: the smallest worlds in which an invariant holds or breaks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, LEASE, PHYSICAL_HOST, Kind
from beskar7.manifests.objects import LABELS
from beskar7.runtime import VirtualRuntime
from emulator.bmc.log import BmcEvent, BmcRecord
from emulator.kube.inprocess import InProcessKube
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.world import new_store
from scenarios.engine.calls import CLAIMED_BY, Call
from scenarios.engine.evidence import Aftermath, Evidence, FaultWindow, Incident
from scenarios.engine.expand import physical_host, plan_hosts
from scenarios.engine.history import consumer_uid, dig
from scenarios.engine.inside import Life, Look
from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario
from scenarios.engine.world import WorldError

IMAGE = "http://images.example/kairos.iso"
LEADER = "beskar7-manager/a"
MINIMAL = """
name: handmade
world: {hosts: {count: 2}}
load: {machines: 2}
"""


def uid(machine: str) -> str:
    return f"uid-{machine}" if machine else ""


class Logs:
    """Writes the three logs in the order of the calls."""

    image = IMAGE
    minimal = MINIMAL

    def __init__(self) -> None:
        self.writes: list[WriteRecord] = []
        self.requests: list[BmcRecord] = []
        self.events: list[BmcEvent] = []
        self.incidents: list[Incident] = []
        self.faults: list[FaultWindow] = []
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.streams: tuple[str, ...] = ()

    def _write(
        self,
        time: float,
        kind: str,
        name: str,
        namespace: str,
        change: Callable[[dict[str, Any]], None],
        *,
        verb: str = "update",
        outcome: str = "ok",
        client: str = LEADER,
        object_uid: str = "",
    ) -> WriteRecord:
        previous = self.objects.get((kind, name))
        obj = deepcopy(previous) or {"kind": kind, "metadata": {"name": name, "uid": object_uid}}
        change(obj)
        if outcome == "ok":
            gone = obj["metadata"].get("deletionTimestamp") and not obj["metadata"]["finalizers"]
            if gone:
                self.objects.pop((kind, name), None)
            else:
                self.objects[kind, name] = obj
        record = WriteRecord(
            seq=len(self.writes) + 1,
            time=time,
            client=client,
            verb=verb if previous else "create",
            outcome=outcome,
            kind=kind,
            namespace=namespace,
            name=name,
            uid=obj["metadata"]["uid"],
            resource_version=str(len(self.writes) + 1) if outcome == "ok" else "",
            object=deepcopy(obj),
            previous=deepcopy(previous),
        )
        self.writes.append(record)
        return record

    def configured(self, time: float, data: Mapping[str, str]) -> WriteRecord:
        """The ConfigMap of the controller."""
        settings = dict(data)
        return self._write(
            time,
            "ConfigMap",
            "beskar7-config",
            "beskar7-system",
            lambda obj: obj.update(data=settings),
        )

    def pod(self, time: float, name: str, state: Mapping[str, Any]) -> WriteRecord:
        """A manager's pod; ``state`` is that of its container."""

        def change(obj: dict[str, Any]) -> None:
            obj["metadata"] |= {"labels": dict(LABELS), "finalizers": []}
            obj["status"] = {"containerStatuses": [{"restartCount": 0, "state": dict(state)}]}

        return self._write(
            time,
            "Pod",
            name,
            "beskar7-system",
            change,
            verb="update_status",
            client="kubelet/lab",
            object_uid=f"pod-{name}",
        )

    def host(
        self,
        time: float,
        name: str,
        *,
        state: str | None = None,
        owner: str | None = None,
        deleting: bool = False,
        outcome: str = "ok",
        client: str = LEADER,
    ) -> WriteRecord:
        """``owner`` is a machine's name, empty for nobody; None leaves things as they are."""

        def change(obj: dict[str, Any]) -> None:
            obj["metadata"].setdefault("finalizers", ["f"])
            spec, status = obj.setdefault("spec", {}), obj.setdefault("status", {})
            if state is not None:
                status["state"] = state
            if owner:
                spec["consumerRef"] = {"name": owner, "uid": uid(owner)}
                obj["metadata"]["annotations"] = {CLAIMED_BY: owner}
            elif owner == "":
                spec.pop("consumerRef", None)
            if deleting:
                obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

        return self._write(
            time,
            "PhysicalHost",
            name,
            "default",
            change,
            outcome=outcome,
            client=client,
            object_uid=f"uid-{name}",
        )

    def machine(
        self,
        time: float,
        name: str,
        *,
        phase: str | None = None,
        deleting: bool = False,
        spec: dict[str, Any] | None = None,
    ) -> WriteRecord:
        def change(obj: dict[str, Any]) -> None:
            obj["metadata"].setdefault("finalizers", ["f"])
            obj.setdefault("spec", {"imageURL": IMAGE} | (spec or {}))
            if phase is not None:
                obj.setdefault("status", {})["phase"] = phase
            if deleting:
                obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

        return self._write(time, "Beskar7Machine", name, "default", change, object_uid=uid(name))

    def machine_gone(self, time: float, name: str) -> WriteRecord:
        """Deleted, and its last finalizer taken off."""

        def change(obj: dict[str, Any]) -> None:
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
            obj["metadata"]["finalizers"] = []

        return self._write(time, "Beskar7Machine", name, "default", change, object_uid=uid(name))

    def host_claim(self, time: float, machine: str, retries: int) -> WriteRecord:
        def change(obj: dict[str, Any]) -> None:
            obj["metadata"].setdefault("finalizers", [])
            obj["status"] = {"phase": "Pending", "retries": retries}

        return self._write(time, "HostClaim", machine, "default", change, object_uid="c" + machine)

    def lease(self, time: float, holder: str, duration: int = 4) -> WriteRecord:
        def change(obj: dict[str, Any]) -> None:
            obj["metadata"].setdefault("finalizers", [])
            obj["spec"] = {"holderIdentity": holder, "leaseDurationSeconds": duration}

        return self._write(
            time, "Lease", "beskar7-controller-manager", "beskar7-system", change, object_uid="l"
        )

    def request(
        self,
        host: str,
        start: float,
        end: float,
        action: str = "reset:On",
        *,
        operation: str = "",
        agent: str = LEADER,
        status: int = 204,
        performed: bool = True,
        fault: str = "",
    ) -> BmcRecord:
        record = BmcRecord(
            seq=len(self.requests) + 1,
            host=host,
            start=start,
            end=end,
            method="POST" if action else "GET",
            path="/redfish/v1/Systems/1",
            status=status,
            agent=agent,
            operation=operation,
            action=action,
            performed=performed,
            fault=fault,
        )
        self.requests.append(record)
        return record

    def event(
        self, host: str, time: float, type: str, detail: str = "", fault: str = ""
    ) -> BmcEvent:
        event = BmcEvent(len(self.events) + 1, host, time, type, detail, fault)
        self.events.append(event)
        return event

    @staticmethod
    def provision(host: str, machine: str, nonce: str = "1") -> str:
        """The header of a provision operation."""
        return f"provision:{host}:{uid(machine)}:{nonce}"

    def claimed(self, host: str = "h1", machine: str = "m1", at: float = 1.0) -> None:
        """A host Available from 0, and claimed by a machine at ``at``."""
        self.lease(0.0, "a", 1000)
        self.host(0.0, host, state="Available")
        self.machine(0.0, machine)
        self.host(at, host, owner=machine)
        self.host(at, host, state="Claimed")
        self.host(at, host, state="Provisioning")

    def evidence(self, ended: float = 100.0, scenario: str = MINIMAL) -> Evidence:
        evidence = Evidence(loads(scenario), "virtual", 7)
        evidence.add_writes(self.writes)
        evidence.add_bmc(self.requests, self.events)
        evidence.incidents = self.incidents
        evidence.faults = self.faults
        evidence.load_began = 0.0
        evidence.ended = ended
        evidence.ending = "settled"
        evidence.complete = True
        return evidence

    def looked(self, *, calls: list[Call] | None = None, **lives: Life) -> Evidence:
        """The evidence with a look into the managers at second 100; nothing was before the load."""
        evidence = self.evidence()
        evidence.baseline = Look(0.0, {"a": Life(True, True, {})}, [], ())
        evidence.aftermath = Aftermath(Look(100.0, lives, calls or [], self.streams), [], [])
        return evidence

    def answered(self) -> list[Call]:
        """The calls of managers that every write of the log is the outcome of, all answered."""
        return [
            Call(
                client=record.client,
                verb=record.verb,
                kind=record.kind,
                name=record.name,
                uid=record.uid,
                start=record.time - 0.1,
                end=record.time + 0.1,
                outcome=record.outcome,
                sent=str(max(0, record.seq - 1)),
                version=record.resource_version,
                owner=consumer_uid(record.object),
                claimed_by=str(dig(record.object, "metadata", "annotations", CLAIMED_BY) or ""),
            )
            for record in self.writes
        ]


@pytest.fixture
def logs() -> Logs:
    return Logs()


class FakeWorld:
    """A real API store, a scripted controller of one task, and BMCs that answer at once.

    ``habits`` are its vices: idle (claims nothing), thief (takes owned hosts), silent (enrols
    nothing), mute (its log cannot be read).
    """

    bmc_log_pause = 1.0

    def __init__(self, scenario: Scenario, runtime: VirtualRuntime, *habits: str) -> None:
        self.runtime = runtime
        self.scenario = scenario
        self.habits = set(habits)
        self.store = new_store(runtime)
        self.kube = InProcessKube(self.store, runtime, client="runner")
        self.stopped = 0
        self.calls: list[tuple[float, str]] = []
        self.on_write_poll: Callable[[], None] = lambda: None
        self.alive: dict[str, bool] = {}
        self._requests: list[BmcRecord] = []
        self._events: list[BmcEvent] = []
        self._manager = InProcessKube(self.store, runtime, client=LEADER)

    def _note(self, call: str) -> None:
        self.calls.append((round(self.runtime.now(), 3), call))

    def start(self) -> None:
        self._note("start")
        for host in plan_hosts(self.scenario.world.hosts):
            self.kube.create(PHYSICAL_HOST, physical_host(self.scenario, host, "http://127.0.0.1"))
        for _ in range(self.scenario.world.managers.replicas):
            self.start_manager()
        spec = {"holderIdentity": "a", "leaseDurationSeconds": 1000}
        lease = {"name": "beskar7-controller-manager", "namespace": "beskar7-system"}
        self._manager.create(LEASE, {"metadata": lease, "spec": spec})
        if "silent" not in self.habits:
            self.runtime.spawn(self._control, name="controller")

    def stop(self) -> None:
        self.stopped += 1

    def look(self) -> None:
        """This controller cannot be looked into."""
        return

    def _control(self) -> None:
        for host in self._list(PHYSICAL_HOST):
            self._state(self._state(host, "Enrolling"), "Available")
        while not self.stopped:
            for machine in self._list(BESKAR7_MACHINE):
                self._serve(machine)
            self.runtime.sleep(0.05)

    def _list(self, kind: Kind) -> list[dict[str, Any]]:
        return self._manager.list(kind, "default").items

    def _state(self, host: dict[str, Any], state: str) -> dict[str, Any]:
        host.setdefault("status", {})["state"] = state
        return self._manager.update_status(PHYSICAL_HOST, host)

    def _serve(self, machine: dict[str, Any]) -> None:
        meta = machine["metadata"]
        hosts = self._list(PHYSICAL_HOST)
        mine = [h for h in hosts if h["spec"].get("consumerRef", {}).get("uid") == meta["uid"]]
        if meta.get("deletionTimestamp"):
            for host in mine:
                del host["spec"]["consumerRef"]
                host = self._state(self._manager.update(PHYSICAL_HOST, host), "Deprovisioning")
                self._state(host, "Available")
            meta["finalizers"] = []
            self._manager.update(BESKAR7_MACHINE, machine)
            return
        if mine or "idle" in self.habits:
            return
        if not meta.get("finalizers"):
            meta["finalizers"] = ["beskar7.io/test"]
            machine = self._manager.update(BESKAR7_MACHINE, machine)
        free = [h for h in hosts if h["status"]["state"] == "Available"]
        owned = [h for h in hosts if h["spec"].get("consumerRef")]
        if "thief" in self.habits and not free:
            free = owned
        if not free:
            return
        host = free[0]
        host["spec"]["consumerRef"] = {"name": meta["name"], "uid": meta["uid"]}
        host = self._manager.update(PHYSICAL_HOST, host)
        if host["status"]["state"] == "Available":
            host = self._state(self._state(host, "Claimed"), "Provisioning")
            self._provision(host, machine)
            self._state(host, "Provisioned")
        machine["status"] = {"phase": "Provisioned"}
        self._manager.update_status(BESKAR7_MACHINE, machine)

    def _provision(self, host: dict[str, Any], machine: dict[str, Any]) -> None:
        name, now = host["metadata"]["name"], self.runtime.now()
        header = f"provision:{name}:{machine['metadata']['uid']}:1"
        seq = len(self._requests) + 1
        self._requests.append(
            BmcRecord(
                *(
                    seq,
                    name,
                    now,
                    now + 0.01,
                    "POST",
                    "/",
                    204,
                    LEADER,
                    header,
                    "reset:On",
                    True,
                    "",
                )
            )
        )
        image = machine["spec"]["imageURL"]
        event = BmcEvent(len(self._events) + 1, name, now + 0.02, "boot-finished", f"Cd:{image}")
        self._events.append(event)
        self.runtime.sleep(0.1)

    def kill_manager(self, target: str) -> str:
        identity = next(name for name, alive in self.alive.items() if alive)
        self.alive[identity] = False
        self._note(f"kill {target} {identity}")
        return identity

    def start_manager(self) -> str:
        identity = f"mgr-{len(self.alive) + 1}"
        self.alive[identity] = True
        self._note(f"start {identity}")
        return identity

    def add_fault(self, fault: Mapping[str, Any]) -> Mapping[str, Any]:
        self._note(f"fault {fault['id']}")
        return fault

    def clear_faults(self, id: str | None) -> None:
        self._note(f"clear {id}")

    def await_news(self, seconds: float) -> None:
        self.runtime.sleep(min(seconds, 0.1))

    def writes(self, after_seq: int) -> tuple[list[WriteRecord], int]:
        self.on_write_poll()
        if "mute" in self.habits:
            raise WorldError("the API process died")
        return self.store.log.records(after_seq), 0

    def bmc_log(
        self, after_records: int, after_events: int
    ) -> tuple[list[BmcRecord], list[BmcEvent]]:
        return self._requests[after_records:], self._events[after_events:]

    def manager_metrics(self) -> dict[str, str]:
        return {"mgr-1": "beskar7_up 1\n"}

    def managers(self) -> list[tuple[str, bool]]:
        return list(self.alive.items())

    def saturation(self) -> dict[str, float]:
        return {"api": 0.25}


@pytest.fixture
def fake_world() -> type[FakeWorld]:
    return FakeWorld
