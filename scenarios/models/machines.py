"""The model's hosts: whose times are the emulator's, by personality and with its streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beskar7.api.meta import ObjectKey
from beskar7.config import Tuning
from beskar7.coordination.operations import OperationKind
from beskar7.redfish.vendors import vendor_of
from beskar7.runtime import Runtime
from emulator.bmc.personality import Personality
from emulator.bmc.spec import FleetSpec
from emulator.bmc.timing import Timing
from scenarios.engine.expand import fleet_spec
from scenarios.engine.schema import Scenario
from scenarios.models.learn import Scripts

READS = frozenset(("get", "system", "collection"))
"""Requests that change nothing, by their kind of latency."""


class ModelHost:
    """One host and its BMC. What it draws, it draws as the emulated one does."""

    __slots__ = (
        *("_beside", "_scripts", "_timing", "bmc", "cooldown", "key", "name"),
        *("mean_look", "on", "settles_at", "turn", "vendor"),
    )

    def __init__(
        self,
        key: ObjectKey,
        bmc: str,
        vendor: str,
        cooldown: float,
        timing: Timing,
        scripts: Mapping[OperationKind, tuple[str, ...]],
        mean_look: float,
        beside: float = 0.0,
    ) -> None:
        self.key = key
        self.name = key.name
        self.bmc = bmc
        self.vendor = vendor
        self.cooldown = cooldown
        """Seconds of rest between two writing operations."""
        self.on = False
        self.settles_at = 0.0
        """When the boot that was asked for last is over, or the power is off."""
        self.turn = 0
        """Grows when what was begun with it counts no more."""
        self.mean_look = mean_look
        self._timing = timing
        self._beside = beside
        """Seconds that each request takes beside the BMC's own time."""
        self._scripts = scripts

    def lasts(self, kind: OperationKind) -> tuple[float, float]:
        """How long an operation's requests take, one after the other; and those before the first
        write."""
        answer = self._timing.answer
        total, before = 0.0, -1.0
        for request in self._scripts[kind]:
            if before < 0.0 and request not in READS:
                before = total
            total += answer(request) + self._beside
        return total, max(0.0, before)

    def look(self) -> float:
        """How long a look at a boot takes."""
        return self._timing.answer("system") + self._beside

    def last_look(self) -> float:
        """The look that sees the boot done goes on to the drive."""
        return self._timing.answer("system") + self._timing.answer("get") + 2.0 * self._beside

    def boot(self, now: float) -> None:
        """A reset takes effect at ``now``."""
        power = self._timing.power_on()
        self.on = True
        self.settles_at = now + power + self._timing.boot()

    def switch_off(self, now: float) -> None:
        self.settles_at = now + (self._timing.power_off() if self.on else 0.0)
        self.on = False


@dataclass(frozen=True, slots=True)
class HostKind:
    """What is the same of a host in every run."""

    key: ObjectKey
    bmc: str
    vendor: str
    cooldown: float
    personality: Personality
    scripts: Mapping[OperationKind, tuple[str, ...]]
    boot_scale: float
    latency_scale: float

    def made(self, runtime: Runtime, beside: float = 0.0) -> ModelHost:
        """The host of one run, with that run's luck. ``beside``: seconds that a request to its BMC
        takes beside the BMC's own time."""
        timing = Timing(
            self.personality, runtime, self.key.name, self.boot_scale, self.latency_scale
        )
        mean_look = self.personality.latency_of("system").mean * self.latency_scale + beside
        return ModelHost(
            self.key, self.bmc, self.vendor, self.cooldown, timing, self.scripts, mean_look, beside
        )


def host_kinds(scenario: Scenario, tuning: Tuning, scripts: Scripts) -> tuple[HostKind, ...]:
    """Of the scenario's hosts, in their order."""
    spec = FleetSpec.from_dict(fleet_spec(scenario, 0))
    by_vendor: dict[str, dict[OperationKind, tuple[str, ...]]] = {}
    for (name, kind), rows in scripts.items():
        by_vendor.setdefault(name, {})[kind] = _typical(rows)
    kinds = []
    for host in spec.hosts:
        personality: Personality = spec.personalities[host.vendor].of(host.name, host.firmware)
        vendor = vendor_of(personality.manufacturer)
        kinds.append(
            HostKind(
                ObjectKey(scenario.load.namespace, host.name),
                host.address,
                vendor.name,
                tuning.cooldown(vendor),
                personality,
                by_vendor.get(host.vendor, {}),
                spec.boot_scale,
                spec.latency_scale,
            )
        )
    return tuple(kinds)


def _typical(rows: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    """The row of middling length."""
    return sorted(rows, key=len)[len(rows) // 2]
