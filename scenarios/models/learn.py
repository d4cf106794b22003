"""Which requests the controller's operations consist of: learned from the controller itself.

A handful of hosts is provisioned and given back by the real controller in virtual time, and the
BMCs' log tells. So the model follows the code when that changes, and needs no list of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from beskar7.coordination.operations import OperationKind
from emulator.bmc.log import BmcRecord
from emulator.bmc.redfish import read_kind
from scenarios.engine.clocks import run_on
from scenarios.engine.expand import plan_hosts
from scenarios.engine.runner import Run
from scenarios.engine.schema import (
    Act,
    Arrivals,
    DeleteMachines,
    HostsSpec,
    Limits,
    LoadSpec,
    ManagersSpec,
    Scenario,
    Trigger,
    Variant,
    WorldSpec,
)

HOSTS_PER_VENDOR = 3
"""So that the firmware versions of a vendor are met, which depend on a host's name."""

Requests = tuple[str, ...]
Scripts = Mapping[tuple[str, OperationKind], tuple[Requests, ...]]
"""(vendor, operation) -> the rows of requests that were seen, by their kind of latency; a row that
was seen more often stands there as often."""


class NotLearned(Exception):
    """The short run that was to show the operations did not end as it should."""


def learn(scenario: Scenario) -> Scripts:
    """The scripts of the scenario's vendors and machines. Raises NotLearned."""
    hosts = scenario.world.hosts
    asked = tuple(sorted(hosts.vendors)), hosts.personalities, scenario.load.mix
    known = repr(asked)
    if known not in _learned:
        _learned[known] = _learn(*asked)
    return _learned[known]


_learned: dict[str, Scripts] = {}


def _learn(
    vendors: tuple[str, ...], personalities: tuple[str, ...], mix: tuple[Variant, ...]
) -> Scripts:
    count = HOSTS_PER_VENDOR * len(vendors)
    machines = max(count, sum(variant.weight for variant in mix))
    hosts = HostsSpec(
        count=machines,
        vendors=dict.fromkeys(vendors, 1.0),
        boot_scale=0.02,
        latency_scale=0.2,
        personalities=personalities,
    )
    plain = tuple(replace(variant, requirements=type(variant.requirements)()) for variant in mix)
    scenario = Scenario(
        name="learn",
        description="",
        world=WorldSpec(hosts, ManagersSpec(), {"provisioning.bmcCooldownPeriod": "1s"}),
        load=LoadSpec(machines, plain, Arrivals()),
        acts=(Act(Trigger(condition="settled"), DeleteMachines(machines)),),
        limits=Limits(timeout=900.0, enrol_timeout=300.0),
    )
    run = Run(scenario, clock="virtual", seed=1)
    run_on("virtual", scenario, 1, run.body)
    if run.evidence.ending != "settled":
        raise NotLearned(f"{run.evidence.ending}: {run.evidence.reason}")
    vendor_of = {host.name: host.vendor for host in plan_hosts(hosts)}
    return _scripts(run.evidence.requests, vendor_of)


def _scripts(records: Iterable[BmcRecord], vendor_of: Mapping[str, str]) -> Scripts:
    rows: dict[str, list[BmcRecord]] = {}
    for record in records:
        if record.operation:
            rows.setdefault(record.operation, []).append(record)
    found: dict[tuple[str, OperationKind], Counter[Requests]] = {}
    for name, row in rows.items():
        kind = OperationKind(name.partition(":")[0])
        key = vendor_of[row[0].host], kind
        found.setdefault(key, Counter())[tuple(map(kind_of, row))] += 1
    return {key: tuple(sorted(counts.elements())) for key, counts in found.items()}


def kind_of(record: BmcRecord) -> str:
    """Which of a personality's latencies the request had."""
    if record.method in ("GET", "HEAD"):
        return read_kind(record.path)
    action = record.action.partition(":")[0]
    known = {"reset": "reset", "insert-media": "media", "eject-media": "media", "set-boot": "boot"}
    return known.get(action, "patch")
