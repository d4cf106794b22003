"""What is done in the course of a seed's run: managers die and come, machines come and go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from scenarios.engine.schema import Which
from scenarios.swarm.dice import Dice, Draws, span
from scenarios.swarm.scene import Scene

Timed = tuple[float, dict[str, Any]]
"""Seconds after the load's start, and what is done then."""


FOLLOWED: dict[str, tuple[str, ...]] = {
    "provisioning.maxConcurrentOps": ("0", "1", "2", "20"),
    "provisioning.workerCount": ("1", "2", "20"),
    "provisioning.suspectWorkerCount": ("0", "1", "16"),
    "provisioning.maxQueueSize": ("10", "50", "500"),
    "provisioning.operationTimeout": ("60s", "300s"),
    "hostSelection.algorithm": ("deterministic", "round-robin", "priority"),
    "bmc.bootPollInterval": ("1s", "2s", "10s"),
    "bmc.circuitBreaker.failureThreshold": ("0", "1", "5"),
    "bmc.vendor.hpe.maxConcurrentOps": ("0", "1", "12"),
}
"""Settings that the controller follows live, and values of them. Those that drain (0) are taken
back before the end."""


def draw_acts(draws: Draws, scene: Scene, rare: Sequence[Timed] = ()) -> list[dict[str, Any]]:
    """Acts in the order of their times, and last what follows when all is at rest."""
    timed = [
        *rare,
        *_deaths(draws.of("deaths"), scene),
        *_coming_and_going(draws.of("orders"), scene),
        *_settings(draws.of("settings"), scene),
    ]
    timed.sort(key=lambda entry: entry[0])
    acts: list[dict[str, Any]] = [{"at": span(at), **action} for at, action in timed]
    return acts + _afterwards(draws.of("afterwards"))


def _deaths(dice: Dice, scene: Scene) -> list[Timed]:
    """Managers are killed; one at least lives in the end."""
    if not scene.managers or not dice.chance(0.6):
        return []
    rounds = dice.pick((1, 1, 2, 3, 5))
    living = scene.managers
    found: list[Timed] = []
    at = 0.0
    for _ in range(rounds):
        at += dice.log(0.05, scene.window / rounds)
        target = dice.pick(("leader-first", "leader-first", "any"))
        found.append((at, {"kill_manager": {"target": target}}))
        living -= 1
        # Without leader election a second manager would be against the rules.
        if living == 0 or (scene.elects and dice.chance(0.7)):
            at += dice.log(0.01, 10.0)
            found.append((at, {"start_manager": {}}))
            living += 1
    if scene.elects and dice.chance(0.15):
        found.append((dice.log(0.1, scene.window), {"start_manager": {}}))
    return found


def _coming_and_going(dice: Dice, scene: Scene) -> list[Timed]:
    found: list[Timed] = []
    while len(found) < 4 and dice.chance(0.5):
        at = dice.log(0.05, scene.window)
        if dice.chance(0.65):
            count = dice.whole(1, max(1, scene.machines))
            which = dice.pick(get_args(Which))
            found.append((at, {"delete_machines": {"count": count, "which": which}}))
        else:
            found.append((at, {"create_machines": {"count": dice.whole(1, scene.hosts)}}))
    return found


def _settings(dice: Dice, scene: Scene) -> list[Timed]:
    """The ConfigMap changes while the controller works by it."""
    found: list[Timed] = []
    at = 0.0
    while len(found) < 6 and dice.chance(0.25):
        key = dice.pick(tuple(FOLLOWED))
        value = dice.pick(FOLLOWED[key])
        at += dice.log(0.1, scene.window / 4)
        found.append((at, {"configure": {key: value}}))
        if value == "0" and key.endswith("maxConcurrentOps"):
            at += dice.log(0.1, scene.window / 4)
            found.append((at, {"configure": {key: dice.pick(("1", "5"))}}))
    return found


def _afterwards(dice: Dice) -> list[dict[str, Any]]:
    """Once all is at rest, hosts are given back and taken anew: by a world that is well again.

    As often as not so late that what was disturbed has no excuse any more.
    """
    acts: list[dict[str, Any]] = []
    while len(acts) < 4 and dice.chance(0.5):
        deleted = {"count": dice.pick((1, 1, 2, 5)), "which": dice.pick(get_args(Which))}
        acts.append(_at_rest(dice) | {"delete_machines": deleted})
        if dice.chance(0.5):
            created = {"count": dice.whole(1, 3)}
            acts.append(_at_rest(dice) | {"create_machines": created})
    return acts


def _at_rest(dice: Dice) -> dict[str, Any]:
    delay = dice.pick(("", "", "1m", "6m"))
    return {"when": {"settled": True}, **({"delay": delay} if delay else {})}
