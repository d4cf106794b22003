"""Faults of a seed on the side of the Kubernetes API, clocks among them."""

from __future__ import annotations

from typing import Any

from emulator.faultbase import DIRECTIONS
from emulator.kube.faults.faultspec import KINDS
from scenarios.swarm.dice import Dice, Draws, span
from scenarios.swarm.mishaps import SHARES, draw_latency, draw_times
from scenarios.swarm.scene import Scene

WRITES = ("create", "update", "update_status", "patch", "patch_status", "delete")
READS = ("get", "list", "watch")
OBJECTS = (
    *("PhysicalHost", "Beskar7Machine", "HostClaim"),
    *("Lease", "Secret", "ConfigMap", "Event"),
)
STATUSES = (409, 429, 500, 503, 504)
"""What a Kubernetes API answers that is well or ill, but does not lie: no 404 for what exists."""
DRAWN = tuple(kind for kind in KINDS if kind != "memory-leak")
"""A leak needs managers that are pods, which a swarm's are not."""
OF_CONNECTIONS = ("partition", "restart", "clock-skew")
"""Kinds that select by client alone and are sure to hit."""
OF_WATCHES = ("drop-watch", "lose-event")
CHANCES = (0.05, 0.2, 0.5, 0.9, 1.0)


def draw_api_faults(draws: Draws, scene: Scene) -> list[dict[str, Any]]:
    share = draws.of("api-faults").pick(SHARES)
    found = []
    for kind in DRAWN:
        dice = draws.of(f"api-fault/{kind}")
        if dice.chance(2 * share):
            found.append(api_fault(dice, kind, scene))
    return found


def api_fault(dice: Dice, kind: str, scene: Scene) -> dict[str, Any]:
    """One fault of the kind, over before the scene's window is."""
    fault: dict[str, Any] = {"id": f"api-{kind}", "target": "api", "kind": kind}
    select: dict[str, Any] = {}
    if dice.chance(0.5):
        select["clients"] = [scene.client(dice.whole(1, scene.managers + 1))]
    fault |= draw_times(dice, scene.window)
    if kind not in OF_CONNECTIONS:
        select |= _requests(dice, kind)
        if dice.chance(0.25):
            fault["count"] = dice.pick((1, 1, 2, 5))
        elif (probability := dice.pick(CHANCES)) < 1.0:
            fault["probability"] = probability
    if select:
        fault["select"] = select
    return fault | _fields(dice, kind)


def _requests(dice: Dice, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if dice.chance(0.4):
        found["kinds"] = dice.some(OBJECTS, 2)
    if kind in OF_WATCHES or kind == "stale-list":
        return found
    if dice.chance(0.5):
        found["verbs"] = dice.some(WRITES if dice.chance(0.7) else READS, 3)
    return found


def _fields(dice: Dice, kind: str) -> dict[str, Any]:
    match kind:
        case "latency":
            return {"latency": draw_latency(dice)}
        case "delay":
            return {"latency": draw_latency(dice), "direction": dice.pick(DIRECTIONS)}
        case "loss":
            return {"direction": dice.pick(DIRECTIONS)}
        case "error":
            found: dict[str, Any] = {"status": dice.pick(STATUSES)}
            if dice.chance(0.3):
                found["retry_after"] = dice.whole(1, 20)
            return found | _perform(dice)
        case "hang" | "reset" | "partition":
            return _perform(dice)
        case "stale-list":
            return {"age": span(dice.log(0.1, 60.0))}
        case "clock-skew":
            sign = dice.pick(("", "-"))
            found = {"offset": sign + span(dice.log(0.1, 1e6))}
            if dice.chance(0.4):
                found["drift"] = dice.pick((-0.2, -0.001, 0.001, 0.2))
            return found
    return {}


def _perform(dice: Dice) -> dict[str, Any]:
    return {"perform": True} if dice.chance(0.4) else {}
