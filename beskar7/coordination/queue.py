"""The provisioning queue: which operation may touch which BMC, and when.

A data structure without threads or clock; :mod:`beskar7.coordination.pool` gives it both. Every
step costs O(log n) of what waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy, CircuitState
from beskar7.coordination.lanes import BmcLane, BmcLanes
from beskar7.coordination.operations import (
    Ending,
    Operation,
    OperationKind,
    QueueFullError,
    QueueLimits,
)
from beskar7.coordination.ready import OperationHeap
from beskar7.coordination.room import Load, Turns, WaitingWriters, WriteSlots

CircuitChanged = Callable[[str, CircuitState, CircuitState, Operation | None], None]


class ProvisioningQueue:
    """Bounded, by priority with ageing, one operation a BMC, cooldown from completion.

    ``on_cooldown`` is called once for each operation that had to wait for its BMC to rest,
    ``on_circuit`` with each change of a BMC's circuit: BMC, former and new state, and the operation
    that showed it, if one did.
    Times are seconds of the runtime's ``now``.
    """

    def __init__(
        self,
        limits: QueueLimits | None = None,
        on_cooldown: Callable[[Operation], None] = lambda operation: None,
        circuits: CircuitPolicy | None = None,
        on_circuit: CircuitChanged = lambda bmc, before, state, operation: None,
    ) -> None:
        self.limits = limits or QueueLimits()
        self.circuits = circuits or CircuitPolicy()
        self._on_cooldown = on_cooldown
        self._on_circuit = on_circuit
        self._waiting: dict[ObjectKey, Operation] = {}
        self._writers = WaitingWriters()
        self._running: dict[int, Operation] = {}
        self._lanes = BmcLanes()
        self._ready: defaultdict[tuple[bool, str | None], OperationHeap] = defaultdict(
            OperationHeap
        )
        """What may start, by (suspect, vendor of a writing operation or None for a read)."""
        self._delayed = {False: OperationHeap(), True: OperationHeap()}
        self._slots = WriteSlots()
        self._all_rested_since = float("-inf")
        self._turns = {False: Turns(), True: Turns()}
        self._sequence = 0

    @property
    def length(self) -> int:
        """Writing operations that wait: what ``maxQueueSize`` bounds.

        Those of BMCs that do not answer are counted, and bounded, apart: they must not take the
        room of the others.
        """
        return self._writers.total[False]

    @property
    def suspects(self) -> int:
        """Writing operations that wait for a BMC that does not answer."""
        return self._writers.total[True]

    @property
    def processing(self) -> int:
        """Writing operations that run: what ``maxConcurrentOps`` bounds."""
        return self._slots.used

    def load(self, namespace: str) -> Load:
        """What there is of a namespace's hosts: a share of the three counts above.

        Single reads, so that whoever measures needs no lock.
        """
        return Load(
            self._writers.of(namespace, suspect=False),
            self._writers.of(namespace, suspect=True),
            self._slots.used_by(namespace),
        )

    def holds(self, host: ObjectKey, kind: OperationKind | None = None) -> bool:
        """Whether an operation (of this kind, None: of any) of this host waits or runs.

        One that was abandoned does neither, as far as its host is concerned.
        """
        waiting = self._waiting.get(host)
        if waiting is not None and kind in (None, waiting.kind):
            return True
        return any(
            running.host == host and kind in (None, running.kind) and not running.abandoned
            for running in self._running.values()
        )

    def circuit(self, bmc: str) -> CircuitState:
        lane = self._lanes.find(bmc)
        return CircuitState.CLOSED if lane is None else lane.circuit.state

    def is_suspect(self, bmc: str) -> bool:
        """Whether the BMC left its last operation without an answer."""
        lane = self._lanes.find(bmc)
        return lane is not None and lane.circuit.suspect

    # --- coming and going ---------------------------------------------------------------------

    def submit(self, operation: Operation, now: float) -> bool:
        """Take an operation in; False when its host has one waiting, or one of its kind running.

        Raises:
            QueueFullError: nothing was taken in, nothing is lost: submit it again later. Its turn
                is kept: room goes to those first that were turned away longest.
        """
        if operation.host in self._waiting or self.holds(operation.host, operation.kind):
            return False
        lane = self._lanes.open(operation.bmc, now)
        operation.submitted = now
        if operation.kind.writes:
            self._admit(operation, lane.circuit.suspect, now)
            self._writers.count(operation, 1, suspect=operation.suspect)
        self._sequence += 1
        operation.sequence = self._sequence
        self._waiting[operation.host] = operation
        lane.waiting[operation.sequence] = operation
        self._put(operation, lane, now)
        return True

    def withdraw(self, host: ObjectKey) -> bool:
        """Take a waiting operation back; False when none waits (it may run)."""
        for turns in self._turns.values():
            turns.forget(host)
        operation = self._waiting.get(host)
        if operation is None:
            return False
        self._leave(operation)
        return True

    def take(self, now: float, *, suspects: bool | None = None) -> Operation | None:
        """The best operation that may start at this moment; it then runs until ``complete``.

        ``suspects``: False takes none whose BMC is suspect; True takes only these, which get no
        write slot before :meth:`claim_slot`; None makes no difference.
        """
        self._promote(now)
        best: Operation | None = None
        for (suspect, vendor), heap in self._ready.items():
            if suspects not in (None, suspect):
                continue
            if vendor is not None and not self._may_write(vendor, apart=suspects is True):
                continue
            first = heap.top()
            if first is not None and (best is None or first[1].order < best.order):
                best = first[1]
        if best is None:
            return None
        self._leave(best)
        lane = self._lanes[best.bmc]
        lane.running = best
        for other in lane.waiting.values():
            other.place += 1
        self._running[best.sequence] = best
        self._turn(lane, lane.circuit.begin, best)
        if best.kind.writes and suspects is not True:
            self._slots.hold(best)
        return best

    def complete(self, operation: Operation, now: float, ending: Ending = Ending()) -> None:  # noqa: B008 # frozen
        """The operation is over, however it ended; its BMC's rest begins if it may have written."""
        del self._running[operation.sequence]
        self.yield_slot(operation)
        lane = self._lanes[operation.bmc]
        lane.running = None
        if operation.kind.writes:
            lane.rested_since = now
        lane.held_until = max(lane.held_until, now + ending.hold)
        circuit = lane.circuit
        turn = {
            True: circuit.answered,
            False: lambda: circuit.failed(now, self.circuits),
            None: circuit.undecided,
        }[ending.answered]
        self._turn(lane, turn, operation)
        self._put_all(lane, now)

    def next_due(self, now: float, *, suspects: bool | None = None) -> float | None:
        """When time alone makes a waiting operation ready; None when no time does.

        ``suspects`` as in :meth:`take`.
        """
        self._promote(now)
        tops = [
            heap.top() for suspect, heap in self._delayed.items() if suspects in (None, suspect)
        ]
        return min((top[0] for top in tops if top is not None), default=None)

    # --- write slots --------------------------------------------------------------------------

    def want_slot(self) -> None:
        """A running operation waits for a slot: none that waits in the queue may start before."""
        self._slots.wanted += 1

    def unwant_slot(self) -> None:
        self._slots.wanted -= 1

    def claim_slot(self, operation: Operation) -> bool:
        """Count a running operation against the limits; False when they leave no room."""
        return operation.holds_slot or self._slots.claim(operation, self.limits)

    def yield_slot(self, operation: Operation) -> None:
        """The operation writes nothing any more, or not yet."""
        self._slots.release(operation)

    # --- what happens to BMCs -----------------------------------------------------------------

    def assume_all_touched(self, now: float) -> None:
        """Somebody else may have used any BMC until now: a leader that takes over starts so."""
        self._all_rested_since = now
        for operation in self._waiting.values():
            self._put(operation, self._lanes[operation.bmc], now)

    def trust(self, bmc: str, now: float) -> bool:
        """What kept the BMC from answering may be over: try it at once. False: it was trusted."""
        lane = self._lanes.find(bmc)
        if lane is None or not lane.circuit.suspect:
            return False
        self._turn(lane, lane.circuit.answered, None)
        self._put_all(lane, now)
        return True

    # --- inside -------------------------------------------------------------------------------

    def _admit(self, operation: Operation, suspect: bool, now: float) -> None:
        """Raises QueueFullError when there is no room for it yet."""
        operation.suspect = suspect
        waiting = self._writers.total[suspect]
        free = self.limits.max_queue_size - waiting
        since = self._turns[suspect].admit(operation.host, free, now)
        if since is None:
            raise QueueFullError(f"{waiting} operations wait")
        operation.submitted = since

    def _leave(self, operation: Operation) -> None:
        del self._waiting[operation.host]
        del self._lanes[operation.bmc].waiting[operation.sequence]
        operation.place += 1
        if operation.kind.writes:
            self._writers.count(operation, -1, suspect=operation.suspect)

    def _promote(self, now: float) -> None:
        for heap in self._delayed.values():
            heap.pop_due(now, lambda operation: self._put(operation, self._lane(operation), now))

    def _lane(self, operation: Operation) -> BmcLane:
        return self._lanes[operation.bmc]

    def _put_all(self, lane: BmcLane, now: float) -> None:
        for operation in lane.waiting.values():
            self._put(operation, lane, now)

    def _put(self, operation: Operation, lane: BmcLane, now: float) -> None:
        """Where it belongs as things stand: with those that are ready, or that wait for a time."""
        operation.place += 1
        suspect = lane.circuit.suspect
        writes = operation.kind.writes
        if suspect is not operation.suspect:
            operation.suspect = suspect
            if writes:
                self._writers.count(operation, 1, suspect=suspect)
                self._writers.count(operation, -1, suspect=not suspect)
        if lane.running is not None:
            return  # its end brings the operation here again
        rest = self._rest_until(operation)
        due = max(operation.not_before, rest, lane.held_until, lane.circuit.retry_at)
        if due > now:
            heap = self._delayed[suspect]
            heap.put(due, operation)
            if rest > now >= operation.not_before:
                self._note_cooldown(operation)
        else:
            heap = self._ready[suspect, operation.vendor if writes else None]
            heap.put(operation.rank, operation)
        heap.compact(len(self._waiting))

    def _may_write(self, vendor: str, *, apart: bool) -> bool:
        if apart:
            return self.limits.max_concurrent_ops > 0
        return not self._slots.wanted and self._slots.free(vendor, self.limits)

    def _rest_until(self, operation: Operation) -> float:
        if not operation.kind.writes:
            return float("-inf")
        since = self._lanes[operation.bmc].rested_since
        return max(since, self._all_rested_since) + operation.cooldown

    def _note_cooldown(self, operation: Operation) -> None:
        if not operation.cooled:
            operation.cooled = True
            self._on_cooldown(operation)

    def _turn(self, lane: BmcLane, turn: Callable[[], None], operation: Operation | None) -> None:
        circuit = lane.circuit
        before = circuit.state
        turn()
        if circuit.state is not before:
            self._on_circuit(circuit.bmc, before, circuit.state, operation)
