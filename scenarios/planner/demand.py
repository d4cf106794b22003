"""A scenario from a few numbers: what ``beskar7 plan --hosts N --machines N`` plans for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from beskar7.api.documents import Node, parse
from beskar7.api.problems import closest
from emulator.bmc.personalityfile import personalities

TIMEOUT = "24h"
"""Of a run; it ends with the load, long before."""
_VENDOR = re.compile(r"([a-z0-9-]{1,40})(?::(\d{1,6}))?")
_PROCESS = re.compile(r"([a-z]{1,20}):(.{1,100})")


class DemandError(Exception):
    """An option cannot be read; ``args[0]`` says what would be right."""


@dataclass(frozen=True, slots=True)
class Demand:
    """As the options say it; None: as the scenario's default is."""

    hosts: int
    machines: int
    vendors: str | None = None
    arrivals: str | None = None
    lifetime: str | None = None


def document(demand: Demand) -> Node:
    """The scenario's document, its times those of real machines. Raises DemandError."""
    return scenario_document(
        {"count": demand.hosts, "vendors": vendors(demand.vendors or "generic")},
        {"machines": demand.machines, **load_of(demand.arrivals, demand.lifetime)},
        {},
        {},
        "--hosts, --machines",
    )


def load_of(arrivals: str | None, lifetime: str | None) -> dict[str, Any]:
    """What the two options say, as a file has it. Raises DemandError."""
    load = {}
    if arrivals is not None:
        load["arrivals"] = _process("--arrivals", arrivals, "poisson:0.5/s")
    if lifetime is not None:
        load["lifetime"] = _process("--lifetime", lifetime, "exponential:30m")
    return load


def scenario_document(
    hosts: Mapping[str, Any],
    load: Mapping[str, Any],
    config: Mapping[str, str],
    managers: Mapping[str, Any],
    source: str,
) -> Node:
    """The document of a scenario whose hosts take as long as real ones; ``source`` names it."""
    text = yaml.safe_dump(
        {
            "name": "plan",
            "world": {
                "hosts": {**hosts, "scale": {"boot": 1.0, "latency": 1.0}},
                "managers": dict(managers) or {"replicas": 2},
                "config": dict(config),
            },
            "load": dict(load),
            "limits": {"timeout": TIMEOUT, "enrol_timeout": "1h"},
        },
        sort_keys=False,
    )
    return parse(text, source)


def vendors(text: str) -> dict[str, int]:
    """``dell:4,hpe:3``; a vendor alone weighs 1. Raises DemandError."""
    known = personalities()
    found: dict[str, int] = {}
    for part in text.split(","):
        matched = _VENDOR.fullmatch(part.strip())
        if matched is None:
            raise DemandError(
                f"--vendors {text}: {part!r} is not VENDOR:WEIGHT, as in dell:4,hpe:3"
            )
        if matched[1] not in known:
            raise DemandError(
                f"--vendors {text}: no vendor {matched[1]!r}; {closest(matched[1], known)}"
            )
        found[matched[1]] = int(matched[2] or 1)
    return found


def _process(option: str, text: str, example: str) -> Any:
    """``poisson:0.5/s`` as a file has it; the loader judges what stands in it."""
    if text == "batch":
        return text
    matched = _PROCESS.fullmatch(text)
    if matched is None:
        raise DemandError(f"{option} {text}: write for example {example}")
    return {matched[1]: _scalar(matched[2])}


def _scalar(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text
