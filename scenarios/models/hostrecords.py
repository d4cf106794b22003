"""The hosts of the model as the API server has them, and as a manager's cache knows them."""

from __future__ import annotations

from dataclasses import dataclass

import simpy

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.runtime import VirtualRuntime
from scenarios.engine.expand import machine as machine_of
from scenarios.engine.expand import physical_host, plan_hosts, turn_of
from scenarios.engine.schema import Scenario
from scenarios.models.machines import ModelHost
from scenarios.models.modelmachine import ModelMachine

NEVER = float("-inf")


@dataclass(slots=True, eq=False)
class Record:
    """``version`` grows with every write that a claim may fail on. ``free``: Available, nobody's.

    ``suits``: the wishes that it satisfies, by their places.
    """

    host: ModelHost
    view: PhysicalHost
    suits: tuple[int, ...]
    version: int = 0
    free: bool = False
    owner: ModelMachine | None = None


class Wishes:
    """What machines require, each sort of it once."""

    def __init__(self, scenario: Scenario) -> None:
        load = scenario.load
        found: dict[Requirements, int] = {}
        self._places = [
            found.setdefault(
                Requirements.of(Beskar7Machine(machine_of(load, 1, variant))), len(found)
            )
            for variant in range(len(load.mix))
        ]
        count = sum(variant.weight for variant in load.mix)
        self._round = [turn_of(load, number) for number in range(1, count + 1)]
        self.all = tuple(found)

    def place(self, machine: ModelMachine) -> int:
        variant = machine.variant
        if variant is None:
            variant = self._round[(machine.number - 1) % len(self._round)]
        return self._places[variant]

    def of(self, machine: ModelMachine) -> Requirements:
        return self.all[self.place(machine)]


class HostRecords:
    """Who owns which host is decided here: by the version that a claim was made for.

    It keeps account of the claims that were tried and of those refused, and tells each machine
    since when there was a host for it.
    """

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        hosts: dict[ObjectKey, ModelHost],
        wishes: Wishes,
    ) -> None:
        self.wishes = wishes
        self.attempts = self.conflicts = self.free = 0
        self.by_key = {
            view.key: Record(hosts[view.key], view, _suits(view, wishes))
            for view in enrolled(scenario)
        }
        self._env = env
        self._counts = [0] * len(wishes.all)
        self._filled = [NEVER] * len(wishes.all)
        self._emptied = [NEVER] * len(wishes.all)

    def arrives(self, machine: ModelMachine) -> None:
        machine.waited = not self._counts[self.wishes.place(machine)]

    def offer(self, record: Record) -> None:
        """The host is Available and nobody's from now on."""
        assert not record.free, record
        record.version += 1
        record.free, record.owner = True, None
        self.free += 1
        for wish in record.suits:
            self._counts[wish] += 1
            if self._counts[wish] == 1:
                self._filled[wish] = self._env.now

    def claim(self, record: Record, version: int, machine: ModelMachine) -> bool:
        """The conditional update: False, and a conflict, unless ``version`` is the newest."""
        self.attempts += 1
        if record.version != version:
            self.conflicts += 1
            return False
        assert record.free, record
        wish = self.wishes.place(machine)
        machine.waited |= self._emptied[wish] >= machine.created
        machine.eligible = max(machine.created, self._filled[wish])
        record.version += 1
        record.free, record.owner = False, machine
        self.free -= 1
        for suited in record.suits:
            self._counts[suited] -= 1
            if not self._counts[suited]:
                self._emptied[suited] = self._env.now
        return True


class HostView:
    """The hosts as one manager knows them: what it was told, or read, of the API's records."""

    def __init__(self, runtime: VirtualRuntime, records: HostRecords) -> None:
        self.pool = HostPool(runtime, lambda key: records.by_key[key].view)
        self.versions: dict[ObjectKey, int] = {}
        self._taken: dict[ObjectKey, None] = {}
        """Kept back by a claim that is under way."""
        self._free: dict[ObjectKey, None] = {}
        for key, record in records.by_key.items():
            self.pool.update(key, record.view)
            self.pool.hold(key)
            self.learn(key, record.version, record.free)

    def learn(self, key: ObjectKey, version: int, free: bool) -> bool:
        """True when the host has become free; old news are none."""
        if version <= self.versions.get(key, -1):
            return False
        self.versions[key] = version
        if not free:
            self._free.pop(key, None)
            self.pool.hold(key)
            return False
        self._free[key] = None
        if key not in self._taken:
            self.pool.let_go(key)
        return True

    def keep(self, key: ObjectKey) -> bool:
        """Offer it to no other claim of this manager; False when it is not free."""
        if self.pool.hold(key) is None:
            return False
        self._taken[key] = None
        return True

    def let_go(self, key: ObjectKey) -> None:
        self._taken.pop(key, None)
        if key in self._free:
            self.pool.let_go(key)


def enrolled(scenario: Scenario) -> list[PhysicalHost]:
    """All hosts as enrolment leaves them."""
    found = []
    for plan in plan_hosts(scenario.world.hosts):
        raw = physical_host(scenario, plan, f"http://{plan.address}:8000")
        raw["status"] = {
            "state": "Available",
            "ready": True,
            "hardwareDetails": {
                "cpuCores": plan.group.cores,
                "memoryGiB": plan.group.memory_gib,
            },
        }
        found.append(PhysicalHost(raw))
    return found


def _suits(host: PhysicalHost, wishes: Wishes) -> tuple[int, ...]:
    return tuple(place for place, wish in enumerate(wishes.all) if wish.met(host))
