"""The space that is searched: each axis a row of values, from the cheapest to the most capable.

A value is set by the overrides that ``beskar7 run --set`` takes, so a candidate is a scenario.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.problems import closest
from beskar7.config import KEYS, Tuning
from beskar7.redfish.vendors import vendor_of
from emulator.bmc.personalityfile import personalities
from scenarios.engine.schema import Scenario

COORDINATOR = "enable-claim-coordinator-leader-election"
LONGEST_REST = 60.0
"""Seconds; the configuration takes no more."""
RESTS = (4.0, 3.0, 2.0, 1.5, 1.0)
"""Times what the vendor asks for. Less is left to who knows their BMCs better (``--set``)."""
LEAST = {
    "replicas": "2",
    "ops": str(Tuning().max_concurrent_ops),
    "workers": str(Tuning().worker_count),
    "reconciles": str(Tuning().max_concurrent_reconciles),
    "queue": str(Tuning().max_queue_size),
    "cooldown": "x2",
}
"""Where the search begins unless a range says otherwise: the documented defaults, and what an
installation has. Less would save nothing that a scenario could show the worth of."""
LOOKS = ("1m", "30s", "20s", "10s", "5s", "2s", "1s")
MOST_VALUES = 10_000
_SPAN = re.compile(r"(\d{1,6})\.\.(\d{1,6})")


class AxisError(Exception):
    """A range cannot be searched; ``args[0]`` says what would be right."""


@dataclass(frozen=True)
class Axis:
    """``units``: how much of what costs a value is; grows along ``values``.

    ``ordered``: more of it serves no worse, so that the least that serves is found by halving.
    ``keys``: what it is called where it is applied.
    """

    name: str
    values: tuple[str, ...]
    overrides: Callable[[str], list[str]]
    units: Callable[[str], float]
    keys: str
    ordered: bool = True


def axes(scenario: Scenario, tuning: Tuning, ranges: Sequence[str] = ()) -> list[Axis]:
    """All that can be searched for the scenario; ``tuning`` is that of its file.

    ``ranges``: ``AXIS=VALUE``, ``AXIS=LOW..HIGH`` or ``AXIS=A,B`` narrows one. Raises AxisError.
    """
    found = {axis.name: axis for axis in _all(scenario, tuning)}
    asked = {text.partition("=")[0] for text in ranges}
    for name, least in LEAST.items():
        if name not in asked:
            axis = found[name]
            found[name] = replace(axis, values=axis.values[axis.values.index(least) :])
    for text in ranges:
        name, separator, wanted = text.partition("=")
        if not separator or not wanted:
            raise AxisError(f"--range {text}: write AXIS=LOW..HIGH or AXIS=A,B, as in workers=4..8")
        if name not in found:
            raise AxisError(f"--range {text}: no axis {name!r}; {closest(name, found)}")
        found[name] = _narrowed(found[name], text, wanted)
    return list(found.values())


def _narrowed(axis: Axis, text: str, wanted: str) -> Axis:
    span = _SPAN.fullmatch(wanted)
    if span:
        low, high = int(span[1]), int(span[2])
        values = tuple(v for v in axis.values if v.isdigit() and low <= int(v) <= high)
    else:
        asked = wanted.split(",")
        for value in asked:
            if value not in axis.values:
                raise AxisError(f"--range {text}: {value!r} is not possible; {_possible(axis)}")
        values = tuple(value for value in axis.values if value in asked)
    if not values:
        raise AxisError(f"--range {text}: nothing is left of it; {_possible(axis)}")
    return replace(axis, values=values)


def _possible(axis: Axis) -> str:
    if len(axis.values) > 12:
        return f"possible: {axis.values[0]} to {axis.values[-1]}"
    return f"possible: {', '.join(axis.values)}"


def _all(scenario: Scenario, tuning: Tuning) -> list[Axis]:
    hosts = scenario.world.hosts
    grouped = sum(group.count for group in hosts.groups)
    return [
        _counted("hosts", "world.hosts.count", range(max(1, grouped), hosts.count + 1)),
        _counted("replicas", "world.managers.replicas", range(1, 6)),
        _counted("ops", "provisioning.maxConcurrentOps", range(1, 51)),
        _setting("looks", "bmc.bootPollInterval", LOOKS, lambda value: 1.0 / parse_duration(value)),
        _counted("workers", "provisioning.workerCount", range(1, 76)),
        _counted("reconciles", "reconcile.maxConcurrentReconciles", range(1, 51)),
        _counted("queue", "provisioning.maxQueueSize", range(10, 501, 10)),
        _cooldown(scenario, tuning),
        _choice("mode", ("claims", "leader"), _mode, f"--{COORDINATOR}"),
        _choice(
            "algorithm",
            ("deterministic", "round-robin", "priority"),
            lambda value: [f"world.config.hostSelection.algorithm={value}"],
            "hostSelection.algorithm",
        ),
    ]


def _counted(name: str, key: str, numbers: range) -> Axis:
    return _setting(name, key, tuple(map(str, numbers)), float)


def _setting(name: str, key: str, values: tuple[str, ...], units: Callable[[str], float]) -> Axis:
    path = f"world.config.{key}" if key in KEYS else key
    return Axis(name, values, lambda value: [f"{path}={_quoted(path, value)}"], units, key)


def _quoted(path: str, value: str) -> str:
    """A ConfigMap holds texts."""
    return f"'{value}'" if path.startswith("world.config.") else value


def _choice(
    name: str, values: tuple[str, ...], overrides: Callable[[str], list[str]], keys: str
) -> Axis:
    usual = values[0]
    return Axis(name, values, overrides, lambda value: float(value != usual), keys, ordered=False)


def _mode(value: str) -> list[str]:
    return [f"world.managers.args.{COORDINATOR}={str(value == 'leader').lower()}"]


def _cooldown(scenario: Scenario, tuning: Tuning) -> Axis:
    """As a multiple of each vendor's own; the file's, where that has one."""
    own = cooldowns(scenario, tuning)

    def overrides(value: str) -> list[str]:
        if value == "x1":
            return []
        return [
            f"world.config.bmc.vendor.{vendor}.cooldownPeriod={format_duration(rest)}"
            for vendor, rest in rests(own, float(value[1:])).items()
        ]

    return Axis(
        "cooldown",
        tuple(f"x{factor:g}" for factor in RESTS),
        overrides,
        lambda value: 1.0 / float(value[1:]),
        "bmc.vendor.*.cooldownPeriod",
    )


def cooldowns(scenario: Scenario, tuning: Tuning) -> dict[str, float]:
    """Seconds of rest for each of the controller's vendors in the fleet."""
    known = personalities()
    found = {}
    for name, weight in scenario.world.hosts.vendors.items():
        if weight > 0 and name in known:
            vendor = vendor_of(known[name].variants[0].manufacturer)
            found[vendor.name] = tuning.cooldown(vendor)
    return found


def rests(own: Mapping[str, float], factor: float) -> dict[str, float]:
    return {name: min(LONGEST_REST, rest * factor) for name, rest in own.items()}
