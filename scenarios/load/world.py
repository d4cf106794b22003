"""The world that a shape of load is put on, as a scenario like any other."""

from __future__ import annotations

import math
from collections.abc import Sequence

import yaml

from loadtest.lifecycle import Settings
from loadtest.shapes import PACED, Shape
from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario

MARGIN = 60.0
"""Seconds beyond all that the load's users wait for, until a run is broken off."""
LEADER = "enable-claim-coordinator-leader-election"


def scenario(
    made: Shape,
    *,
    hosts: int | None = None,
    managers: int = 2,
    leader: bool = False,
    pods: bool = False,
    overrides: Sequence[str] = (),
) -> Scenario:
    """The scenario. Boots take seconds in it and BMCs answer fast, as in the scenario ``smoke``.

    ``hosts``: without, as many as the shape's users can have at one time. ``leader``: claims are
    handed over to an elected coordinator. ``pods``: managers are pods of the Deployment.

    Raises DocumentError for overrides that do not fit.
    """
    limits = Settings()
    asking = made.steps[-1].at + made.seconds
    longest = limits.provision_timeout + made.hold + limits.release_timeout
    name = f"load-{made.name}"
    document = {
        "name": name,
        "description": made.description,
        "world": {
            "hosts": {
                "count": made.users if hosts is None else hosts,
                "vendors": {"dell": 4, "hpe": 3, "lenovo": 2, "supermicro": 1},
                "scale": {"boot": 0.01, "latency": 0.1},
            },
            "managers": {
                "replicas": managers,
                "deployed": pods,
                **({"args": {LEADER: True}} if leader else {}),
            },
            "config": {
                "provisioning.maxConcurrentOps": 20,
                "provisioning.workerCount": 20,
                "provisioning.maxQueueSize": max(100, made.users),
                "provisioning.bmcCooldownPeriod": "1s",
            },
        },
        "load": _load(made),
        "limits": {
            "timeout": f"{math.ceil(asking + 2 * longest + MARGIN)}s",
            "enrol_timeout": "5m",
        },
    }
    return loads(yaml.safe_dump(document, sort_keys=False), name, overrides)


def _load(made: Shape) -> dict[str, object]:
    load: dict[str, object] = {"machines": made.machines, "image_url": Settings().image_url}
    if made.lives == PACED:
        load["arrivals"] = {"constant": f"{made.pace:g}/s"}
    return load
