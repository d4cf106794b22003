"""A storm of claims played by the controller in virtual time, and what is counted in it.

The provisioning queue is drained, so that only claims are measured. Conflicts and times are from
the API's log of writes, calls from the managers' ports.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CONFIG_MAP,
    EVENT,
    LEASE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.objects import ObjectList
from beskar7.api.resources import HOST_FINALIZER
from beskar7.flags import manager_settings
from beskar7.kube.port import Kube
from beskar7.manager import Manager
from beskar7.redfish.sushy_bmc import bmc_connector
from beskar7.runtime import LiveRuntime, Runtime, VirtualRuntime
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.inwatch import InProcessWatch
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.world import new_store
from scenarios.engine.expand import machine
from scenarios.engine.history import History, consumer_uid
from scenarios.engine.measures import percentile
from scenarios.engine.schema import LoadSpec

LOAD = LoadSpec(0)
DRAINED = {"provisioning.maxConcurrentOps": "0", "provisioning.maxQueueSize": "500"}
FLAGS: dict[str, dict[str, str]] = {
    "standard": {},
    "leader": {"enable-claim-coordinator-leader-election": "true"},
    "shards": {"leader-elect": "false"},
}
"""Of each mode."""
CREATORS = 10
"""Tasks that create machines at the same time, one call after the other each."""
LIMIT = 300.0
"""Seconds after which a storm that is not over is broken off."""
SHARD = "claims-storm/shard"


def figures(
    writes: list[WriteRecord], machines: int, began: float, calls: float | None
) -> dict[str, Any]:
    """One row, from the log of writes since the load began."""
    history = History(writes)
    created = {track.uid: track.created for track in history.machines.values()}
    times = [owned.start - created[owned.owner] for owned in history.ownerships()]
    last = max(owned.start for owned in history.ownerships())
    tries = [r for r in writes if r.kind == "PhysicalHost" and r.verb == "update"]
    tries = [record for record in tries if consumer_uid(record.object)]
    lost = sum(record.outcome == "Conflict" for record in tries)
    if calls is None:
        calls = sum(counted(r.verb, r.kind) for r in writes if "beskar7-manager" in r.client)
    return {
        "machines": machines,
        "claimed": len(times),
        "claims_per_second": len(times) / (last - began),
        "p50": percentile(times, 0.5),
        "p95": percentile(times, 0.95),
        "p99": percentile(times, 0.99),
        "conflicts": lost,
        "conflict_ratio": lost / len(tries),
        "calls_per_claim": calls / machines,
    }


def counted(verb: str, kind: str) -> bool:
    """Whether a call belongs to a claim."""
    if verb == "watch" or kind in (LEASE.kind, EVENT.kind, CONFIG_MAP.kind):
        return False
    # Of the hosts' reconciles: what provisioning makes of a host, and whether its owner lives.
    return (verb, kind) not in (
        ("update_status", PHYSICAL_HOST.kind),
        ("get", BESKAR7_MACHINE.kind),
    )


def create(
    runtime: Runtime, kube: Kube, machines: int, shards: int = 1, creators: int = CREATORS
) -> None:
    """All machines, from as many tasks at once, each of which makes one after the other."""

    def some(first: int) -> None:
        for number in range(first, machines + 1, creators):
            body = machine(LOAD, number)
            body["metadata"].setdefault("labels", {})[SHARD] = str(number % shards)
            kube.create(BESKAR7_MACHINE, body)

    tasks = [runtime.spawn(some, n, name=f"create-{n}") for n in range(1, creators + 1)]
    for task in tasks:
        task.join()


class ShardKube(InProcessKube):
    """The port of a manager that is shown one shard of the machines, and all hosts."""

    shard = 0

    def list(self, kind: Kind, namespace: str | None = None, **selectors: Any) -> ObjectList:
        return super().list(kind, namespace, **self._mine(kind, selectors))

    def watch(self, kind: Kind, namespace: str | None = None, **options: Any) -> InProcessWatch:
        return super().watch(kind, namespace, **self._mine(kind, options))

    def _mine(self, kind: Kind, options: dict[str, Any]) -> dict[str, Any]:
        mine = {"label_selector": f"{SHARD}={self.shard}"} if kind == BESKAR7_MACHINE else {}
        return options | mine


def available(number: int, name: str = "") -> tuple[dict[str, Any], dict[str, Any]]:
    """A host as enrolment leaves it, and its status."""
    body: dict[str, Any] = {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": {
            "name": name or f"host-{number:05d}",
            "namespace": LOAD.namespace,
            "finalizers": [HOST_FINALIZER],
        },
        "spec": {
            "redfishConnection": {
                "address": f"http://10.{number // 62500}.{number // 250 % 250}.{number % 250 + 1}",
                "credentialsSecretRef": "bmc",
            }
        },
    }
    connection = body["spec"]["redfishConnection"]
    status = {
        "state": "Available",
        "ready": True,
        "hardwareDetails": {"manufacturer": "lab", "cpuCores": 32, "memoryGiB": 128},
        # There is no such Secret: what would be proven with it is said to be proven.
        "goodCredentials": {
            "address": connection["address"],
            "secretName": connection["credentialsSecretRef"],
            "secretVersion": "",
        },
    }
    return body, status


def virtual(
    mode: str,
    algorithm: str,
    machines: int,
    *,
    hosts: int,
    managers: int,
    seed: int = 7,
    latency: LatencyModel | None = None,
    config: Mapping[str, str] | None = None,
    creators: int = CREATORS,
    users: LatencyModel | None = None,
    names: Sequence[str] = (),
    settle: float = 5.0,
) -> dict[str, Any]:
    """One storm in virtual time; ``config`` are keys of the ConfigMap beside those of a storm.

    ``latency`` is between the managers and the API, ``users`` between it and the ``creators``.
    ``names``: of the hosts, as who meets whom hangs on them. ``settle``: seconds from the managers'
    start to the storm. With fewer hosts than machines it is over once all hosts are owned.

    Raises RuntimeError when it is not over after :data:`LIMIT` seconds of virtual time.
    """
    runtime = VirtualRuntime(seed)
    calls: Counter[str] = Counter()
    counting = False

    def count(verb: str, kind: Kind, namespace: str, name: str) -> None:
        if counting and counted(verb, kind.kind):
            calls[f"{verb} {kind}"] += 1

    def main() -> dict[str, Any]:
        nonlocal counting
        store = new_store(runtime)
        kube = InProcessKube(store, runtime, client="users", latency=users)
        data = DRAINED | {"hostSelection.algorithm": algorithm} | dict(config or {})
        place = {"name": "beskar7-config", "namespace": "beskar7-system"}
        kube.create(CONFIG_MAP, {"metadata": place, "data": data})
        for number in range(hosts):
            body, status = available(number, names[number] if names else "")
            made = store.create(PHYSICAL_HOST, body).copy()
            store.update_status(PHYSICAL_HOST, made | {"status": status})
        started: list[Manager] = []
        for number in range(1, managers + 1):
            identity = f"manager-{number}"
            process = runtime.group(identity)
            port = (ShardKube if mode == "shards" else InProcessKube)(
                store,
                process,
                client=f"beskar7-manager/{identity}",
                before=count,
                latency=latency,
            )
            if isinstance(port, ShardKube):
                port.shard = number - 1
            settings = manager_settings(identity, FLAGS[mode])
            manager = Manager(process, port, bmc_connector(process, identity), settings)
            started.append(manager)
            process.spawn(manager.run, process.event(), name=identity)
        runtime.sleep(settle)  # leases taken, caches filled; nothing happens after that
        problems = {manager.configuration.problem for manager in started}
        assert problems == {""}, problems
        counting, before, began = True, store.log.last, runtime.now()
        create(runtime, kube, machines, managers if mode == "shards" else 1, creators)
        claimed: set[str] = set()
        seen = before
        while len(claimed) < min(machines, hosts):
            if runtime.now() > began + LIMIT:
                raise RuntimeError(f"{len(claimed)} of {machines} claimed after {LIMIT:g} s")
            runtime.sleep(0.05)
            for record in store.log.records(seen):
                seen = record.seq
                owner = consumer_uid(record.object)
                if owner and record.kind == PHYSICAL_HOST.kind and record.outcome == "ok":
                    claimed.add(record.name)
        runtime.sleep(0.5)  # the machines hear of their hosts
        counting = False
        row = figures(store.log.records(before), machines, began, float(calls.total()))
        return row | {"calls": dict(calls)}

    now = LiveRuntime().now
    began_at = now()
    row = runtime.run(main)
    return (
        row
        | {"mode": mode, "algorithm": algorithm, "clock": "virtual", "hosts": hosts}
        | {"wall_seconds": now() - began_at}
    )
