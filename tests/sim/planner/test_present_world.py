"""A world in virtual time is read as a cluster is: what comes of it is the scenario it had."""

from __future__ import annotations

import pytest

from beskar7.api.documents import parse
from scenarios.engine.clocks import run_on
from scenarios.engine.loader import build, loads
from scenarios.engine.runner import Run
from scenarios.engine.world import World
from scenarios.models.play import Model
from scenarios.planner.boots import boot_scale
from scenarios.planner.present import Present, document, of_cluster

pytestmark = pytest.mark.sim

TEXT = """
name: there
world:
  hosts: {count: 5, racks: 2, vendors: {dell: 3, hpe: 2}, scale: {boot: 0.3, latency: 1}}
  managers: {replicas: 2, deployed: true}
  config: {provisioning.workerCount: "4"}
load: {machines: 4, arrivals: {constant: 0.05/s}}
limits: {timeout: 30m}
"""


def test_what_is_read_of_a_world_is_what_it_was_made_of() -> None:
    scenario = loads(TEXT)
    run = Run(scenario, clock="virtual", seed=1)
    seen: list[Present] = []

    def body(world: World) -> None:
        run.body(world)
        seen.append(of_cluster(world.cluster()))

    run_on("virtual", scenario, 1, body)
    assert run.evidence.ending == "settled"
    made = document(seen[0], None, {})
    read = build(made)
    assert read.world.hosts.vendors == {"dell": 3.0, "hpe": 2.0}
    assert (read.world.hosts.count, read.world.hosts.racks) == (5, 2)
    assert read.world.config == scenario.world.config
    assert read.world.managers.replicas == 2
    assert read.load.machines == 4
    # Boots of three tenths of the usual time are found in the machines' conditions.
    quartile = seen[0].history.quartile
    assert quartile is not None
    assert boot_scale(made, quartile) == pytest.approx(0.3, abs=0.06)


def test_the_scale_that_is_found_gives_the_times_that_were_seen() -> None:
    text = TEXT.replace("boot: 0.3", "boot: 1").replace("deployed: true", "deployed: false")
    made = parse(text, "there.yaml")
    scale = boot_scale(made, 90.0)
    lone = ["load.machines=5", "load.arrivals={constant: 0.01/s}", "limits.timeout=3h"]
    again = build(parse(text, "there.yaml"), [*lone, f"world.hosts.scale.boot={scale:g}"])
    times = sorted(
        one.provisioned - one.created
        for one in Model(again).run(1).machines
        if one.provisioned is not None
    )
    assert times[1] == pytest.approx(90.0, rel=0.1)
