"""How the model's machines come to their hosts: by optimistic claims, as the controller makes them.

Each manager chooses among the hosts that its cache shows free, which is behind the API by a watch;
the API refuses who comes too late. The choice, the order of who waits, the tries, their limits and
their backoff are the controller's own; the times are those of API calls and watches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

import simpy

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.config import Tuning
from beskar7.controllers.claims import FIRST_BACKOFF, JITTER, RIVALS
from beskar7.coordination.requirements import Requirements
from beskar7.coordination.selection import WINDOW
from beskar7.kube.backoff import Exponential
from beskar7.runtime import VirtualRuntime
from scenarios.models.apiport import ApiPort, after
from scenarios.models.calibration import Calibration
from scenarios.models.hostrecords import HostRecords, HostView, Record
from scenarios.models.machines import ModelHost
from scenarios.models.modelmachine import ModelMachine, State
from scenarios.models.waitingline import WaitingLine
from scenarios.models.workers import Workers

WOKEN = 1
"""Priority of a machine that waited and hears of a free host, as in the controller."""
BACKLOG = -100
"""Priority of what a manager finds when it takes over."""


class Claimant(Protocol):
    """Who hears what becomes of machines' claims."""

    def claimed(self, machine: ModelMachine, host: ModelHost) -> None:
        """The API has the machine's name on the host, from now on."""

    def move(self, machine: ModelMachine, state: State) -> None:
        """It wants a host (there may be one), waits for one, or is gone without one."""


class Claims(Protocol):
    """Gives hosts to machines. ``claimant`` is told; it is set before anything is asked."""

    claimant: Claimant
    records: HostRecords
    under_way: int
    """News of freed hosts that nobody has heard yet: what they lead to is still to come."""

    def want(self, machine: ModelMachine) -> None:
        """The machine is created now and wants a host."""

    def leave(self, machine: ModelMachine) -> None:
        """It is deleted now, and has no host; it may get one yet, if its claim is on its way."""

    def offer(self, host: ModelHost) -> None:
        """The host is nobody's from now on."""


class OptimisticClaims:
    """``managers`` claim for their shares of the machines from the same hosts."""

    claimant: Claimant

    def __init__(
        self,
        env: simpy.Environment,
        runtime: VirtualRuntime,
        records: HostRecords,
        tuning: Tuning,
        times: Calibration,
        namespace: str,
        managers: Sequence[str],
    ) -> None:
        self.records = records
        self.under_way = 0
        self._managers = [
            Manager(env, runtime, self, tuning, times, namespace, name) for name in managers
        ]

    def want(self, machine: ModelMachine) -> None:
        self.records.arrives(machine)
        self._managers[machine.number % len(self._managers)].arrives(machine)

    def leave(self, machine: ModelMachine) -> None:
        self._managers[machine.number % len(self._managers)].leaves(machine)

    def offer(self, host: ModelHost) -> None:
        record = self.records.by_key[host.key]
        self.records.offer(record)
        self.tell(record)

    def tell(self, record: Record, writer: Manager | None = None) -> None:
        """The managers' watches tell of a host's new version; its writer knows it anyway."""
        for manager in self._managers:
            if manager is not writer:
                self.under_way += record.free
                manager.hears(record)


class Manager:
    """One manager's claims: its cache of hosts, its workers, and what it remembers of tries."""

    def __init__(
        self,
        env: simpy.Environment,
        runtime: VirtualRuntime,
        claims: OptimisticClaims,
        tuning: Tuning,
        times: Calibration,
        namespace: str,
        name: str,
    ) -> None:
        self.alive = True
        self._env = env
        self._runtime = runtime
        self._claims = claims
        self._records = claims.records
        self._tuning = tuning
        self._namespace = namespace
        self._api = ApiPort(env, runtime.rng(f"model/api/{name}"), times.api, times.processor)
        self._view = HostView(runtime, claims.records)
        self._workers = Workers[ModelMachine](tuning.max_concurrent_reconciles, self._reconcile)
        self._line = WaitingLine()
        self._tried: Counter[ObjectKey] = Counter()
        self._failures: dict[ModelMachine, int] = {}
        self._echoes: dict[ModelMachine, float] = {}
        """When the watch tells of the finalizer that a machine was given."""
        self._backoff = Exponential(
            FIRST_BACKOFF, tuning.max_backoff_delay, tuning.backoff_multiplier, JITTER
        )

    # --- news ---------------------------------------------------------------------------------

    def arrives(self, machine: ModelMachine) -> None:
        self._after(self._api.lag("machines"), partial(self._workers.add, machine))

    def leaves(self, machine: ModelMachine) -> None:
        self._line.discard(machine)
        if not self._workers.holds(machine):
            self._gone(machine)

    def hears(self, record: Record) -> None:
        key, version, free = record.host.key, record.version, record.free
        self._after(self._api.lag("hosts"), partial(self._heard, key, version, free))

    def _heard(self, key: ObjectKey, version: int, free: bool) -> None:
        self._claims.under_way -= free
        if self._view.learn(key, version, free):
            self._wake()

    def _wake(self) -> None:
        """As many of those that wait may try as there are free hosts; they stay in the line."""
        if not len(self._line):
            return
        algorithm = self._tuning.selection_algorithm

        def free(wish: Requirements) -> int:
            return self._view.pool.fits(algorithm, self._namespace, wish)

        for machine, _ in list(self._line.first(self._env.now, free)):
            if machine.state is State.WAITS:
                self._claims.claimant.move(machine, State.WANTS)
            self._workers.add(machine, WOKEN)

    # --- one reconcile ------------------------------------------------------------------------

    def _reconcile(self, machine: ModelMachine) -> None:
        if machine.host is not None or machine.state is State.GONE:
            self._workers.done(machine)
            return
        # Its finalizer is written; or, if it has one, the server is asked what it owns already.
        seconds = self._api.compute() + self._api.half()
        if machine not in self._failures and machine not in self._line:
            self._echoes[machine] = self._env.now + seconds + self._api.delivery()
        self._after(seconds + self._api.half(), partial(self._claim, machine))

    def _claim(self, machine: ModelMachine) -> None:
        if machine.deleted is not None:
            self._end(machine)
            return
        ranked = self._view.pool.choose(
            self._tuning.selection_algorithm,
            self._key(machine),
            self._records.wishes.of(machine),
            limit=WINDOW,
        )
        if not ranked:
            self._wait(machine)
            return
        order = _untried_first(ranked, dict(self._tried))
        self._try_next(machine, order, self._tuning.claim_retry_limit)

    def _wait(self, machine: ModelMachine) -> None:
        """That it waits is written, too."""
        self._claims.claimant.move(machine, State.WAITS)
        self._line.add(machine, self._key(machine), self._records.wishes.of(machine), 0)
        self._after(self._api.call(), partial(self._end, machine))
        self._wake()

    def _try_next(self, machine: ModelMachine, ranked: Iterator[PhysicalHost], tries: int) -> None:
        for host in ranked if tries else ():
            key = host.key
            if self._tried[key] < RIVALS and self._view.pool.get(key) is not None:
                self._tried[key] += 1
                version = self._view.versions[key]
                self._after(
                    self._api.half(), partial(self._write, machine, key, version, ranked, tries - 1)
                )
                return
        failures = self._failures.get(machine, 0)
        self._failures[machine] = failures + 1
        rng = self._runtime.rng(f"claim-backoff/{self._key(machine)}")
        delay = self._backoff.delay(failures, rng)
        # Every change of a machine brings it back, its own finalizer's, too: so the first time it
        # does not wait for the backoff's end.
        echo = self._echoes.pop(machine, None)
        if echo is not None:
            delay = min(delay, max(0.0, echo - self._env.now))
        self._after(delay, partial(self._again, machine))
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
        record = self._records.by_key[key]
        if not self._records.claim(record, version, machine):
            # Answer, and a read of the host as it is by then.
            read = partial(self._read, machine, record, ranked, tries)
            self._after(self._api.half() + self._api.half(), read)
            return
        self._claims.claimant.claimed(machine, record.host)
        self._claims.tell(record, self)
        self._after(self._api.half(), partial(self._got, machine, record, record.version))

    def _got(self, machine: ModelMachine, record: Record, version: int) -> None:
        key = record.host.key
        self._view.learn(key, version, free=False)
        self._tries_no_more(key)
        self._failures.pop(machine, None)
        self._echoes.pop(machine, None)
        self._line.discard(machine)
        self._runtime.forget_rng(f"claim-backoff/{self._key(machine)}")
        # Its status is written.
        self._after(self._api.call(), partial(self._end, machine))

    def _read(
        self, machine: ModelMachine, record: Record, ranked: Iterator[PhysicalHost], tries: int
    ) -> None:
        version, free = record.version, record.free
        then = partial(self._lost, machine, record.host.key, version, free, ranked, tries)
        self._after(self._api.half(), then)

    def _lost(
        self,
        machine: ModelMachine,
        key: ObjectKey,
        version: int,
        free: bool,
        ranked: Iterator[PhysicalHost],
        tries: int,
    ) -> None:
        self._tries_no_more(key)
        if self._view.learn(key, version, free):
            self._wake()
        if machine.deleted is None:
            self._try_next(machine, ranked, tries)
        else:
            self._end(machine)

    def _tries_no_more(self, key: ObjectKey) -> None:
        self._tried[key] -= 1
        if not self._tried[key]:
            del self._tried[key]

    def _end(self, machine: ModelMachine) -> None:
        if machine.deleted is not None and machine.host is None:
            self._line.discard(machine)
            self._gone(machine)
        self._workers.done(machine)

    def _gone(self, machine: ModelMachine) -> None:
        """Without a host; whoever was woken with it may go on."""
        if machine.state is not State.GONE:
            self._claims.claimant.move(machine, State.GONE)
            self._wake()

    def _key(self, machine: ModelMachine) -> ObjectKey:
        return ObjectKey(self._namespace, f"machine-{machine.number:03d}")

    def _after(self, seconds: float, then: Callable[[], None]) -> None:
        after(self._env, seconds, then)


def _untried_first(
    ranked: list[PhysicalHost], tried: Mapping[ObjectKey, int]
) -> Iterator[PhysicalHost]:
    """Sorted by how many try them; but the first is often all that is asked for."""
    best = next((host for host in ranked if host.key not in tried), None)
    if best is not None:
        yield best
    rest = [host for host in ranked if host is not best]
    yield from sorted(rest, key=lambda host: tried.get(host.key, 0))
