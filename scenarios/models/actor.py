"""A part of one manager that claims hosts: what it knows of them ends with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import simpy

from beskar7.api.meta import ObjectKey
from beskar7.config import Tuning
from beskar7.coordination.requirements import Requirements
from beskar7.runtime import VirtualRuntime
from scenarios.models.apiport import ApiPort
from scenarios.models.calibration import Calibration
from scenarios.models.events import after
from scenarios.models.hostrecords import HostRecords, HostView, Record
from scenarios.models.machines import ModelHost
from scenarios.models.modelmachine import ModelMachine, State


class Claimant(Protocol):
    """Who hears what becomes of machines' claims."""

    def claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        """The API has the machine's name on the host, from now on."""

    def move(self, machine: ModelMachine, state: State) -> None:
        """It wants a host (there may be one), waits for one, or is gone without one."""


class World:
    """What all managers share: the API's records, the settings, and who is told of claims."""

    claimant: Claimant

    def __init__(
        self,
        env: simpy.Environment,
        runtime: VirtualRuntime,
        records: HostRecords,
        tuning: Tuning,
        times: Calibration,
        namespace: str,
    ) -> None:
        self.env = env
        self.runtime = runtime
        self.records = records
        self.tuning = tuning
        self.times = times
        self.namespace = namespace
        self.under_way = 0
        """News of freed hosts that nobody has heard yet: what they lead to is still to come."""
        self.watchers: list[Actor] = []

    def key(self, machine: ModelMachine) -> ObjectKey:
        return ObjectKey(self.namespace, f"machine-{machine.number:03d}")

    def offer(self, host: ModelHost) -> None:
        """The host is nobody's from now on."""
        record = self.records.by_key[host.key]
        self.records.offer(record)
        self.tell(record)

    def claim(self, record: Record, version: int, machine: ModelMachine, writer: Actor) -> bool:
        """The conditional update of the host, as the API server decides it now."""
        if not self.records.claim(record, version, machine):
            return False
        self.claimant.claimed(machine, record.host)
        self.tell(record, writer)
        return True

    def tell(self, record: Record, writer: Actor | None = None) -> None:
        """The watches tell of a host's new version; its writer knows it from the answer."""
        for actor in self.watchers:
            if actor is not writer:
                self.under_way += record.free
                actor.hears(record)


class Actor:
    """It watches the hosts from its making until :meth:`die`; what it began is then left as is."""

    def __init__(self, world: World, name: str) -> None:
        self.alive = True
        self.world = world
        self.api = ApiPort(
            world.env,
            world.runtime.rng(f"model/api/{name}"),
            world.times.api,
            world.times.processor,
        )
        self.view = HostView(world.runtime, world.records)
        world.watchers.append(self)

    def die(self) -> None:
        """What it sent has taken effect or not; it hears and does nothing more."""
        self.alive = False
        self.world.watchers.remove(self)

    def hears(self, record: Record) -> None:
        key, version, free = record.host.key, record.version, record.free
        after(self.world.env, self.api.lag("hosts"), partial(self._heard, key, version, free))

    def _heard(self, key: ObjectKey, version: int, free: bool) -> None:
        self.world.under_way -= free
        if self.alive and self.view.learn(key, version, free):
            self.freed()

    def freed(self) -> None:
        """A host has become free, as far as this manager knows."""

    def fits(self, wish: Requirements) -> int:
        """How many free hosts it knows that satisfy a wish."""
        world = self.world
        return self.view.pool.fits(world.tuning.selection_algorithm, world.namespace, wish)

    def after(self, seconds: float, then: Callable[[], None]) -> None:
        """Go on in so many seconds, unless it is dead by then."""
        after(self.world.env, seconds, partial(self._go_on, then))

    def _go_on(self, then: Callable[[], None]) -> None:
        if self.alive:
            then()
