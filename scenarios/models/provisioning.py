"""A fleet that is provisioned, on SimPy: what the controller's policies make of BMCs' times.

The controller's own code decides here too: the provisioning queue with its limits, cooldowns,
priorities and ageing, and the choice of hosts. The vendors' times are the emulator's, from the
same random streams, so a run shares its luck with a run of the code at the same seed. What is
modelled are the API and the reconcilers, by the few times of :class:`Calibration`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import simpy

from beskar7.config import Tuning
from beskar7.controllers.cleaning import CLEAN_POLL
from beskar7.controllers.host import QUEUE_FULL_DELAY
from beskar7.coordination.operations import Operation, OperationKind, QueueFullError, QueueLimits
from beskar7.coordination.queue import ProvisioningQueue
from scenarios.models.calibration import Calibration
from scenarios.models.claiming import Claims
from scenarios.models.events import after
from scenarios.models.hithosts import HitHosts
from scenarios.models.looks import Looks
from scenarios.models.machines import ModelHost
from scenarios.models.modelmachine import ModelMachine, State
from scenarios.models.station import Service, Station

MOVING = frozenset((State.WANTS, State.BOOTS, State.LEAVES))


class Provisioning:
    """One controller over some hosts. Drive it by :meth:`enrol`, :meth:`create`, :meth:`delete`.

    ``claims`` gives hosts to machines, and takes back those that are clean. ``changed`` hears of
    each machine that is claimed, provisioned or gone.
    """

    def __init__(
        self,
        env: simpy.Environment,
        tuning: Tuning,
        times: Calibration,
        claims: Claims,
        changed: Callable[[ModelMachine], None],
    ) -> None:
        self.machines: list[ModelMachine] = []
        self.states: Counter[State] = Counter()
        self._moving = 0
        self.rejections = 0
        self._env = env
        self._tuning = tuning
        self._times = times
        self._claims = claims
        claims.world.claimant = self
        self._changed = changed
        self.queue = self._new_queue()
        workers, suspects = tuning.worker_count, tuning.suspect_worker_count
        self.station = Station(env, self.queue, workers, self._ended, suspects)
        self._owners: dict[str, ModelMachine] = {}
        self.looks = Looks(env, self.station, times.told, tuning.boot_poll_interval, self._settled)
        self._hosts: list[ModelHost] = []
        self._new: dict[str, None] = {}
        """Hosts whose enrolment is not over."""
        self._led = True
        self._term = 0
        """What was to follow in an earlier one does not."""
        self.hit: HitHosts | None = None
        """Those hosts that live by the controller's own reconciler."""

    def configure(self, tuning: Tuning) -> None:
        """As the ConfigMap has it from now on."""
        self._tuning = tuning
        self.queue.limits = _limits(tuning)
        self.looks.poll = tuning.boot_poll_interval
        self.station.configure(tuning.worker_count, tuning.suspect_worker_count)
        if self.hit is not None:
            self.hit.configure(tuning)

    @property
    def moving(self) -> int:
        """Machines that are on their way to somewhere, and freed hosts that may move some."""
        return self._moving + self._claims.world.under_way

    def _new_queue(self) -> ProvisioningQueue:
        return ProvisioningQueue(_limits(self._tuning))

    # --- who leads ----------------------------------------------------------------------------

    def led_no_more(self) -> None:
        """Whoever reconciled is dead: hosts go on with what they were told, and nobody looks."""
        self._led = False
        self._term += 1
        self.queue = self._new_queue()
        self.station.begin_anew(self.queue)
        self.looks.stop()

    def leads(self) -> None:
        """Somebody takes over: every BMC rests first, and what hosts are about is begun anew."""
        self._led = True
        self.looks.go_on()
        self.queue.assume_all_touched(self._env.now)
        for host in self._hosts:
            owner = self._owners.get(host.name)
            if host.name in self._new:
                self._ask(host, OperationKind.INSPECT)
            elif owner is None or owner.state is State.READY:
                continue
            elif owner.deleted is not None:
                self._after(self._times.seen, partial(self._release, host))
            elif host.on:
                self.looks.watch(host, 0.0)
            else:
                self._after(self._times.handoff, partial(self._ask, host, OperationKind.PROVISION))

    # --- machines -----------------------------------------------------------------------------

    def create(self, number: int, variant: int | None = None) -> ModelMachine:
        """``variant``: its position in the mix; None: as its turn is."""
        now = self._env.now
        machine = ModelMachine(number, created=now, eligible=now, variant=variant)
        self.machines.append(machine)
        self.states[State.WANTS] += 1
        self._moving += 1
        self._claims.want(machine)
        return machine

    def delete(self, machine: ModelMachine) -> None:
        machine.deleted = self._env.now
        if machine.host is None:
            self._claims.leave(machine)
        else:
            self.move(machine, State.LEAVES)
            self._after(self._times.seen, partial(self._release, machine.host))

    def move(self, machine: ModelMachine, state: State) -> None:
        self.states[machine.state] -= 1
        self.states[state] += 1
        self._moving += (state in MOVING) - (machine.state in MOVING)
        machine.state = state

    def claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        machine.host = host
        machine.claimed = self._env.now
        self._owners[host.name] = machine
        if machine.deleted is None:
            self.move(machine, State.BOOTS)
            if self.hit is not None and host.name in self.hit.names:
                self.hit.claim(host.name, machine)
            else:
                self._after(self._times.handoff, partial(self._ask, host, OperationKind.PROVISION))
        else:
            self.move(machine, State.LEAVES)
            self._after(self._times.seen, partial(self._release, host))
        self._changed(machine)

    def _provisioned(self, machine: ModelMachine) -> None:
        if machine.deleted is None:
            machine.provisioned = self._env.now
            self.move(machine, State.READY)
            self._changed(machine)

    # --- hosts --------------------------------------------------------------------------------

    def enrol(self, host: ModelHost) -> None:
        """Inspect a host that is new; it is free after that."""
        if self.hit is not None and host.name in self.hit.names:
            self.hit.enrol(host.name)
        else:
            self._hosts.append(host)
            self._new[host.name] = None
            self._ask(host, OperationKind.INSPECT)

    def booted(self, host: ModelHost) -> None:
        """The host runs the image of whoever owns it."""
        self._after(self._times.finish, partial(self._provisioned, self._owners[host.name]))

    def free(self, host: ModelHost) -> None:
        """The host is Available, and clean if it was somebody's."""
        if host.name in self._owners:
            self._clean(host)
        else:
            self._claims.world.offer(host)

    def _enrolled(self, host: ModelHost) -> None:
        del self._new[host.name]
        self._claims.world.offer(host)

    def _release(self, host: ModelHost) -> None:
        if self.hit is not None and host.name in self.hit.names:
            self.hit.release(host.name)
            return
        host.turn += 1
        self.station.withdraw(host.key)
        self._ask(host, OperationKind.DEPROVISION)

    def _clean(self, host: ModelHost) -> None:
        machine = self._owners.pop(host.name)
        machine.released = self._env.now
        self.move(machine, State.GONE)
        # Who waits has it before anybody asks whether all is at rest.
        self._claims.world.offer(host)
        self._changed(machine)

    # --- operations ---------------------------------------------------------------------------

    def _ask(self, host: ModelHost, kind: OperationKind, *, again: bool = False) -> None:
        owner = self._owners.get(host.name)
        if kind is OperationKind.PROVISION and (owner is None or owner.deleted is not None):
            return  # Given back meanwhile.
        operation = Operation(
            host=host.key,
            bmc=host.bmc,
            kind=kind,
            cooldown=host.cooldown,
            work=partial(self._work, host, kind),
            vendor=host.vendor,
            priority=kind.priority,
            subject=_Asked(host, host.turn),
        )
        try:
            self.station.submit(operation)
        except QueueFullError:
            self.rejections += 1
            # The host's new state, written before it was asked, comes back by watch and asks again.
            wait = QUEUE_FULL_DELAY if again else self._times.seen
            self._after(wait, partial(self._ask, host, kind, again=True))

    def _work(self, host: ModelHost, kind: OperationKind) -> Service:
        seconds, before_writing = host.lasts(kind)
        owner = self._owners.get(host.name)
        if kind is OperationKind.PROVISION and owner is not None and owner.begun is None:
            owner.begun = self._env.now
            owner.written = self._env.now + before_writing
        elif kind is OperationKind.DEPROVISION and owner is not None and owner.cleaned is None:
            owner.cleaned = self._env.now
        return Service(seconds)

    def _ended(self, operation: Operation, service: Service) -> None:
        host, turn = operation.subject
        if turn != host.turn:
            return  # It was asked for a former owner, and has lost the right to write.
        if operation.kind is OperationKind.INSPECT:
            self._after(self._times.told, partial(self._enrolled, host))
        elif operation.kind is OperationKind.PROVISION:
            host.boot(self._env.now)
            self.looks.watch(host, self._tuning.boot_poll_interval)
        else:
            host.switch_off(self._env.now)
            self.looks.watch(host, CLEAN_POLL)

    def _settled(self, host: ModelHost) -> None:
        """A look saw that it runs, or that it is off."""
        if host.on:
            self.booted(host)
        else:
            self._after(self._times.told, partial(self._clean, host))

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        """Go on in so many seconds, if the same manager leads then."""
        if self._led:
            after(self._env, seconds, partial(self._in_term, self._term, then))

    def _in_term(self, term: int, then: Callable[[], None]) -> None:
        if term == self._term:
            then()


def _limits(tuning: Tuning) -> QueueLimits:
    return QueueLimits(
        tuning.max_queue_size, tuning.max_concurrent_ops, tuning.concurrent_ops_by_vendor()
    )


class _Asked(NamedTuple):
    host: ModelHost
    turn: int
