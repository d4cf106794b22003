"""Storms of claims on hosts that are never provisioned: what claiming alone costs, by its mode.

The model's side of ``benchmarks/claims.py``, whose modes these are: ``shards`` is the contention
that no scenario of the controller has, as there one manager claims for all machines: every manager
claims for its share of them from the same hosts.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, get_args

import simpy

from beskar7.config import LeaseSettings, parse_tuning
from beskar7.runtime import VirtualRuntime
from scenarios.engine.measures import summarize
from scenarios.engine.schema import HostsSpec, LoadSpec, Scenario, WorldSpec
from scenarios.models.actor import World
from scenarios.models.apiport import ApiPort
from scenarios.models.calibration import Calibration
from scenarios.models.claiming import Claims, OptimisticClaims
from scenarios.models.coordinating import HandedOverClaims
from scenarios.models.events import after
from scenarios.models.hostrecords import HostRecords, Wishes
from scenarios.models.machines import ModelHost, host_kinds
from scenarios.models.modelmachine import ModelMachine, State

Mode = Literal["standard", "leader", "shards"]
MODES: tuple[Mode, ...] = get_args(Mode)
"""One manager claims; an elected coordinator does; every manager does, for its share."""
CREATORS = 10
"""Tasks that create machines at the same time, one call after the other each."""


class _Storm:
    """Who is told of claims, and keeps nothing but the machines."""

    def __init__(self, env: simpy.Environment, claims: Claims) -> None:
        self.machines: list[ModelMachine] = []
        self.claimed_ones = 0
        self._env = env
        self._claims = claims
        claims.world.claimant = self

    def create(self, number: int) -> None:
        now = self._env.now
        machine = ModelMachine(number, created=now, eligible=now)
        self.machines.append(machine)
        self._claims.want(machine)

    def claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        assert machine.host is None, machine
        machine.host, machine.claimed = host, self._env.now
        machine.state = State.BOOTS
        self.claimed_ones += 1

    def move(self, machine: ModelMachine, state: State) -> None:
        machine.state = state


def storm(
    mode: Mode,
    machines: int,
    *,
    hosts: int,
    managers: int,
    seed: int,
    algorithm: str = "deterministic",
    times: Calibration | None = None,
    creators: int = CREATORS,
) -> dict[str, float | None]:
    """One storm: ``claim_seconds.*``, ``claim_attempts``, ``conflicts``, ``conflict_ratio`` and
    ``claims_per_second``. It is over when every machine has a host, or every host a machine.
    As many ``creators`` as machines make them all at one instant.
    """
    times = times or Calibration()
    runtime, env = VirtualRuntime(seed), simpy.Environment()
    tuning = parse_tuning({"hostSelection.algorithm": algorithm})
    scenario = Scenario("storm", "", WorldSpec(HostsSpec(hosts)), LoadSpec(machines))
    fleet = {kind.key: kind.made(runtime) for kind in host_kinds(scenario, tuning, {})}
    records = HostRecords(env, scenario, fleet, Wishes(scenario))
    for record in records.by_key.values():
        records.offer(record)
    world = World(env, runtime, records, tuning, times, scenario.load.namespace)
    claims = _claims(world, mode, managers)
    found = _Storm(env, claims)
    for first in range(1, min(creators, machines) + 1):
        port = ApiPort(env, runtime.rng(f"model/api/creator-{first}"), times.api, 0.0)
        at = 0.0
        for number in range(first, machines + 1, creators):
            at += port.half()
            after(env, at, partial(found.create, number))
            at += port.half()
    wanted = min(machines, hosts)
    while found.claimed_ones < wanted:
        env.step()
    took = [one.claimed - one.created for one in found.machines if one.claimed is not None]
    summary = {f"claim_seconds.{name}": value for name, value in summarize(took).items()}
    return {
        **summary,
        "claimed": float(len(took)),
        "claim_attempts": float(records.attempts),
        "conflicts": float(records.conflicts),
        "conflict_ratio": records.conflicts / records.attempts,
        "claims_per_second": len(took) / env.now,
    }


def _claims(world: World, mode: Mode, managers: int) -> Claims:
    if mode == "shards":
        return OptimisticClaims(world, managers)
    if mode == "standard":
        claims = OptimisticClaims(world)
        claims.leads("manager-1", ())
        return claims
    handed = HandedOverClaims(world, LeaseSettings(), lambda name: False)
    handed.leads("manager-1", ())
    handed.coordinates(f"manager-{min(2, managers)}")
    return handed
