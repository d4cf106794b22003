"""The model's managers: who of them reconciles, who serves claims, and what a kill leads to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from beskar7.claim_term import CLAIM_LEASE
from beskar7.settings import ManagerSettings
from beskar7.term import MANAGER_LEASE
from scenarios.engine.schema import KillManager
from scenarios.engine.targets import choose
from scenarios.models.actor import World
from scenarios.models.claiming import Claims, OptimisticClaims
from scenarios.models.coordinating import HandedOverClaims
from scenarios.models.elections import Election
from scenarios.models.events import after
from scenarios.models.provisioning import Provisioning

TERM_CALLS = 3
"""Calls to the API before a term works: its caches' lists at once, whether Cluster API is there,
and who led before."""


class Managers:
    """``replicas`` of them from :meth:`start` on. Without leader election there may be one."""

    def __init__(self, world: World, settings: ManagerSettings, replicas: int) -> None:
        self.killed = 0
        self._world = world
        self._elects = settings.leader_elect
        self._replicas = replicas
        self._alive: dict[str, bool] = {}
        self._provisioning: Provisioning | None = None
        self.reconciling = self._election(
            MANAGER_LEASE, settings, self._reconciles, self._reconciles_no_more
        )
        self._coordinating: Election | None = None
        self.claims: Claims
        if settings.claim_lease is None:
            self.claims = OptimisticClaims(world)
        else:
            election = self._election(
                CLAIM_LEASE, settings, self._coordinates, self._coordinates_no_more
            )
            self._coordinating = election
            self.claims = HandedOverClaims(world, settings.claim_lease, election.vacant)

    def _election(
        self,
        name: str,
        settings: ManagerSettings,
        begins: Callable[[str], None],
        ends: Callable[[], None],
    ) -> Election:
        lease = settings.claim_lease if name == CLAIM_LEASE else None
        times, world = lease or self._world.tuning.lease, self._world
        return Election(world.env, world.runtime, name, times, world.times.api, begins, ends)

    def start(self, provisioning: Provisioning) -> None:
        self._provisioning = provisioning
        names = [self._name() for _ in range(self._replicas)]
        self.reconciling.opens(names)
        if self._coordinating is not None:
            self._coordinating.opens(names)

    def add(self) -> None:
        """Start another one."""
        name = self._name()
        if self._elects:
            self.reconciling.joins(name)
        elif not self.reconciling.holder:
            self.reconciling.opens([name])
        if self._coordinating is not None:
            self._coordinating.joins(name)

    def kill(self, act: KillManager) -> None:
        """Raises :class:`scenarios.engine.world.WorldError` when no living manager fits."""
        assert act.target is not None, act
        name = choose(act.target, list(self._alive.items()), self.reconciling.holder)
        self._alive[name] = False
        self.killed += 1
        self.reconciling.dies(name)
        if self._coordinating is not None:
            self._coordinating.dies(name)

    def _name(self) -> str:
        name = f"manager-{len(self._alive) + 1}"
        self._alive[name] = True
        return name

    # --- terms --------------------------------------------------------------------------------

    def _reconciles(self, name: str) -> None:
        assert self._provisioning is not None
        if not self._provisioning.machines:
            # Nothing is there yet that could be late.
            self.claims.leads(name, ())
            return
        api = self._world.times.api
        rng = self._world.runtime.rng(f"model/term/{name}")
        seconds = sum(api.half(rng) for _ in range(2 * TERM_CALLS))
        after(self._world.env, seconds, partial(self._term_begins, name))

    def _term_begins(self, name: str) -> None:
        if self._alive[name] and self._provisioning is not None:
            self.claims.leads(name, self._provisioning.machines)
            self._provisioning.leads()

    def _reconciles_no_more(self) -> None:
        assert self._provisioning is not None
        self.claims.led_no_more()
        self._provisioning.led_no_more()

    def _coordinates(self, name: str) -> None:
        assert isinstance(self.claims, HandedOverClaims)
        self.claims.coordinates(name)

    def _coordinates_no_more(self) -> None:
        assert isinstance(self.claims, HandedOverClaims)
        self.claims.coordinated_no_more()
