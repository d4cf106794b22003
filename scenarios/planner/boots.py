"""How long boots take where a plan is for: the scale at which the model's machines are as fast."""

from __future__ import annotations

from copy import deepcopy

from beskar7.api.documents import Node
from scenarios.engine.loader import build
from scenarios.models.play import Model

SAMPLE = 40
"""Machines of a run, which come one by one."""
LEAST, MOST = 0.01, 20.0
"""Of the scale; beyond them the history is of something else."""
LONE = "load.arrivals={constant: 0.01/s}"
QUARTILE = 4


def boot_scale(document: Node, quartile: float) -> float:
    """Such that a quarter of the machines is Provisioned within ``quartile`` seconds.

    What machines wait for each other is in the history, too, but least in its fastest quarter, so
    the model's machines come alone. Its times are linear in the scale: two runs tell.
    """
    none, real = (_quartile(document, scale) for scale in (LEAST, 1.0))
    scale = LEAST + (1.0 - LEAST) * (quartile - none) / max(real - none, 1e-9)
    return round(min(MOST, max(LEAST, scale)), 4)


def _quartile(document: Node, scale: float) -> float:
    count = min(SAMPLE, build(deepcopy(document)).world.hosts.count)
    overrides = [f"load.machines={count}", LONE, f"world.hosts.scale.boot={scale:g}"]
    scenario = build(deepcopy(document), [*overrides, "load.lifetime="])
    times = sorted(
        one.provisioned - one.created
        for one in Model(scenario).run(1).machines
        if one.provisioned is not None
    )
    return times[(len(times) - 1) // QUARTILE]
