"""Which hosts of a scenario its faults may hit, and which faults the model knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.bmc.spec import FleetSpec
from emulator.faultspec import Fault
from scenarios.engine.schema import AddFault, Scenario


def of_bmcs(fault: Mapping[str, Any]) -> bool:
    """Whether it is a fault of BMCs alone: not of the API, nor of the network between two ends."""
    return "target" not in fault


def named(scenario: Scenario) -> dict[str, Mapping[str, Any]]:
    """All faults that the scenario's file has, by where they stand."""
    found = {f"faults.{number}": fault for number, fault in enumerate(scenario.faults)}
    for number, act in enumerate(scenario.acts):
        if isinstance(act.action, AddFault):
            found[f"acts.{number}.add_fault"] = act.action.fault
    return found


def unknown(scenario: Scenario) -> list[str]:
    """The faults that the model does not know, by where they stand."""
    faults = named(scenario).items()
    return [f"{where} ({fault['kind']})" for where, fault in faults if not of_bmcs(fault)]


def hit_hosts(scenario: Scenario, spec: FleetSpec, seed: int) -> frozenset[str]:
    """The names of the hosts that some fault of BMCs selects at some time, at this seed."""
    targets = [host.target(host.firmware) for host in spec.hosts]
    chosen: set[str] = set()
    for given in named(scenario).values():
        if of_bmcs(given):
            fault = Fault.from_dict(dict(given))
            chosen |= fault.select.choose(targets, f"{seed}/{fault.id}")
    return frozenset(chosen)
