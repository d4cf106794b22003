"""Faults of a seed: each kind in or out, some of them rare and harmful.

The kinds are those of the registers; a new one is drawn without a word here, by the forms of its
fields. A field whose range is wider than what a world can come back from has its own in ``RANGES``.
"""

from __future__ import annotations

from typing import Any

from emulator.faultkinds import KINDS, Kind, Param
from emulator.faultspec import MAX_SYMPTOMS
from scenarios.swarm.dice import Dice, Draws, span
from scenarios.swarm.scene import Scene

SHARES = (0.0, 0.03, 0.06, 0.12, 0.3)
"""The chance of each kind, one for a whole seed: swarm testing (Groce and others, ISSTA 2012)
shows that leaving kinds out finds what all of them together hide."""
CHANCES = (0.02, 0.1, 0.3, 0.6, 0.9, 1.0, 1.0)
RANGES: dict[str, tuple[float, float]] = {
    "rate": (64.0, 20_000.0),
    "ahead": (10.0, 1e6),
}
"""Of numbers and seconds by the field's name; the others are drawn from a tenth to a minute, within
the bounds of the register."""
STATUSES = (400, 401, 403, 404, 405, 409, 412, 429, 500, 501, 502, 503, 504)
PROPERTIES = ("PowerState", "Boot", "Boot/BootSourceOverrideTarget", "Actions", "Status", "Image")
PATHS = ("*/Actions/*", "*Reset", "*InsertMedia", "*EjectMedia", "*/Systems/*", "*/VirtualMedia/*")
METHODS = (["GET"], ["POST"], ["PATCH"], ["POST", "PATCH"])


def draw_bmc_faults(draws: Draws, scene: Scene) -> list[dict[str, Any]]:
    share = draws.of("bmc-faults").pick(SHARES)
    found = []
    for kind in KINDS.values():
        dice = draws.of(f"bmc-fault/{kind.name}")
        if dice.chance(share):
            found.append(bmc_fault(dice, kind, scene))
    return found


def bmc_fault(dice: Dice, kind: Kind, scene: Scene) -> dict[str, Any]:
    """One fault of the kind, over before the scene's window is."""
    fault: dict[str, Any] = {"id": f"bmc-{kind.name}", "kind": kind.name}
    if select := draw_select(dice, scene):
        fault["select"] = select
    fault |= draw_times(dice, scene.window, repeats=True)
    fault |= _how_often(dice)
    return fault | _fields(dice, kind)


def draw_times(dice: Dice, window: float, *, repeats: bool = False) -> dict[str, Any]:
    """``start`` and ``duration``, and ``every`` and ``times``, all within ``window`` seconds."""
    start = dice.log(0.05, window * 0.8) if dice.chance(0.7) else 0.0
    duration = dice.log(0.1, window - start)
    found: dict[str, Any] = {"start": span(start)} if start else {}
    found["duration"] = span(duration)
    if repeats and dice.chance(0.15) and 3 * duration < window - start:
        most = int((window - start) / duration) // 2
        found |= {"every": span(2 * duration), "times": dice.whole(2, max(2, min(most, 10)))}
    return found


def _how_often(dice: Dice) -> dict[str, Any]:
    """A chance for each occasion, or a small number of sure ones."""
    if dice.chance(0.25):
        return {"count": dice.pick((1, 1, 2, 5))}
    probability = dice.pick(CHANCES)
    return {"probability": probability} if probability < 1.0 else {}


def draw_select(dice: Dice, scene: Scene) -> dict[str, Any]:
    match dice.whole(0, 5):
        case 0:
            return {"fraction": dice.share(0.05, 0.9)}
        case 1:
            return {"hosts": dice.some(scene.names, 2)}
        case 2:
            return {"racks": [f"rack-{dice.whole(1, scene.racks)}"]}
        case 3:
            return {"vendors": dice.some(scene.vendors, 2)}
    return {}


def _fields(dice: Dice, kind: Kind) -> dict[str, Any]:
    """The kind's own fields, and the requests that it is narrowed to."""
    found: dict[str, Any] = {}
    if kind.matches and dice.chance(0.4):
        match: dict[str, Any] = {}
        if dice.chance(0.6):
            match["methods"] = dice.pick(METHODS)
        if not match or dice.chance(0.5):
            match["path"] = dice.pick(PATHS)
        found["match"] = match
    for param in kind.params:
        if param.required or param.name == "status" or dice.chance(0.6):
            value = _value(dice, param)
            if value is not None:
                found[param.name] = value
    return found


def _value(dice: Dice, param: Param) -> Any:
    low, high = RANGES.get(param.name, (0.1, 60.0))
    match param.form:
        case "seconds":
            seconds = dice.log(max(low, param.low), min(high, param.high))
            sign = "-" if param.low < 0 and dice.chance(0.5) else ""
            return sign + span(seconds)
        case "whole":
            if param.name == "status":
                return dice.pick(STATUSES)
            return dice.whole(int(max(1, param.low)), int(min(60.0, param.high)))
        case "number":
            if param.high <= 1.0:
                return dice.share(param.low, param.high)
            return dice.log(max(low, param.low), min(high, param.high))
        case "flag":
            return dice.chance(0.5)
        case "choice":
            return dice.pick(param.choices)
        case "texts":
            return dice.some(PROPERTIES, 3)
        case "latency":
            return draw_latency(dice)
        case "symptoms":
            return _symptoms(dice)


def draw_latency(dice: Dice) -> dict[str, Any]:
    distribution = dice.pick(("constant", "lognormal", "gamma", "uniform"))
    mean = dice.log(0.01, 8.0)
    latency: dict[str, Any] = {"distribution": distribution, "mean": span(mean)}
    if distribution == "lognormal":
        latency["sigma"] = dice.share(0.2, 2.0)
    elif distribution != "constant":
        latency["sigma"] = round(mean * dice.share(0.1, 0.9), 4)
    return latency


def _symptoms(dice: Dice) -> list[dict[str, Any]]:
    plain = [kind for kind in KINDS.values() if kind.name != "firmware-bug"]
    return [
        {"kind": kind.name, "probability": dice.pick(CHANCES[:5]), **_fields(dice, kind)}
        for kind in dice.some(plain, min(3, MAX_SYMPTOMS))
    ]
