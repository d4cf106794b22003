"""How the model's machines come to their hosts: by the controller's own choice among the free ones.

:class:`Claims` is what :class:`~scenarios.models.provisioning.Provisioning` knows of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

import simpy

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.config import Tuning
from beskar7.coordination.hostpool import HostPool
from beskar7.coordination.requirements import Requirements
from beskar7.runtime import VirtualRuntime
from scenarios.engine.expand import machine as machine_of
from scenarios.engine.expand import physical_host, plan_hosts
from scenarios.engine.schema import Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.machines import ModelHost
from scenarios.models.modelmachine import ModelMachine, State


class Claimant(Protocol):
    """Who hears what becomes of machines' claims."""

    def claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        """The API has the machine's name on the host, from now on."""

    def move(self, machine: ModelMachine, state: State) -> None:
        """It wants a host (there may be one), waits for one, or is gone without one."""


class Claims(Protocol):
    """Gives hosts to machines. ``claimant`` is told; it is set before anything is asked."""

    claimant: Claimant
    free: int
    """Hosts that are nobody's."""
    under_way: int
    """News of freed hosts that nobody has heard yet: what they lead to is still to come."""

    def want(self, machine: ModelMachine) -> None:
        """The machine is created now and wants a host."""

    def leave(self, machine: ModelMachine) -> None:
        """It is deleted now, and has no host; it may get one yet, if its claim is on its way."""

    def offer(self, host: ModelHost) -> None:
        """The host is nobody's from now on."""


class LoneClaims:
    """One manager claims, by as many workers as it has; nobody is in its way."""

    claimant: Claimant

    def __init__(
        self,
        env: simpy.Environment,
        scenario: Scenario,
        runtime: VirtualRuntime,
        tuning: Tuning,
        times: Calibration,
        hosts: dict[ObjectKey, ModelHost],
    ) -> None:
        self.free = 0
        self.under_way = 0
        self._env = env
        self._tuning = tuning
        self._times = times
        self._hosts = hosts
        self._namespace = scenario.load.namespace
        self._pool = host_pool(scenario, runtime)
        self._wishes = wishes(scenario)
        self._claiming: deque[tuple[ModelMachine, ModelHost | None]] = deque()
        self._idle = times.claimers
        self._waiting: deque[ModelMachine] = deque()

    def want(self, machine: ModelMachine) -> None:
        self._after(self._times.seen, partial(self._queue, machine, None))

    def leave(self, machine: ModelMachine) -> None:
        if machine.state is State.WAITS:
            self._waiting.remove(machine)
            self.claimant.move(machine, State.GONE)

    def offer(self, host: ModelHost) -> None:
        """The first that waits and that it suits gets it."""
        self.free += 1
        self._pool.let_go(host.key)
        for machine in self._waiting:
            found = self._choose(machine)
            if found is not None:
                self._waiting.remove(machine)
                self.claimant.move(machine, State.WANTS)
                machine.eligible = self._env.now
                self._after(self._times.seen, partial(self._queue, machine, found))
                return

    def _queue(self, machine: ModelMachine, host: ModelHost | None) -> None:
        """``host``: the one that became free for it."""
        self._claiming.append((machine, host))
        self._claim()

    def _claim(self) -> None:
        while self._idle and self._claiming:
            machine, host = self._claiming.popleft()
            if machine.deleted is not None:
                self.claimant.move(machine, State.GONE)
                if host is not None:
                    self.offer(host)
                continue
            host = host or self._choose(machine)
            if host is None:
                machine.waited = True
                self.claimant.move(machine, State.WAITS)
                self._waiting.append(machine)
                continue
            self._idle -= 1
            self._after(self._times.claim, partial(self._claimed, machine, host))

    def _claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        self._idle += 1
        self.claimant.claimed(machine, host)
        self._claim()

    def _choose(self, machine: ModelMachine) -> ModelHost | None:
        wanted = self._wishes[(machine.number - 1) % len(self._wishes)]
        key = ObjectKey(self._namespace, f"machine-{machine.number:03d}")
        chosen = self._pool.choose(self._tuning.selection_algorithm, key, wanted)
        if not chosen:
            return None
        self._pool.hold(chosen[0].key)
        self.free -= 1
        return self._hosts[chosen[0].key]

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        event = self._env.timeout(seconds)
        event.callbacks.append(lambda _: then())


def wishes(scenario: Scenario) -> list[Requirements]:
    """What the machines of one round of the mix require, in their order."""
    load = scenario.load
    count = sum(variant.weight for variant in load.mix)
    return [
        Requirements.of(Beskar7Machine(machine_of(load, number))) for number in range(1, count + 1)
    ]


def host_pool(scenario: Scenario, runtime: VirtualRuntime) -> HostPool:
    """All hosts as enrolment leaves them; none is offered yet."""
    pool = HostPool(runtime)
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
        host = PhysicalHost(raw)
        pool.update(host.key, host)
        pool.hold(host.key)
    return pool
