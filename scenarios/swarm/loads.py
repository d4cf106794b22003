"""The load of a seed: which machines come when, what they ask for, and how long they stay."""

from __future__ import annotations

from typing import Any

from scenarios.engine.schema import BOOT_MODES, OS_FAMILIES
from scenarios.swarm.dice import Dice, Draws, span
from scenarios.swarm.worlds import LABELS, TAGS

CONFIG_URL = "http://config.example/node.yaml"
MODES: tuple[dict[str, str], ...] = (
    {"provisioning_mode": "PreBakedISO"},
    {"provisioning_mode": "RemoteConfig", "config_url": CONFIG_URL},
    {"provisioning_mode": "PXE"},
    {"provisioning_mode": "iPXE"},
    {"config_url": CONFIG_URL},
)
IMAGES = ("http://images.example/kairos.iso", "http://images.example/flatcar.iso")


def draw_load(draws: Draws, hosts: int, window: float) -> dict[str, Any]:
    """``window``: seconds within which the machines come and, if they have a lifetime, go."""
    dice = draws.of("load")
    most = dice.pick((hosts, hosts + 2, 2 * hosts))
    machines = dice.whole(1, max(1, most))
    load: dict[str, Any] = {"machines": machines}
    if dice.chance(0.5):
        # At the slowest, the last machine comes in the middle of the window.
        process = dice.pick(("poisson", "constant"))
        load["arrivals"] = {process: f"{dice.log(2 * machines / window, 10.0 * machines):g}/s"}
    if dice.chance(0.3):
        process = dice.pick(("exponential", "constant"))
        load["lifetime"] = {process: span(dice.log(0.5, window / 2))}
    dice = draws.of("mix")
    if dice.chance(0.5):
        load["mix"] = [_variant(dice) for _ in range(dice.whole(1, 5))]
    return load


def _variant(dice: Dice) -> dict[str, Any]:
    variant: dict[str, Any] = {"weight": dice.whole(1, 3)}
    if dice.chance(0.6):
        variant |= dice.pick(MODES)
    if dice.chance(0.5):
        variant["os_family"] = dice.pick(OS_FAMILIES)
    if dice.chance(0.3):
        variant["image_url"] = dice.pick(IMAGES)
    if dice.chance(0.25) and "config_url" not in variant:
        # Not every vendor's mechanism can give kernel parameters to a boot by the old firmware.
        variant["boot_mode"] = dice.pick(BOOT_MODES)
    if dice.chance(0.35):
        variant["requirements"] = _requirements(dice)
    return variant


def _requirements(dice: Dice) -> dict[str, Any]:
    """What some hosts may have, and now and then what none has."""
    found: dict[str, Any] = {}
    if dice.chance(0.4):
        found["required_tags"] = dice.some((*TAGS, "fpga"), 2)
    if dice.chance(0.3):
        found["preferred_tags"] = dice.some(TAGS, 2)
    if dice.chance(0.3):
        found["required_labels"] = {key: dice.pick(values) for key, values in dice.some(LABELS, 1)}
    if dice.chance(0.2):
        found["preferred_labels"] = {key: dice.pick(values) for key, values in dice.some(LABELS, 2)}
    if dice.chance(0.3):
        found["min_cpu_cores"] = dice.pick((1, 17, 48, 65))
    if dice.chance(0.2):
        found["min_memory_gb"] = dice.pick((8, 129, 512))
    return found
