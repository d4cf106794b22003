"""Storms of claims on real sockets; those in virtual time are ``scenarios.storms.virtual``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from beskar7.api.kinds import PHYSICAL_HOST
from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.history import History
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import loads
from scenarios.storms.virtual import DRAINED, FLAGS, LIMIT, create, figures

SILENCE = 2.0
"""Seconds for which a live storm is left alone."""
SCENARIO = """
name: claims
world:
  hosts: {{count: {hosts}, vendors: {{dell: 1}}, scale: {{boot: 0.005, latency: 0.05}}}}
  managers: {{replicas: 5, args: {args}}}
  config: {config}
load: {{machines: 1}}
"""


def live(mode: str, algorithm: str, machines: int = 50) -> dict[str, Any]:
    """One storm on real sockets: five managers as processes."""
    config = json.dumps(DRAINED | {"hostSelection.algorithm": algorithm})
    args, hosts = json.dumps(FLAGS[mode]), machines * 6 // 5
    world = LiveWorld(loads(SCENARIO.format(hosts=hosts, args=args, config=config)), seed=7)
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
        row = figures(writes, machines, began, None) | {"load": os.getloadavg()[0]}
    finally:
        world.stop()
    return row | {"mode": mode, "algorithm": algorithm, "clock": "live", "hosts": hosts}


def states(world: LiveWorld) -> set[str]:
    hosts = world.kube.list(PHYSICAL_HOST).items
    return {str(host.get("status", {}).get("state")) for host in hosts}


def until(world: LiveWorld, holds: Callable[[], bool]) -> None:
    end = world.runtime.now() + LIMIT
    while not holds():
        if world.runtime.now() > end:
            raise SystemExit(f"not there after {LIMIT:g} s")
        world.runtime.sleep(0.1)
