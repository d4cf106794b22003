"""What a manager takes of memory and processor time: only a real process can tell."""

from __future__ import annotations

import os
from pathlib import Path

from beskar7.api.kinds import BESKAR7_MACHINE
from emulator.forking import client as forking
from emulator.processes import cpu_seconds
from guidetrial.model import Lab
from scenarios.engine.expand import machine
from scenarios.engine.history import phase
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import loads

LIMIT = 300.0
"""Seconds for a lab's machines to be Provisioned, on a busy machine."""
POLL = 0.5
WORLD = """
name: guide-lab
world:
  hosts: {{count: {hosts}, vendors: {{generic: 1}}, scale: {{boot: 0.005, latency: 0.1}}}}
  managers: {{replicas: 1, args: {{max-concurrent-reconciles: "{reconciles}"}}}}
  config:
    provisioning.maxConcurrentOps: 20
    provisioning.workerCount: 40
    provisioning.maxQueueSize: 500
load: {{machines: {hosts}}}
"""


def play_lab(lab: Lab) -> dict[str, float]:
    """A machine for each host at once. ``rss_mib`` is the most that the manager ever held.

    ``cpu_milli`` is its processor time over the time that this took, in thousandths of a core;
    ``cpu_seconds_per_claim`` the same by machines.

    Raises:
        RuntimeError: the machines were not Provisioned within the limit.
    """
    # Of a process that was forked, much is its siblings' too.
    forking.forbid()
    scenario = loads(WORLD.format(hosts=lab.hosts, reconciles=lab.reconciles))
    world = LiveWorld(scenario, seed=1)
    try:
        world.start()
        pid = _manager(os.getpid())
        idle = _peak(pid)
        now = world.runtime.now
        began, before = now(), cpu_seconds(pid)
        for number in range(1, lab.hosts + 1):
            world.kube.create(BESKAR7_MACHINE, machine(scenario.load, number))
        while True:
            machines = world.kube.list(BESKAR7_MACHINE).items
            if all(phase(each) == "Provisioned" for each in machines):
                break
            if now() > began + LIMIT:
                raise RuntimeError(f"{lab.name}: not Provisioned after {LIMIT:g} s")
            world.check()
            world.runtime.sleep(POLL)
        span, used = now() - began, cpu_seconds(pid) - before
        return {
            "rss_mib": _peak(pid),
            "start_rss_mib": idle,
            "cpu_milli": 1000 * used / span,
            "cpu_seconds_per_claim": used / lab.hosts,
            "claims_per_second": lab.hosts / span,
        }
    finally:
        world.stop()


def _manager(parent: int) -> int:
    """The process of the one manager that ``parent`` started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="utf-8").split()
    for child in children:
        words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        if b"manager" in words:
            return int(child)
    raise RuntimeError("no manager runs")


def _peak(pid: int) -> float:
    """MiB that were resident at most."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return float(text.partition("VmHWM:")[2].split()[0]) / 1024
