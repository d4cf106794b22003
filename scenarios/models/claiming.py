"""How the model's machines come to their hosts: by optimistic claims, as the controller makes them.

Each manager chooses among the hosts that its cache shows free, which is behind the API by a watch;
the API refuses who comes too late. The choice, the order of who waits, the tries, their limits and
their backoff are the controller's own; the times are those of API calls and watches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Protocol

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.controllers.claims import FIRST_BACKOFF, JITTER
from beskar7.coordination.requirements import ANY
from beskar7.coordination.selection import WINDOW
from beskar7.kube.backoff import Exponential
from scenarios.models.actor import Actor, World
from scenarios.models.hostrecords import Record
from scenarios.models.modelmachine import ModelMachine, State
from scenarios.models.waitingline import WaitingLine
from scenarios.models.workers import Workers

WOKEN = 1
"""Priority of a machine that waited and hears of a free host, as in the controller."""
BACKLOG = -100
"""Priority of what a manager finds when it takes over."""


class Claims(Protocol):
    """Gives hosts to machines, by whoever leads or claims beside others."""

    world: World

    def want(self, machine: ModelMachine) -> None:
        """The machine is created now and wants a host."""

    def leave(self, machine: ModelMachine) -> None:
        """It is deleted now, and has no host; it may get one yet, if its claim is on its way."""

    def leads(self, manager: str, machines: Iterable[ModelMachine]) -> None:
        """The manager reconciles from now on, and first of all these."""

    def led_no_more(self) -> None:
        """Whoever reconciled is dead."""


class OptimisticClaims:
    """Machines are claimed for by the manager that leads; with ``shards`` managers by each of them
    for its share, from the same hosts."""

    def __init__(self, world: World, shards: int = 0) -> None:
        self.world = world
        self._managers = [Manager(world, f"manager-{one}") for one in range(1, shards + 1)]

    def want(self, machine: ModelMachine) -> None:
        self.world.records.arrives(machine)
        manager = self._of(machine)
        if manager is not None:
            manager.arrives(machine)

    def leave(self, machine: ModelMachine) -> None:
        manager = self._of(machine)
        if manager is not None:
            manager.leaves(machine)

    def leads(self, manager: str, machines: Iterable[ModelMachine]) -> None:
        leader = Manager(self.world, manager)
        self._managers = [leader]
        leader.takes_over(machines)

    def led_no_more(self) -> None:
        for manager in self._managers:
            manager.die()
        self._managers = []

    def _of(self, machine: ModelMachine) -> Manager | None:
        """None: nobody leads just now; who takes over finds it."""
        if not self._managers:
            return None
        return self._managers[machine.number % len(self._managers)]


class Manager(Actor):
    """One manager's claims: its workers, and what it remembers of tries."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world, name)
        tuning = world.tuning
        self._tuning = tuning
        self._workers = Workers[ModelMachine](tuning.max_concurrent_reconciles, self._reconcile)
        self._line = WaitingLine()
        self._tried: set[ObjectKey] = set()
        self._failures: dict[ModelMachine, int] = {}
        self._echoes: dict[ModelMachine, float] = {}
        """When the watch tells of the finalizer that a machine was given."""
        self._backoff = Exponential(
            FIRST_BACKOFF, tuning.max_backoff_delay, tuning.backoff_multiplier, JITTER
        )

    # --- news ---------------------------------------------------------------------------------

    def arrives(self, machine: ModelMachine) -> None:
        self.after(self.api.lag("machines"), partial(self._workers.add, machine))

    def leaves(self, machine: ModelMachine) -> None:
        self._line.discard(machine)
        if not self._workers.holds(machine):
            self._gone(machine)

    def takes_over(self, machines: Iterable[ModelMachine]) -> None:
        for machine in machines:
            if machine.host is None and machine.state is not State.GONE:
                self._workers.add(machine, BACKLOG)

    def freed(self) -> None:
        """As many of those that wait may try as there are free hosts; they stay in the line."""
        if not len(self._line):
            return
        for machine, _ in list(self._line.first(self.world.env.now, self.fits)):
            if machine.state is State.WAITS:
                self.world.claimant.move(machine, State.WANTS)
            self._workers.add(machine, WOKEN)

    # --- one reconcile ------------------------------------------------------------------------

    def _reconcile(self, machine: ModelMachine) -> None:
        if machine.host is not None or machine.state is State.GONE:
            self._workers.done(machine)
            return
        # Its finalizer is written; or, if it has one, the server is asked what it owns already.
        seconds = self.api.compute() + self.api.half()
        if machine not in self._failures and machine not in self._line:
            self._echoes[machine] = self.world.env.now + seconds + self.api.delivery()
        self.after(seconds + self.api.half(), partial(self._claim, machine))

    def _claim(self, machine: ModelMachine) -> None:
        if machine.deleted is not None:
            self._end(machine)
            return
        ranked = self.view.pool.choose(
            self._tuning.selection_algorithm,
            self.world.key(machine),
            self.world.records.wishes.of(machine),
            limit=WINDOW,
        )
        if not ranked:
            self._wait(machine)
            return
        self._try_next(machine, iter(ranked), self._tuning.claim_retry_limit)

    def _wait(self, machine: ModelMachine) -> None:
        """That it waits is written, too."""
        self.world.claimant.move(machine, State.WAITS)
        self._line.add(machine, self.world.key(machine), self.world.records.wishes.of(machine), 0)
        self.after(self.api.call(), partial(self._end, machine))
        self.freed()

    def _try_next(self, machine: ModelMachine, ranked: Iterator[PhysicalHost], tries: int) -> None:
        for host in ranked if tries else ():
            key = host.key
            if key not in self._tried and self.view.pool.get(key, ANY) is not None:
                self._tried.add(key)
                version = self.view.versions[key]
                self.after(
                    self.api.half(), partial(self._write, machine, key, version, ranked, tries - 1)
                )
                return
        delay = FIRST_BACKOFF
        if tries < self._tuning.claim_retry_limit:
            failures = self._failures.get(machine, 0)
            self._failures[machine] = failures + 1
            rng = self.world.runtime.rng(f"claim-backoff/{self.world.key(machine)}")
            delay = self._backoff.delay(failures, rng)
        # Every change of a machine brings it back, its own finalizer's, too: so the first time it
        # does not wait for the backoff's end.
        echo = self._echoes.pop(machine, None)
        if echo is not None:
            delay = min(delay, max(0.0, echo - self.world.env.now))
        self.after(delay, partial(self._again, machine))
        self._end(machine)

    def _again(self, machine: ModelMachine) -> None:
        self._workers.add(machine, WOKEN if machine in self._line else 0)

    def _write(
        self,
        machine: ModelMachine,
        key: ObjectKey,
        version: int,
        ranked: Iterator[PhysicalHost],
        tries: int,
    ) -> None:
        """The update arrives at the API server."""
        record = self.world.records.by_key[key]
        if not self.world.claim(record, version, machine, self):
            # Answer, and a read of the host as it is by then.
            read = partial(self._read, machine, record, ranked, tries)
            self.after(self.api.half() + self.api.half(), read)
            return
        self.after(self.api.half(), partial(self._got, machine, record, record.version))

    def _got(self, machine: ModelMachine, record: Record, version: int) -> None:
        key = record.host.key
        self.view.learn(key, version, free=False)
        self._tried.discard(key)
        self._failures.pop(machine, None)
        self._echoes.pop(machine, None)
        self._line.discard(machine)
        self.world.runtime.forget_rng(f"claim-backoff/{self.world.key(machine)}")
        # Its status is written.
        self.after(self.api.call(), partial(self._end, machine))

    def _read(
        self, machine: ModelMachine, record: Record, ranked: Iterator[PhysicalHost], tries: int
    ) -> None:
        version, free = record.version, record.free
        then = partial(self._lost, machine, record.host.key, version, free, ranked, tries)
        self.after(self.api.half(), then)

    def _lost(
        self,
        machine: ModelMachine,
        key: ObjectKey,
        version: int,
        free: bool,
        ranked: Iterator[PhysicalHost],
        tries: int,
    ) -> None:
        self._tried.discard(key)
        if self.view.learn(key, version, free):
            self.freed()
        if machine.deleted is None:
            self._try_next(machine, ranked, tries)
        else:
            self._end(machine)

    def _end(self, machine: ModelMachine) -> None:
        if machine.deleted is not None and machine.host is None:
            self._line.discard(machine)
            self._gone(machine)
        self._workers.done(machine)

    def _gone(self, machine: ModelMachine) -> None:
        """Without a host; whoever was woken with it may go on."""
        if machine.state is not State.GONE:
            self.world.claimant.move(machine, State.GONE)
            self.freed()
