"""A scenario file from a seed alone: its world, its load, and all that goes wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from beskar7.api.durations import format_duration, parse_duration
from beskar7.runtime.streams import Streams
from scenarios.engine.schema import Limits
from scenarios.swarm.acts import draw_acts
from scenarios.swarm.apimishaps import draw_api_faults
from scenarios.swarm.dice import Draws
from scenarios.swarm.loads import draw_load
from scenarios.swarm.mishaps import draw_bmc_faults
from scenarios.swarm.rare import draw_rarities
from scenarios.swarm.scene import scene_of
from scenarios.swarm.worlds import draw_config, draw_world

QUIET = 2 * 3600.0
"""Virtual seconds without faults that a world has to come to rest in.

The longest that the controller may need: a host is judged stuck (15 minutes), fails, and is tried
again at growing intervals, while lost events are made good only by the next list.
"""


def draw(seed: int, base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The document of ``seed``, in the form of a scenario file.

    ``base``: a document whose world and load are kept; drawn are the faults, the deaths of
    managers, and settings that it leaves open. Its own faults and acts stay, its thresholds go:
    they were made for its own misfortune, while the invariants hold under any. So do the parts of
    a rehearsal, whose managers are pods; a swarm's are not. It has to load without a problem.
    """
    draws = Draws(Streams(seed))
    dice = draws.of("window")
    window = dice.pick((3.0, 10.0, 20.0, 40.0, 90.0))
    if base is None:
        world = draw_world(draws)
        load = draw_load(draws, world["hosts"]["count"], window)
        document: dict[str, Any] = {"name": f"swarm-{seed}", "world": world, "load": load}
    else:
        document = deepcopy(dict(base))
        for name in ("checks", "rehearsal", "guide"):
            document.pop(name, None)
        (document["world"].get("managers") or {}).pop("deployed", None)
        config = document["world"].get("config") or {}
        document["world"]["config"] = draw_config(draws) | config
    scene = scene_of(document, window)
    rare = draw_rarities(draws, scene)
    document["world"]["config"] |= rare.config
    drawn = [*draw_bmc_faults(draws, scene), *draw_api_faults(draws, scene), *rare.faults]
    document["faults"] = _named(drawn, document)
    document["acts"] = _acts(draw_acts(draws, scene, rare.acts), document.get("acts") or [])
    document["limits"] = _limits(document.get("limits") or {}, window)
    return document


def _named(drawn: list[dict[str, Any]], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The document's faults and those that were drawn, under names that it does not use."""
    own = list(document.get("faults") or [])
    added = [act["add_fault"] for act in document.get("acts") or [] if "add_fault" in act]
    taken = {fault["id"] for fault in (*own, *added)}
    for fault in drawn:
        while fault["id"] in taken:
            fault["id"] += "-drawn"
    return own + drawn


def _acts(drawn: list[dict[str, Any]], own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Acts wait for the one before them: those with a time go first, then what waits for rest."""
    timed = [act for act in drawn if "at" in act]
    return timed + own + drawn[len(timed) :]


def _limits(own: Mapping[str, Any], window: float) -> dict[str, str]:
    default = Limits()
    given = {name: own[name] for name in ("timeout", "enrol_timeout") if own.get(name)}
    timeout = parse_duration(given["timeout"]) if "timeout" in given else default.timeout
    enrol = parse_duration(given.get("enrol_timeout", "10m"))
    return {
        "timeout": format_duration(timeout + window + QUIET),
        "enrol_timeout": format_duration(max(enrol, 600.0)),
    }
