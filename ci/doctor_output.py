"""Writes docs/doctor-output.md: what doctor says of an installation that is well, and of three
that are not. In virtual time, so that a seed gives the same page.

Usage: python ci/doctor_output.py
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, DEPLOYMENT, PHYSICAL_HOST, SECRET
from beskar7.config import CONFIG_MAP_NAME
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations.doctor.judging import diagnose
from beskar7.operations.doctor.text import rendered
from scenarios.engine.expand import CREDENTIALS_SECRET, machine
from scenarios.engine.loader import loads
from scenarios.engine.virtual import run_virtual
from scenarios.engine.world import World

PAGE = Path(__file__).parents[1] / "docs" / "doctor-output.md"
WIDTH = 130
PATIENCE = 300.0
"""Virtual seconds until a world is as it is to be."""
WORLD = """
name: doctor
world:
  hosts: {count: 6, vendors: {dell: 1, hpe: 1}, racks: 2, scale: {boot: 0.02, latency: 1}}
  managers: {replicas: 2, deployed: true}
  config: {provisioning.workerCount: 8}
load: {machines: 1}
"""
HEAD = """\
# What doctor says

Written by `python ci/doctor_output.py`, in virtual time; do not edit. Of an installation of two
managers and six hosts: once well, and broken three ways. What each finding means is in
[operations.md](operations.md).
"""


def well(world: World) -> None:
    """Two machines are provisioned."""
    for number in (1, 2):
        world.kube.create(BESKAR7_MACHINE, machine(loads(WORLD).load, number))
    _until(world, lambda: _states(world).count("Provisioned") == 2)


def drained(world: World) -> None:
    """As the guide's queue reset leaves it half-way."""
    patch = {"data": {"provisioning.maxConcurrentOps": "0"}}
    world.kube.patch(CONFIG_MAP, NAMESPACE, CONFIG_MAP_NAME, patch)
    for number in range(1, 9):
        world.kube.create(BESKAR7_MACHINE, machine(loads(WORLD).load, number))
    _until(world, lambda: diagnose(world.cluster()).has("queue-drained"))
    _until(world, lambda: _states(world).count("Provisioning") == 6)


def refused(world: World) -> None:
    """Somebody changed the password in the Secret, and not in the BMCs."""
    patch = {"data": {"password": base64.b64encode(b"another").decode()}}
    world.kube.patch(SECRET, "default", CREDENTIALS_SECRET, patch)
    _until(world, lambda: set(_states(world)) == {"Error"})


def crashing(world: World) -> None:
    """A flag that no manager takes was rolled out, and the leader was killed."""
    deployment = world.kube.get(DEPLOYMENT, NAMESPACE, NAME)
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["args"].append("--max-concurrent-reconcile=5")
    world.kube.update(DEPLOYMENT, deployment)
    world.kill_manager("leader")
    _until(world, lambda: diagnose(world.cluster()).has("manager-crashing"))


SCENES: dict[str, tuple[str, Callable[[World], None]]] = {
    "Well": ("Six hosts, two of them with a machine.", well),
    "A queue that was drained and forgotten": (
        "`provisioning.maxConcurrentOps: 0`, and eight machines for six hosts.",
        drained,
    ),
    "A wrong password": ("The Secret of all BMCs was changed, the BMCs were not.", refused),
    "A flag that managers do not take": (
        "`--max-concurrent-reconcile` was rolled out, and the leader killed besides.",
        crashing,
    ),
}


def _states(world: World) -> list[str]:
    hosts = world.kube.list(PHYSICAL_HOST).items
    return [str((host.get("status") or {}).get("state") or "") for host in hosts]


def _until(world: World, holds: Callable[[], bool]) -> None:
    end = world.runtime.now() + PATIENCE
    while not holds():
        if world.runtime.now() > end:
            raise SystemExit("the world did not come to that")
        world.runtime.sleep(0.5)


def said(scene: Callable[[World], None]) -> str:
    """Doctor's text of a world in which ``scene`` was played."""

    def body(world: World) -> Any:
        world.start()
        try:
            _until(world, lambda: set(_states(world)) == {"Available"})
            scene(world)
            return diagnose(world.cluster(), window=5.0)
        finally:
            world.stop()

    out = Console(file=io.StringIO(), width=WIDTH, highlight=False)
    out.print(rendered(run_virtual(loads(WORLD), 1, body)))
    text = out.file.getvalue() if isinstance(out.file, io.StringIO) else ""
    return "\n".join(line.rstrip() for line in text.splitlines())


def main() -> int:
    parts = [HEAD]
    for title, (about, scene) in SCENES.items():
        parts.append(f"## {title}\n\n{about}\n\n```\n{said(scene)}\n```\n")
    PAGE.write_text("\n".join(parts), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
