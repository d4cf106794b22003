"""A scenario file played by the model: the same measures, a thousand times as fast as the code."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from beskar7.config import ConfigError, Tuning
from beskar7.flags import manager_settings
from beskar7.runtime import VirtualRuntime
from emulator.bmc.spec import FleetSpec
from scenarios.engine.arrivals import arrivals_of, lifetime_of
from scenarios.engine.expand import fleet_spec
from scenarios.engine.measures import output
from scenarios.engine.schema import (
    Act,
    AddFault,
    ClearFault,
    Coming,
    Configure,
    CreateMachines,
    DeleteMachines,
    KillManager,
    Scenario,
    StartManager,
)
from scenarios.engine.world import WorldError
from scenarios.models import faults
from scenarios.models.actor import World
from scenarios.models.backlog import queue_measures
from scenarios.models.calibration import Calibration
from scenarios.models.collector import rare_collections
from scenarios.models.events import after
from scenarios.models.hithosts import HitHosts
from scenarios.models.hostrecords import HostRecords, Wishes
from scenarios.models.known import NotModelled, check
from scenarios.models.learn import Scripts, learn
from scenarios.models.machines import host_kinds
from scenarios.models.managers import Managers
from scenarios.models.modelmachine import ModelMachine, State, chosen
from scenarios.models.outcome import ModelRun, counts, summarized, times_of
from scenarios.models.provisioning import Provisioning
from scenarios.models.regimes import regime_of

DAY = 86400.0
"""Seconds of model time after which a run that does not come to rest is broken off."""


def simulate(
    scenario: Scenario,
    seed: int,
    times: Calibration | None = None,
    scripts: Scripts | None = None,
) -> ModelRun:
    """One run. Raises NotModelled, or NotLearned where the scripts have to be learned and cannot.

    For many runs of one scenario make a :class:`Model` once. It draws from the streams that a run
    of the code at the same seed draws from.
    """
    return Model(scenario, times, scripts).run(seed)


class Model:
    """A scenario made ready for any number of runs, which have nothing to do with each other.

    Raises what :func:`simulate` raises.
    """

    def __init__(
        self,
        scenario: Scenario,
        times: Calibration | None = None,
        scripts: Scripts | None = None,
    ) -> None:
        check(scenario)
        world = scenario.world
        self.scenario = scenario
        self.times = times or Calibration()
        self.settings = manager_settings("model", world.managers.args)
        self.tuning: Tuning = self.settings.tuned(world.config)
        self.fleet = FleetSpec.from_dict(fleet_spec(scenario, 0))
        self.hosts = host_kinds(scenario, self.tuning, scripts or learn(scenario))

    def run(self, seed: int) -> ModelRun:
        with rare_collections():
            return _Playing(self, seed).run()


class _Playing:
    def __init__(self, model: Model, seed: int) -> None:
        scenario, tuning, times = model.scenario, model.tuning, model.times
        self._scenario = scenario
        self._runtime = VirtualRuntime(seed, "fifo")
        self._env = self._runtime.environment
        hosts = [kind.made(self._runtime, times.bmc_request) for kind in model.hosts]
        self._hosts = {host.key: host for host in hosts}
        self._tuning = tuning
        self._records = HostRecords(self._env, scenario, self._hosts, Wishes(scenario))
        claims_world = World(
            self._env, self._runtime, self._records, tuning, times, scenario.load.namespace
        )
        self._managers = Managers(claims_world, model.settings, scenario.world.managers.replicas)
        self._model = Provisioning(self._env, tuning, times, self._managers.claims, self._changed)
        self._settings, self._config = model.settings, dict(scenario.world.config)
        self._hit = self._hit_hosts(model, seed)
        self._claimed = self._provisioned = 0
        self._acts = list(scenario.acts)
        self._done = self._pending = 0
        """Acts whose trigger held, and those of them whose delay is not over."""
        self._create_seconds = times.create
        """A user creates one machine after the other."""
        self._began = 0.0
        self._worked_before = 0.0
        self._to_come = scenario.load.machines
        self._going = 0
        """Machines whose lifetime is still to end."""
        self._numbers = iter(range(1, scenario.total_machines + 1))
        self._lifetimes = self._runtime.rng("scenario/lifetimes")

    def _hit_hosts(self, model: Model, seed: int) -> HitHosts | None:
        names = faults.hit_hosts(model.scenario, model.fleet, seed)
        if not names:
            return None
        hosts = {host.name: host for host in self._hosts.values()}
        provisioning = self._model
        provisioning.hit = HitHosts(
            self._runtime,
            model,
            replace(model.fleet, seed=seed),
            names,
            provisioning.queue,
            provisioning.station,
            booted=lambda name: provisioning.booted(hosts[name]),
            free=lambda name: provisioning.free(hosts[name]),
        )
        return provisioning.hit

    def run(self) -> ModelRun:
        try:
            return self._run()
        finally:
            self._runtime.close()

    def _run(self) -> ModelRun:
        env, model = self._env, self._model
        hosts = list(self._hosts.values())
        self._managers.start(model)
        for host in hosts:
            model.enrol(host)
        while self._records.free < len(hosts):
            env.step()
        self._began = env.now
        self._worked_before = model.station.worked + model.looks.unseen
        for fault in self._scenario.faults:
            self._add_fault(fault)
        load = self._scenario.load
        turn = self._began
        for coming in arrivals_of(load, self._runtime.rng("scenario/arrivals")):
            turn = max(turn, self._began + coming.at)
            self._at(turn, partial(self._comes, coming))
            turn += self._create_seconds
        for act in self._acts:
            if act.trigger.at is not None:
                self._at(self._began + act.trigger.at, self._look_at_acts)
        limit = self._began + min(DAY, self._scenario.limits.timeout)
        # Most of the time something moves: the cheapest question first.
        plain = self._hit is None
        while ((plain and model.moving) or not self._at_rest()) and env.peek() < limit:
            env.step()
            if self._done < len(self._acts):
                self._look_at_acts()
        return self._result()

    # --- what happens -------------------------------------------------------------------------

    def _comes(self, coming: Coming) -> None:
        self._to_come -= 1
        found = self._model.create(next(self._numbers), coming.variant)
        lifetime = lifetime_of(self._scenario.load, coming, self._lifetimes)
        if lifetime is not None:
            self._going += 1
            self._at(self._env.now + lifetime, partial(self._goes, found))
        self._look_at_acts()

    def _added(self) -> None:
        """A machine of an act, which stays."""
        self._to_come -= 1
        self._model.create(next(self._numbers))
        self._look_at_acts()

    def _goes(self, found: ModelMachine) -> None:
        self._going -= 1
        if found.deleted is None:
            self._model.delete(found)
        self._look_at_acts()

    def _changed(self, found: ModelMachine) -> None:
        if found.state is State.READY:
            self._provisioned += 1
        elif found.claimed == self._env.now:
            self._claimed += 1
        self._look_at_acts()

    def _look_at_acts(self) -> None:
        while self._done < len(self._acts) and self._due(self._acts[self._done]):
            act = self._acts[self._done]
            self._done += 1
            self._pending += 1
            self._at(self._env.now + act.trigger.delay, partial(self._perform, act))

    def _due(self, act: Act) -> bool:
        trigger = act.trigger
        if trigger.at is not None:
            return self._env.now >= self._began + trigger.at
        if trigger.condition == "claimed":
            return self._claimed >= trigger.count
        if trigger.condition == "provisioned":
            return self._provisioned >= trigger.count
        return not self._to_come and not self._model.moving

    def _perform(self, act: Act) -> None:
        self._pending -= 1
        action = act.action
        if isinstance(action, CreateMachines):
            self._to_come += action.count
            for number in range(action.count):
                self._at(self._env.now + number * self._create_seconds, self._added)
        elif isinstance(action, DeleteMachines):
            dice = self._runtime.rng("scenario/delete")
            for found in chosen(self._model.machines, action.which, dice)[: action.count]:
                self._model.delete(found)
        elif isinstance(action, KillManager):
            self._kill(action)
        elif isinstance(action, StartManager):
            self._managers.add()
        elif isinstance(action, AddFault):
            self._add_fault(action.fault)
        elif isinstance(action, ClearFault) and self._hit is not None:
            self._hit.clear_fault(action.id)
        elif isinstance(action, Configure):
            self._config |= action.settings
            # What the controller refuses changes nothing.
            with contextlib.suppress(ConfigError):
                self._model.configure(self._settings.tuned(self._config))

    def _add_fault(self, fault: Mapping[str, Any]) -> None:
        assert self._hit is not None, "a fault selects one host at least"
        self._hit.add_fault(fault)

    def _kill(self, act: KillManager) -> None:
        try:
            self._managers.kill(act)
        except WorldError as error:
            raise NotModelled(f"{act}: {error}") from None
        if act.restart is not None:
            self._pending += 1
            self._at(self._env.now + act.restart, self._restart)

    def _restart(self) -> None:
        self._pending -= 1
        self._managers.add()

    def _at_rest(self) -> bool:
        """Everything is done, and every machine is provisioned, gone, or waits in vain."""
        open_acts = self._pending or self._done < len(self._acts)
        if self._to_come or self._going or open_acts:
            return False
        return not self._model.moving or self._given_up()

    def _given_up(self) -> bool:
        """Nothing moves but machines whose hosts a fault without end keeps in Error."""
        hit = self._hit
        return hit is not None and self._model.moving == len(hit.failed) and hit.given_up()

    def _at(self, when: float, then: Callable[[], None]) -> None:
        after(self._env, when - self._env.now, then)

    def _result(self) -> ModelRun:
        model = self._model
        worked = model.station.worked + model.looks.unseen - self._worked_before
        machines = model.machines
        rejections = model.rejections + (self._hit.rejections if self._hit else 0)
        attempts, conflicts = self._records.attempts, self._records.conflicts
        metrics: dict[str, float | None] = {
            **counts(machines),
            "waiting": float(model.states[State.WAITS]),
            "claim_attempts": float(attempts),
            "conflicts": float(conflicts),
            "conflict_ratio": conflicts / attempts if attempts else None,
            "managers_killed": float(self._managers.killed),
            "rejections": float(rejections),
            **output((one.created, one.provisioned) for one in machines),
            **queue_measures(machines, self._began, worked, self._tuning.worker_count),
            **times_of(machines),
            **summarized("failover_seconds", self._managers.reconciling.gaps),
        }
        return ModelRun(metrics, self._env.now - self._began, machines, regime_of(self._scenario))
