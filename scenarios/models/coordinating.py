"""Claims that are handed to an elected coordinator, and what happens when nobody is one.

The manager that reconciles asks by a HostClaim; the claim leader serves all that wait in batches,
the best first, each with a host of its own; workers make the writes. While nobody leads, or a
claim is left lying, the reconciling manager does it itself: :mod:`beskar7.controllers.handover`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from beskar7.claim_term import WORKERS
from beskar7.config import LeaseSettings
from beskar7.controllers.handover import RETRY
from beskar7.controllers.machine import SERVED_SOON
from scenarios.models.actor import Actor, World
from scenarios.models.claiming import BACKLOG
from scenarios.models.handedclaims import HandedClaim, give, settle
from scenarios.models.hostrecords import Record
from scenarios.models.modelmachine import ModelMachine, State
from scenarios.models.waitingline import WaitingLine
from scenarios.models.workers import Workers


class HandedOverClaims:
    """``vacant`` tells whether the manager of a name sees nobody lead the claims."""

    def __init__(self, world: World, lease: LeaseSettings, vacant: Callable[[str], bool]) -> None:
        self.world = world
        self.lease = lease
        self.vacant = vacant
        self.all: dict[ModelMachine, HandedClaim] = {}
        self.unled = 0
        """Claims that were served optimistically."""
        self._asker: Asker | None = None
        self._coordinator: Coordinator | None = None

    def want(self, machine: ModelMachine) -> None:
        self.world.records.arrives(machine)
        if self._asker is not None:
            self._asker.arrives(machine)

    def leave(self, machine: ModelMachine) -> None:
        claim = self.all.get(machine)
        if claim is not None:
            claim.version += 1
            if claim.in_hand:
                return  # Its host may be on its way: whose hand it is sees what came of it.
        self.gone(machine)

    def gone(self, machine: ModelMachine) -> None:
        """It wants nothing more; and if it is deleted and got nothing, that is its end."""
        self.all.pop(machine, None)
        if self._coordinator is not None:
            self._coordinator.forgets(machine)
        if machine.host is None and machine.state is not State.GONE:
            self.world.claimant.move(machine, State.GONE)

    def looked_at(self, claim: HandedClaim) -> bool:
        """Somebody is done with it: whether it is over, with a host or as nobody wants one."""
        machine = claim.machine
        if machine.host is not None:
            self.all.pop(machine, None)
            return True
        if machine.deleted is not None and not claim.in_hand:
            self.gone(machine)
        return machine.deleted is not None

    def leads(self, manager: str, machines: Iterable[ModelMachine]) -> None:
        self._asker = Asker(self, manager)
        self._asker.takes_over(machines)

    def led_no_more(self) -> None:
        if self._asker is not None:
            self._asker.die()
        self._asker = None

    def coordinates(self, manager: str) -> None:
        self._coordinator = Coordinator(self, manager)
        for claim in self.all.values():
            self._coordinator.told(claim)

    def coordinated_no_more(self) -> None:
        if self._coordinator is not None:
            self._coordinator.die()
        self._coordinator = None
        if self._asker is not None:
            self._asker.watches(self.all)

    @property
    def coordinated(self) -> bool:
        return self._coordinator is not None

    def opened(self, claim: HandedClaim) -> None:
        """The HostClaim is in the API."""
        self.all[claim.machine] = claim
        if self._coordinator is not None:
            self._coordinator.hears_of(claim)


class Asker(Actor):
    """The reconciling manager: asks, and serves itself what nobody serves."""

    def __init__(self, claims: HandedOverClaims, name: str) -> None:
        super().__init__(claims.world, name)
        self._claims = claims
        self._name = name
        self._workers = Workers[ModelMachine](
            claims.world.tuning.max_concurrent_reconciles, self._reconcile
        )
        self._since: dict[ModelMachine, tuple[int, float]] = {}
        """A claim's version that could be served, and since when."""

    def arrives(self, machine: ModelMachine) -> None:
        self.after(self.api.lag("machines"), partial(self._workers.add, machine))

    def takes_over(self, machines: Iterable[ModelMachine]) -> None:
        for machine in machines:
            if machine.host is None and machine.state is not State.GONE:
                self._workers.add(machine, BACKLOG)

    def watches(self, machines: Iterable[ModelMachine]) -> None:
        """Nobody serves them just now: each is looked at when its time comes."""
        pause = self._claims.lease.renew_deadline / 4
        rng = self.world.runtime.rng(f"model/handover/{self._name}")
        for machine in machines:
            if machine.host is None:
                self.after(pause * rng.random(), partial(self._workers.add, machine))

    def _reconcile(self, machine: ModelMachine) -> None:
        claim = self._claims.all.get(machine)
        if claim is not None and self._claims.looked_at(claim):
            self._since.pop(machine, None)
            self._workers.done(machine)
        elif machine.host is not None or machine.deleted is not None:
            self._claims.gone(machine)
            self._workers.done(machine)
        elif claim is None:
            # Nobody leads: its finalizer comes first, as somebody may have to clean up behind us.
            first = 0.0 if not self._claims.vacant(self._name) else self.api.call()
            self.after(self.api.compute() + first + self.api.half(), partial(self._open, machine))
        elif self._on_our_own(claim):
            self._serve(claim)
        else:
            self._look_again(machine)

    def _open(self, machine: ModelMachine) -> None:
        if machine.deleted is None:
            claim = HandedClaim(machine)
            self._claims.opened(claim)
            self._since[machine] = claim.version, self.world.env.now
        self.after(self.api.half(), partial(self._opened, machine))

    def _opened(self, machine: ModelMachine) -> None:
        if self._claims.vacant(self._name):
            self._workers.add(machine)
            self._workers.done(machine)
        else:
            self._again(machine, SERVED_SOON)

    def _look_again(self, machine: ModelMachine) -> None:
        if machine.state is State.WAITS and self._claims.coordinated:
            self._workers.done(machine)  # The coordinator hears first of a host for it.
        else:
            self._again(machine, self._claims.lease.renew_deadline / 4)

    def _again(self, machine: ModelMachine, seconds: float) -> None:
        self.after(seconds, partial(self._workers.add, machine))
        self._workers.done(machine)

    def _on_our_own(self, claim: HandedClaim) -> bool:
        wish = self.world.records.wishes.of(claim.machine)
        if claim.host is None and not self.fits(wish):
            self._since.pop(claim.machine, None)
            return False
        now = self.world.env.now
        version, since = self._since.get(claim.machine, (-1, now))
        if version != claim.version:
            since = now
            self._since[claim.machine] = claim.version, now
        return self._claims.vacant(self._name) or now - since >= self._claims.lease.renew_deadline

    def _serve(self, claim: HandedClaim) -> None:
        machine, world = claim.machine, self.world
        if claim.host is not None:
            self._begins(claim)
            then = partial(self._served, claim)
            self.after(self.api.compute(), partial(settle, self, claim, then))
            return
        chosen = self.view.pool.choose(
            world.tuning.selection_algorithm, world.key(machine), world.records.wishes.of(machine)
        )
        if not chosen or not self.view.keep(chosen[0].key):
            self._look_again(machine)
            return
        self._begins(claim)
        record = world.records.by_key[chosen[0].key]
        then = partial(self._gave, claim, record)
        self.after(self.api.compute(), give(self, claim, record, then))

    def _begins(self, claim: HandedClaim) -> None:
        self._claims.unled += 1
        claim.hands.append(self)
        if claim.machine.state is State.WAITS:
            self.world.claimant.move(claim.machine, State.WANTS)

    def _gave(self, claim: HandedClaim, record: Record) -> None:
        self.view.let_go(record.host.key)
        self._served(claim)

    def _served(self, claim: HandedClaim) -> None:
        claim.hands.remove(self)
        if self._claims.looked_at(claim):
            self._since.pop(claim.machine, None)
            self._workers.done(claim.machine)
        else:
            self._again(claim.machine, RETRY)


class Coordinator(Actor):
    """One term of claim leadership."""

    def __init__(self, claims: HandedOverClaims, name: str) -> None:
        super().__init__(claims.world, f"{name}/claims")
        self._claims = claims
        self._line = WaitingLine()
        self._jobs = Workers[HandedClaim](WORKERS, self._carry_out)
        self._doing: dict[HandedClaim, Callable[[], None]] = {}
        self._news: dict[HandedClaim, None] = {}
        """In the line since the last batch."""

    def hears_of(self, claim: HandedClaim) -> None:
        self.after(self.api.lag("claims"), partial(self.told, claim))

    def told(self, claim: HandedClaim) -> None:
        """Whether it is to be served, by what is known now."""
        machine, world = claim.machine, self.world
        if machine.host is not None or machine not in self._claims.all or claim in self._doing:
            return
        if claim.unsettled:
            self._job(claim, partial(settle, self, claim, partial(self._done, claim)))
            return
        wish = world.records.wishes.of(machine)
        self._line.add(machine, world.key(machine), wish, claim.retries)
        self._news[claim] = None
        self._batch()

    def forgets(self, machine: ModelMachine) -> None:
        self._line.discard(machine)

    def freed(self) -> None:
        self._batch()

    def _batch(self) -> None:
        """Hosts for all that can have one now; the others hear once that they wait."""
        world = self.world
        algorithm = world.tuning.selection_algorithm
        for machine, waiting in list(self._line.first(world.env.now, self.fits)):
            chosen = self.view.pool.choose(algorithm, waiting.machine, waiting.requirements)
            if not chosen or not self.view.keep(chosen[0].key):
                continue
            self._line.discard(machine)
            claim = self._claims.all[machine]
            if machine.state is State.WAITS:
                world.claimant.move(machine, State.WANTS)
            record = world.records.by_key[chosen[0].key]
            self._job(claim, give(self, claim, record, partial(self._gave, claim, record)))
        news, self._news = self._news, {}
        for claim in news:
            if claim.machine in self._line:
                world.claimant.move(claim.machine, State.WAITS)
                if not claim.told:
                    self._line.discard(claim.machine)
                    self._job(claim, partial(self._tell, claim))

    def _job(self, claim: HandedClaim, work: Callable[[], None]) -> None:
        claim.hands.append(self)
        self._doing[claim] = work
        self._jobs.add(claim)

    def _carry_out(self, claim: HandedClaim) -> None:
        self.after(self.api.compute(), self._doing[claim])

    def _tell(self, claim: HandedClaim) -> None:
        claim.told = True
        claim.version += 1
        self.after(self.api.call(), partial(self._done, claim))

    def _gave(self, claim: HandedClaim, record: Record) -> None:
        self.view.let_go(record.host.key)
        self._done(claim)

    def _done(self, claim: HandedClaim) -> None:
        del self._doing[claim]
        claim.hands.remove(self)
        self._jobs.done(claim)
        if not self._claims.looked_at(claim):
            self.told(claim)
