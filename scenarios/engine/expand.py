"""From a scenario to the things in its world: hosts with addresses, and objects.

Pure: the same scenario gives the same world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, PHYSICAL_HOST
from beskar7.config import CONFIG_MAP_NAME, Tuning
from beskar7.flags import manager_settings
from beskar7.redfish.vendors import vendor_of
from emulator.bmc.personality import Family
from emulator.bmc.personalityfile import load, personalities
from scenarios.engine.schema import HostGroup, HostsSpec, LoadSpec, Scenario, Variant

SYSTEM_NAMESPACE = "beskar7-system"
CREDENTIALS_SECRET = "bmc-credentials"  # noqa: S105 - the name of a Secret, not a secret


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host of the world; ``name`` is both its BMC's and its PhysicalHost's."""

    name: str
    address: str
    vendor: str
    rack: str
    group: HostGroup


def apportion(count: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Shares of ``count`` by largest remainder; ties go to the name first given."""
    total = sum(weights.values())
    exact = {name: count * weight / total for name, weight in weights.items()}
    shares = {name: int(share) for name, share in exact.items()}
    left = count - sum(shares.values())
    by_remainder = sorted(exact, key=lambda name: shares[name] - exact[name])
    for name in by_remainder[:left]:
        shares[name] += 1
    return shares


def _interleave(shares: Mapping[str, int]) -> list[str]:
    """The names spread evenly, so that every rack gets its part of every vendor."""
    places = [
        ((index + 0.5) / share, order, name)
        for order, (name, share) in enumerate(shares.items())
        for index in range(share)
    ]
    return [name for _, _, name in sorted(places)]


def plan_hosts(spec: HostsSpec) -> list[HostPlan]:
    """The hosts in order, one loopback address each (127.10.0.1 and on)."""
    vendors = _interleave(apportion(spec.count, spec.vendors))
    width = max(3, len(str(spec.count)))
    groups = [group for group in spec.groups for _ in range(group.count)]
    others = HostGroup(
        spec.count - len(groups), spec.cores, spec.memory_gib, spec.labels, spec.tags
    )
    groups += [others] * others.count
    return [
        HostPlan(
            name=f"host-{index + 1:0{width}d}",
            address=f"127.10.{index // 250}.{index % 250 + 1}",
            vendor=vendor,
            rack=f"rack-{index % spec.racks + 1}",
            group=group,
        )
        for index, (vendor, group) in enumerate(zip(vendors, groups, strict=True))
    ]


def fleet_spec(
    scenario: Scenario, seed: int, *, port: int = 0, tls: bool = False
) -> dict[str, Any]:
    """The world's BMCs as the fleet takes them. The faults come later, with the load."""
    spec = scenario.world.hosts
    return {
        "seed": seed,
        "port": port,
        "tls": tls,
        "hosts": [
            {
                "name": host.name,
                "address": host.address,
                "vendor": host.vendor,
                "rack": host.rack,
                "labels": dict(host.group.labels),
                "cores": host.group.cores,
                "memory_gib": host.group.memory_gib,
                "power": "Off",
            }
            for host in plan_hosts(spec)
        ],
        "faults": [],
        "personalities": list(spec.personalities),
        "scale": {"boot": spec.boot_scale, "latency": spec.latency_scale},
    }


def physical_host(scenario: Scenario, host: HostPlan, address: str) -> dict[str, Any]:
    """The PhysicalHost object; ``address`` is the URL of its BMC."""
    return {
        "apiVersion": PHYSICAL_HOST.api_version,
        "kind": PHYSICAL_HOST.kind,
        "metadata": {
            "name": host.name,
            "namespace": scenario.load.namespace,
            "labels": {
                **host.group.labels,
                "topology.kubernetes.io/zone": host.rack,
                "beskar7.io/vendor": host.vendor,
            },
        },
        "spec": {
            "redfishConnection": {
                "address": address,
                "credentialsSecretRef": CREDENTIALS_SECRET,
                "insecureSkipVerify": True,
            },
            **({"tags": list(host.group.tags)} if host.group.tags else {}),
        },
    }


def config_map(scenario: Scenario) -> dict[str, Any]:
    """The controller's ConfigMap with the scenario's settings."""
    return {
        "apiVersion": CONFIG_MAP.api_version,
        "kind": CONFIG_MAP.kind,
        "metadata": {"name": CONFIG_MAP_NAME, "namespace": SYSTEM_NAMESPACE},
        "data": dict(scenario.world.config),
    }


def machine(load: LoadSpec, number: int, variant: int | None = None) -> dict[str, Any]:
    """The ``number``-th (from 1) Beskar7Machine of the run.

    ``variant`` is its position in the mix; None: the one whose turn it is.
    """
    position = turn_of(load, number) if variant is None else variant
    return {
        "apiVersion": BESKAR7_MACHINE.api_version,
        "kind": BESKAR7_MACHINE.kind,
        "metadata": {"name": f"machine-{number:03d}", "namespace": load.namespace},
        "spec": machine_spec(load.mix[position]),
    }


def turn_of(load: LoadSpec, number: int) -> int:
    """Whose turn it is in the mix at the ``number``-th (from 1) machine: the variant's position."""
    order = _round(tuple(variant.weight for variant in load.mix))
    return order[(number - 1) % len(order)]


@lru_cache(maxsize=8)
def _round(weights: tuple[int, ...]) -> tuple[int, ...]:
    """The positions of the variants in the order in which one round of machines takes them."""
    return tuple(map(int, _interleave({str(at): weight for at, weight in enumerate(weights)})))


def machine_spec(variant: Variant) -> dict[str, Any]:
    """The Beskar7Machine's spec; what the variant does not say is left to the API."""
    wanted = variant.requirements
    requirements = {
        "requiredTags": list(wanted.required_tags),
        "preferredTags": list(wanted.preferred_tags),
        "requiredLabels": dict(wanted.required_labels),
        "preferredLabels": dict(wanted.preferred_labels),
        "minCPUCores": wanted.min_cpu_cores,
        "minMemoryGB": wanted.min_memory_gb,
    }
    spec: dict[str, Any] = {
        "imageURL": variant.image_url,
        "osFamily": variant.os_family,
        "provisioningMode": variant.provisioning_mode,
        "configURL": variant.config_url,
        "bootMode": variant.boot_mode,
        "hostRequirements": {name: value for name, value in requirements.items() if value},
    }
    return {name: value for name, value in spec.items() if value}


def tuning_of(scenario: Scenario) -> Tuning:
    """With which its managers begin: by their flags, then the ConfigMap, then defaults."""
    world = scenario.world
    return manager_settings("scenario", world.managers.args).tuned(world.config)


def cooldowns(scenario: Scenario) -> dict[str, float]:
    """Seconds of cooldown that each host's BMC is owed, as the controller reads its ConfigMap.

    Without a value there it is the vendor's.
    """
    tuning = tuning_of(scenario)
    families: Mapping[str, Family] = personalities()
    for place in scenario.world.hosts.personalities:
        families = load(Path(place), families)
    return {
        # The controller knows a vendor by the manufacturer that the BMC names.
        host.name: tuning.cooldown(vendor_of(families[host.vendor].variants[0].manufacturer))
        for host in plan_hosts(scenario.world.hosts)
    }


def elects_leader(scenario: Scenario) -> bool:
    """Whether the managers elect a leader; they do unless told not to."""
    return scenario.world.managers.args.get("leader-elect", "true").lower() not in ("false", "0")
