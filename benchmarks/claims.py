"""Claims under contention: machines that come at once on 1.2 times as many hosts.

By hand: ``python benchmarks/claims.py [--full]``. In virtual time with 3 managers (5 with
``--full``, and 1000 machines), each algorithm in standard and in leader mode; then whether the
calls of a claim grow with the fleet; then live, 50 machines and 5 managers as real processes. The
provisioning queue is drained, so that only claims are measured. Conflicts and times are from the
API's log of writes, calls from the API port of the managers (live: writes only, from the log).
A claim's calls are all about machines, claims and hosts, without what provisioning makes of them
(the hosts' status). Prints the goals beside the figures, writes out/bench/claims.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CONFIG_MAP,
    EVENT,
    LEASE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.resources import HOST_FINALIZER
from beskar7.flags import manager_settings
from beskar7.kube.port import Kube
from beskar7.manager import Manager
from beskar7.redfish.sushy_bmc import bmc_connector
from beskar7.runtime import Runtime, VirtualRuntime
from emulator.kube.inprocess import InProcessKube
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.world import new_store
from scenarios.engine.expand import machine
from scenarios.engine.history import History, consumer_uid
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import loads
from scenarios.engine.measures import percentile
from scenarios.engine.schema import LoadSpec

OUT = Path(__file__).parents[1] / "out/bench/claims.json"
ALGORITHMS = ("deterministic", "first-available", "upstream")
LOAD = LoadSpec(0)
DRAINED = {"provisioning.maxConcurrentOps": "0", "provisioning.maxQueueSize": "500"}
ENABLED = {"enable-claim-coordinator-leader-election": "true"}
GOALS: dict[tuple[str, int], tuple[float, float | None]] = {
    ("leader", 50): (0.0, 0.5),
    ("standard", 50): (0.05, None),
    ("standard", 200): (0.10, None),
}
"""Mode and machines -> (largest conflict ratio, largest P95 in seconds when live)."""
CREATORS = 10
LIMIT = 300.0
SILENCE = 2.0
"""Seconds for which a live storm is left alone."""


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
    return (verb, kind) != ("update_status", PHYSICAL_HOST.kind)


def create(runtime: Runtime, kube: Kube, machines: int) -> None:
    """All machines, from several tasks at once."""

    def some(first: int) -> None:
        for number in range(first, machines + 1, CREATORS):
            kube.create(BESKAR7_MACHINE, machine(LOAD, number))

    tasks = [runtime.spawn(some, n, name=f"create-{n}") for n in range(1, CREATORS + 1)]
    for task in tasks:
        task.join()


def available(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A host as enrolment leaves it, and its status."""
    body: dict[str, Any] = {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": {
            "name": f"host-{number:05d}",
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
    mode: str, algorithm: str, machines: int, *, hosts: int, managers: int, seed: int = 7
) -> dict[str, Any]:
    """One storm in virtual time."""
    runtime = VirtualRuntime(seed)
    calls: Counter[str] = Counter()
    counting = False

    def count(verb: str, kind: Kind, namespace: str, name: str) -> None:
        if counting and counted(verb, kind.kind):
            calls[f"{verb} {kind}"] += 1

    def main() -> dict[str, Any]:
        nonlocal counting
        store = new_store(runtime)
        kube = InProcessKube(store, runtime, client="benchmark")
        config = DRAINED | {"hostSelection.algorithm": algorithm}
        place = {"name": "beskar7-config", "namespace": "beskar7-system"}
        kube.create(CONFIG_MAP, {"metadata": place, "data": config})
        for number in range(hosts):
            body, status = available(number)
            made = store.create(PHYSICAL_HOST, body).copy()
            store.update_status(PHYSICAL_HOST, made | {"status": status})
        for number in range(1, managers + 1):
            identity = f"manager-{number}"
            process = runtime.group(identity)
            port = InProcessKube(store, process, client=f"beskar7-manager/{identity}", before=count)
            settings = manager_settings(identity, ENABLED if mode == "leader" else {})
            manager = Manager(process, port, bmc_connector(process, identity), settings)
            process.spawn(manager.run, process.event(), name=identity)
        runtime.sleep(5.0)  # leases taken, caches filled; nothing happens after that
        counting, before, began = True, store.log.last, runtime.now()
        create(runtime, kube, machines)
        while runtime.now() < began + LIMIT:
            runtime.sleep(0.05)
            writes = store.log.records(before)
            if len(History(writes).ownerships()) >= machines:
                break
        runtime.sleep(0.5)  # the machines hear of their hosts
        counting = False
        row = figures(store.log.records(before), machines, began, float(calls.total()))
        return row | {"calls": dict(calls)}

    started = time.perf_counter()
    row = runtime.run(main)
    return (
        row
        | {"mode": mode, "algorithm": algorithm, "clock": "virtual", "hosts": hosts}
        | {"wall_seconds": time.perf_counter() - started}
    )


SCENARIO = """
name: claims
world:
  hosts: {{count: 60, vendors: {{dell: 1}}, scale: {{boot: 0.005, latency: 0.05}}}}
  managers: {{replicas: 5, args: {args}}}
  config: {config}
load: {{machines: 1}}
"""


def live(mode: str, algorithm: str, machines: int = 50) -> dict[str, Any]:
    """One storm on real sockets: five managers as processes."""
    config = json.dumps(DRAINED | {"hostSelection.algorithm": algorithm})
    args = json.dumps(ENABLED if mode == "leader" else {})
    world = LiveWorld(loads(SCENARIO.format(args=args, config=config)), seed=7)
    try:
        world.start()
        until(world, lambda: states(world) == {"Available"})
        before = world.writes(0)[0][-1].seq
        began = world.runtime.now()
        create(world.runtime, world.kube, machines)
        # Whoever reads the log takes processor time from those who are measured: not at first,
        # and then each entry once.
        world.runtime.sleep(SILENCE)
        writes: list[WriteRecord] = []

        def all_claimed() -> bool:
            writes.extend(world.writes(writes[-1].seq if writes else before)[0])
            return len(History(writes).ownerships()) >= machines

        until(world, all_claimed)
        row = figures(writes, machines, began, None)
    finally:
        world.stop()
    return row | {"mode": mode, "algorithm": algorithm, "clock": "live", "hosts": 60}


def states(world: LiveWorld) -> set[str]:
    hosts = world.kube.list(PHYSICAL_HOST).items
    return {str(host.get("status", {}).get("state")) for host in hosts}


def until(world: LiveWorld, holds: Any) -> None:
    end = world.runtime.now() + LIMIT
    while not holds():
        if world.runtime.now() > end:
            raise SystemExit(f"not there after {LIMIT:g} s")
        world.runtime.sleep(0.1)


def goal(row: dict[str, Any]) -> str:
    """What the row had to reach, and whether it did. Two algorithms are there to be compared."""
    found = GOALS.get((row["mode"], row["machines"]))
    if found is None or row["algorithm"] != "deterministic":
        return ""
    ratio, p95 = found
    text, held = f"conflicts <= {ratio:.0%}", row["conflict_ratio"] <= ratio
    if p95 is not None and row["clock"] == "live":
        text += f", P95 < {p95:g} s"
        held = held and row["p95"] < p95
    return f"{text}: {'held' if held else 'MISSED'}"


def show(row: dict[str, Any]) -> None:
    print(
        f"{row['clock']:<8}{row['mode']:<9}{row['algorithm']:<16}{row['machines']:>5}"
        f"{row['hosts']:>7}{row['claims_per_second']:>9.0f}{1000 * row['p50']:>8.0f}"
        f"{1000 * row['p95']:>8.0f}{1000 * row['p99']:>8.0f}{row['conflict_ratio']:>10.1%}"
        f"{row['calls_per_claim']:>8.2f}  {goal(row)}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="also 1000 machines, 5 managers")
    parser.add_argument("--no-live", action="store_true", help="virtual time only")
    args = parser.parse_args()
    logging.disable(logging.ERROR)
    print(
        f"{'clock':<8}{'mode':<9}{'algorithm':<16}{'mach.':>5}{'hosts':>7}{'claims/s':>9}"
        f"{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'conflicts':>10}{'calls':>8}  goal"
    )
    rows = []
    for machines in (50, 200, 1000) if args.full else (50, 200):
        for mode in ("standard", "leader"):
            for algorithm in ALGORITHMS:
                row = virtual(
                    mode,
                    algorithm,
                    machines,
                    hosts=machines * 6 // 5,
                    managers=5 if args.full else 3,
                )
                rows.append(row)
                show(row)
    for mode in ("standard", "leader"):
        fleets = [virtual(mode, "deterministic", 50, hosts=n, managers=3) for n in (100, 10_000)]
        rows += fleets
        for row in fleets:
            show(row)
        small, large = (row["calls_per_claim"] for row in fleets)
        constant = large <= small * 1.02
        print(
            f"  {mode}: calls per claim {small:.2f} at 100 hosts, {large:.2f} at 10,000: ", end=""
        )
        print("held" if constant else "MISSED")
    if not args.no_live:
        for mode in ("standard", "leader"):
            for algorithm in ALGORITHMS if args.full else ALGORITHMS[:1]:
                rows.append(live(mode, algorithm))
                show(rows[-1])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
