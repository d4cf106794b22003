"""Whether a host satisfies what a machine requires: the judges' own reading of the API's words.

Labels and tags are those of the objects; cores and memory are those that the world gave the host,
not what the controller says that it found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scenarios.engine.expand import plan_hosts
from scenarios.engine.schema import HostsSpec


@dataclass(frozen=True, slots=True)
class Hardware:
    cores: int = 0
    memory_gib: int = 0


Inventory = Mapping[str, Hardware]
"""By host name. A host that the scenario did not make has nothing that is known."""
UNKNOWN = Hardware()


def inventory(spec: HostsSpec) -> Inventory:
    return {
        host.name: Hardware(host.group.cores, host.group.memory_gib) for host in plan_hosts(spec)
    }


def requirements(machine: Mapping[str, Any] | None) -> dict[str, Any]:
    spec = (machine or {}).get("spec") or {}
    found: dict[str, Any] = spec.get("hostRequirements") or {}
    return found


def lacking(wanted: Mapping[str, Any], host: Mapping[str, Any], known: Inventory) -> Iterator[str]:
    """Each requirement that the host fails, in words."""
    tags = (host.get("spec") or {}).get("tags") or ()
    labels = host["metadata"].get("labels") or {}
    hardware = known.get(host["metadata"]["name"], UNKNOWN)
    for tag in wanted.get("requiredTags") or ():
        if tag not in tags:
            yield f"the tag {tag}"
    for name, value in (wanted.get("requiredLabels") or {}).items():
        if labels.get(name) != value:
            yield f"the label {name}={value}"
    if hardware.cores < (cores := wanted.get("minCPUCores") or 0):
        yield f"{cores} cores (it has {hardware.cores})"
    if hardware.memory_gib < (memory := wanted.get("minMemoryGB") or 0):
        yield f"{memory} GiB (it has {hardware.memory_gib})"


def fits(wanted: Mapping[str, Any], known: Inventory) -> Callable[[Mapping[str, Any] | None], bool]:
    """The question whether a host would do."""
    return lambda host: host is not None and not any(lacking(wanted, host, known))
