"""A scenario file played by the model: the same measures, a thousand times as fast as the code.

What the model does not know is refused by name, so that nobody takes its silence for an answer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from beskar7.config import ConfigError, Tuning
from beskar7.flags import manager_settings
from beskar7.runtime import VirtualRuntime
from emulator.bmc.spec import FleetSpec
from scenarios.engine.arrivals import arrivals_of, lifetime_of
from scenarios.engine.expand import elects_leader, fleet_spec
from scenarios.engine.measures import output, summarize
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
from scenarios.models.estimates import Regime
from scenarios.models.events import after
from scenarios.models.hithosts import HitHosts
from scenarios.models.hostrecords import HostRecords, Wishes
from scenarios.models.learn import Scripts, learn
from scenarios.models.machines import host_kinds
from scenarios.models.managers import Managers
from scenarios.models.modelmachine import ModelMachine, State
from scenarios.models.provisioning import Provisioning
from scenarios.models.regimes import regime_of, settled_times

FOLLOWED = ("provisioning.", "bmc.")
"""Beginnings of those keys of the ConfigMap whose changes the model follows."""
DAY = 86400.0
"""Seconds of model time after which a run that does not come to rest is broken off."""


class NotModelled(Exception):
    """The scenario has something that the model does not know; ``args[0]`` names it."""


@dataclass(frozen=True, slots=True)
class ModelRun:
    """``metrics`` by the names of :mod:`scenarios.engine.measure_names`, as far as the model knows
    them. ``seconds``: from the load's start to rest. They are of the whole run, whatever its
    ``regime``, as those of the code are."""

    metrics: dict[str, float | None]
    seconds: float
    machines: list[ModelMachine] = field(repr=False)
    regime: Regime = "terminating"

    @property
    def settled(self) -> dict[str, float | None]:
        """The times of a steady-state run without its warm-up and its end; None where it was too
        short to settle. Of a terminating run all machines count."""
        if self.regime == "terminating":
            return self.metrics
        return settled_times(self.machines)


def check(scenario: Scenario) -> None:
    """Raises NotModelled unless the model can play the scenario."""
    unknown = faults.unknown(scenario)
    for number, act in enumerate(scenario.acts):
        if not _known(act):
            unknown.append(f"acts.{number} ({act.action})")
    killed = any(isinstance(act.action, KillManager) for act in scenario.acts)
    if killed and faults.named(scenario):
        unknown.append("kill_manager beside faults")
    if scenario.rehearsal is not None:
        unknown.append("rehearsal")
    managers = scenario.world.managers
    if not elects_leader(scenario) and managers.replicas > 1:
        unknown.append("world.managers.args.leader-elect (of several managers)")
    if managers.deployed:
        unknown.append("world.managers.deployed")
    if unknown:
        raise NotModelled(f"the model does not know {', '.join(unknown)}; use --fidelity code")


def _known(act: Act) -> bool:
    action = act.action
    if isinstance(action, Configure):
        return all(key.startswith(FOLLOWED) for key in action.settings)
    known = isinstance(
        action,
        CreateMachines | DeleteMachines | AddFault | ClearFault | KillManager | StartManager,
    )
    return known and act.trigger.door is None


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
        self._worked_before = model.station.worked + model.unseen
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
            for found in self._chosen(action)[: action.count]:
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

    def _chosen(self, action: DeleteMachines) -> list[ModelMachine]:
        alive = [found for found in self._model.machines if found.deleted is None]
        if action.which == "provisioned-first":
            alive.sort(key=lambda found: found.provisioned is None)
        elif action.which == "waiting-first":
            alive.sort(key=lambda found: found.host is not None)
        elif action.which == "busy-first":
            alive.sort(key=lambda found: found.state is not State.BOOTS)
        elif action.which == "random":
            self._runtime.rng("scenario/delete").shuffle(alive)
        return alive

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

    # --- what came of it ----------------------------------------------------------------------

    def _result(self) -> ModelRun:
        model, records = self._model, self._records
        seconds = self._env.now - self._began
        machines = model.machines
        names = (
            *("claim", "waited_claim", "total_claim", "provision", "ready", "total_ready"),
            *("release", "queue"),
        )
        found: dict[str, list[float]] = {f"{name}_seconds": [] for name in names}
        for one in machines:
            if one.claimed is not None:
                name = "waited_claim_seconds" if one.waited else "claim_seconds"
                found[name].append(one.claimed - one.eligible)
                found["total_claim_seconds"].append(one.claimed - one.created)
                if one.written is not None:
                    found["queue_seconds"].append(one.written - one.claimed)
                if one.provisioned is not None:
                    found["provision_seconds"].append(one.provisioned - one.claimed)
                    found["total_ready_seconds"].append(one.provisioned - one.created)
                    if not one.waited:
                        found["ready_seconds"].append(one.provisioned - one.created)
            if one.deleted is not None and one.released is not None:
                found["release_seconds"].append(one.released - one.deleted)
        found["failover_seconds"] = self._managers.reconciling.gaps
        metrics: dict[str, float | None] = {
            "machines_created": float(len(machines)),
            "machines_deleted": float(sum(one.deleted is not None for one in machines)),
            "claimed": float(sum(one.claimed is not None for one in machines)),
            "provisioned": float(sum(one.provisioned is not None for one in machines)),
            "released": float(sum(one.released is not None for one in machines)),
            "waiting": float(model.states[State.WAITS]),
            "claim_attempts": float(records.attempts),
            "conflicts": float(records.conflicts),
            "conflict_ratio": records.conflicts / records.attempts if records.attempts else None,
            "unserved": float(
                sum(one.provisioned is None and one.deleted is None for one in machines)
            ),
            "managers_killed": float(self._managers.killed),
            "rejections": float(model.rejections + (self._hit.rejections if self._hit else 0)),
        }
        metrics.update(output((one.created, one.provisioned) for one in machines))
        worked = model.station.worked + model.unseen - self._worked_before
        workers = self._tuning.worker_count
        metrics.update(queue_measures(machines, self._began, worked, workers))
        for name, values in found.items():
            metrics.update({f"{name}.{key}": value for key, value in summarize(values).items()})
        return ModelRun(metrics, seconds, machines, regime_of(self._scenario))
