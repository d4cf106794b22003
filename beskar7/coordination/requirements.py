"""What a machine asks of a host: required things filter, preferred things order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from beskar7.api.resources import Beskar7Machine, PhysicalHost

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Requirements:
    """``hostRequirements`` of a machine, as a value that can be a key.

    Memory is compared in GiB, as Redfish's MemorySummary gives it: a host sold as 128 GB has 128.
    """

    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    required_labels: Labels = ()
    preferred_labels: Labels = ()
    min_cpu_cores: int = 0
    min_memory_gib: int = 0

    @classmethod
    def of(cls, machine: Beskar7Machine) -> Requirements:
        found: dict[str, Any] = machine.spec.get("hostRequirements") or {}
        return cls(
            tuple(sorted(found.get("requiredTags") or ())),
            tuple(sorted(found.get("preferredTags") or ())),
            tuple(sorted((found.get("requiredLabels") or {}).items())),
            tuple(sorted((found.get("preferredLabels") or {}).items())),
            int(found.get("minCPUCores") or 0),
            int(found.get("minMemoryGB") or 0),
        )

    @property
    def simple(self) -> bool:
        """Any host will do."""
        return self == ANY

    def unmet(self, host: PhysicalHost) -> Iterator[str]:
        """The requirements that ``host`` fails; what its BMC does not tell, it does not have."""
        tags = host.spec.get("tags") or ()
        for tag in self.required_tags:
            if tag not in tags:
                yield f"tag {tag}"
        for name, value in self.required_labels:
            if host.labels.get(name) != value:
                yield f"label {name}={value}"
        hardware = host.status.get("hardwareDetails") or {}
        if int(hardware.get("cpuCores") or 0) < self.min_cpu_cores:
            yield f"minCPUCores {self.min_cpu_cores}"
        if int(hardware.get("memoryGiB") or 0) < self.min_memory_gib:
            yield f"minMemoryGB {self.min_memory_gib}"

    def met(self, host: PhysicalHost) -> bool:
        return next(self.unmet(host), None) is None

    def preference(self, host: PhysicalHost) -> int:
        """How many of the preferences ``host`` satisfies."""
        tags = host.spec.get("tags") or ()
        return sum(tag in tags for tag in self.preferred_tags) + sum(
            host.labels.get(name) == value for name, value in self.preferred_labels
        )

    def hopeless(self, hosts: Iterable[PhysicalHost]) -> str:
        """Why none of ``hosts`` could ever do, free or not; empty when one could, or unknown.

        A host that was not inspected yet may turn out to do.
        """
        if self.simple:
            return ""
        excluded: Counter[str] = Counter()
        total = 0
        for host in hosts:
            unmet = list(self.unmet(host))
            inspected = bool(host.status.get("hardwareDetails"))
            if not unmet or (not inspected and all(why.startswith("min") for why in unmet)):
                return ""
            total += 1
            excluded.update(unmet)
        if not total:
            return ""
        whys = ", ".join(f"{why} excludes {count}" for why, count in sorted(excluded.items()))
        return f"none of {total} hosts satisfies hostRequirements: {whys}"


ANY = Requirements()
