"""Hosts as a cluster shows them, told apart by what its machines ask for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.redfish.vendors import vendor_of
from scenarios.engine.load_fields import MAX_VARIANTS, MAX_WEIGHT
from scenarios.engine.loader import MAX_GROUPS

VENDOR_LABEL = "beskar7.io/vendor"
DEFAULT_CORES, DEFAULT_MEMORY = 32, 128
"""Of a host that does not say; as in scenarios."""


def fleet_of(
    hosts: Sequence[PhysicalHost], machines: Sequence[Beskar7Machine]
) -> tuple[dict[str, Any], list[str]]:
    """Vendors by weight, and groups where hosts differ in what machines ask for."""
    vendors = Counter(_vendor(host) for host in hosts)
    asked = _asked(machines)
    sorts = Counter(_sort(host, asked) for host in hosts)
    fleet: dict[str, Any] = {
        "count": len(hosts),
        "vendors": dict(sorted(vendors.items())),
        "racks": len({host.zone for host in hosts}),
    }
    notes = []
    if len(sorts) > MAX_GROUPS:
        notes.append(f"{len(sorts)} sorts of hosts; the {MAX_GROUPS} greatest are told apart")
    groups = [
        {
            "count": count,
            "cores": cores,
            "memory_gib": memory,
            "labels": dict(labels),
            "tags": list(tags),
        }
        for (cores, memory, labels, tags), count in sorts.most_common(MAX_GROUPS)
    ]
    if len(groups) == 1:
        groups[0].pop("count")
        fleet.update(groups[0])
    else:
        fleet["groups"] = groups
        notes.append("hosts differ in what machines ask for: their number is not searched")
    return fleet, notes


def _vendor(host: PhysicalHost) -> str:
    details = host.status.get("hardwareDetails") or {}
    said = details.get("manufacturer") or host.labels.get(VENDOR_LABEL) or ""
    return vendor_of(str(said)).name


def _asked(machines: Iterable[Beskar7Machine]) -> tuple[bool, frozenset[str], frozenset[str]]:
    """Whether hardware matters, and which labels and tags do."""
    wishes = [machine.spec.get("hostRequirements") or {} for machine in machines]
    return (
        any(wish.get("minCPUCores") or wish.get("minMemoryGB") for wish in wishes),
        frozenset(
            label
            for wish in wishes
            for name in ("requiredLabels", "preferredLabels")
            for label in wish.get(name) or {}
        ),
        frozenset(
            tag
            for wish in wishes
            for name in ("requiredTags", "preferredTags")
            for tag in wish.get(name) or ()
        ),
    )


WISHES = {
    "requiredTags": "required_tags",
    "preferredTags": "preferred_tags",
    "requiredLabels": "required_labels",
    "preferredLabels": "preferred_labels",
    "minCPUCores": "min_cpu_cores",
    "minMemoryGB": "min_memory_gb",
}
"""The field of the API -> that of a scenario."""


def mix_of(machines: Iterable[Beskar7Machine]) -> tuple[Mapping[str, Any], ...]:
    """A variant for each sort of wishes, the most frequent first, at most as many as a file has."""
    wishes: Counter[str] = Counter()
    for machine in machines:
        wish = machine.spec.get("hostRequirements") or {}
        kept = {ours: wish[theirs] for theirs, ours in WISHES.items() if wish.get(theirs)}
        wishes[json.dumps(kept, sort_keys=True)] += 1
    most = wishes.most_common(MAX_VARIANTS)
    if [text for text, _ in most] in ([], ["{}"]):
        return ()
    largest = most[0][1]
    return tuple(
        {
            "weight": max(1, count * MAX_WEIGHT // max(largest, MAX_WEIGHT)),
            "requirements": json.loads(text),
        }
        for text, count in most
    )


Sort = tuple[int, int, tuple[tuple[str, str], ...], tuple[str, ...]]


def _sort(host: PhysicalHost, asked: tuple[bool, frozenset[str], frozenset[str]]) -> Sort:
    hardware, labels, tags = asked
    details = host.status.get("hardwareDetails") or {}
    cores = int(details.get("cpuCores") or DEFAULT_CORES) if hardware else DEFAULT_CORES
    memory = int(details.get("memoryGiB") or DEFAULT_MEMORY) if hardware else DEFAULT_MEMORY
    return (
        cores,
        memory,
        tuple(sorted((k, str(v)) for k, v in host.labels.items() if k in labels)),
        tuple(sorted(tag for tag in host.spec.get("tags") or () if tag in tags)),
    )
