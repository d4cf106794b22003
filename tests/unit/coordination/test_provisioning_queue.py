"""The provisioning queue keeps its promises in every history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beskar7.api.meta import ObjectKey
from beskar7.coordination.circuit import CircuitPolicy
from beskar7.coordination.lanes import REMEMBERED
from beskar7.coordination.operations import (
    AGEING,
    Ending,
    Operation,
    OperationKind,
    QueueFullError,
    QueueLimits,
    bmc_id,
)
from beskar7.coordination.queue import ProvisioningQueue
from beskar7.coordination.ready import SLACK

pytestmark = pytest.mark.unit

COOLDOWN = 10.0
NAMESPACES = ("default", "other")


def operation(name: str, kind: OperationKind = OperationKind.PROVISION, **fields) -> Operation:
    fields = {"bmc": f"bmc-{name}", "cooldown": COOLDOWN, "work": lambda: None, **fields}
    return Operation(host=fields.pop("host", ObjectKey("default", name)), kind=kind, **fields)


def key_of(host: int) -> ObjectKey:
    """Of the state machine's hosts; those that share a BMC are of different namespaces."""
    return ObjectKey(NAMESPACES[host % 2], f"h{host}")


@dataclass
class SlowQueue:
    """The model: the same promises, kept by looking at everything each time."""

    limits: QueueLimits
    circuits: CircuitPolicy
    waiting: list[Operation] = field(default_factory=list)
    running: list[Operation] = field(default_factory=list)
    rested: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    retry_at: dict[str, float] = field(default_factory=dict)

    def due(self, item: Operation) -> float:
        never = float("-inf")
        rest = self.rested.get(item.bmc, never) + item.cooldown if item.kind.writes else never
        return max(
            item.not_before,
            rest,
            self.held.get(item.bmc, never),
            self.retry_at.get(item.bmc, never),
        )

    def suspect(self, bmc: str) -> bool:
        return self.failures.get(bmc, 0) > 0

    def slots(self, vendor: str | None = None) -> int:
        return sum(item.holds_slot and vendor in (None, item.vendor) for item in self.running)

    def may_start(self, item: Operation, now: float, suspects: bool | None) -> bool:
        if any(other.bmc == item.bmc for other in self.running) or self.due(item) > now:
            return False
        if suspects is not None and self.suspect(item.bmc) is not suspects:
            return False
        if not item.kind.writes:
            return True
        if suspects:
            return self.limits.max_concurrent_ops > 0
        return self.slots() < self.limits.max_concurrent_ops and self.slots(
            item.vendor
        ) < self.limits.vendor_ops.get(item.vendor, 99)

    def best(self, now: float, suspects: bool | None) -> Operation | None:
        able = [item for item in self.waiting if self.may_start(item, now, suspects)]
        return min(able, key=lambda item: item.order, default=None)

    def next_due(self, now: float, suspects: bool | None) -> float | None:
        busy = {item.bmc for item in self.running}
        times = [
            self.due(item)
            for item in self.waiting
            if item.bmc not in busy and suspects in (None, self.suspect(item.bmc))
        ]
        return min((due for due in times if due > now), default=None)

    def writers(self, suspect: bool, namespaces: Sequence[str] = NAMESPACES) -> int:
        return sum(
            item.kind.writes
            and self.suspect(item.bmc) is suspect
            and item.host.namespace in namespaces
            for item in self.waiting
        )

    def load(self, namespace: str) -> tuple[int, int, int]:
        running = sum(item.holds_slot and item.host.namespace == namespace for item in self.running)
        return self.writers(False, [namespace]), self.writers(True, [namespace]), running


class QueueHistories(RuleBasedStateMachine):
    """Random submits, takes, completions and clock steps, beside the model."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        limits = QueueLimits(max_queue_size=4, max_concurrent_ops=2)
        circuits = CircuitPolicy(2, lambda bmc, trials: 4.0 * 2**trials)
        self.queue = ProvisioningQueue(limits, circuits=circuits)
        self.model = SlowQueue(limits, circuits)
        self.accepted = self.finished = self.withdrawn = 0

    @rule(
        host=st.integers(0, 9),
        kind=st.sampled_from(list(OperationKind)),
        priority=st.integers(0, 2),
        delay=st.sampled_from([0.0, 3.0]),
    )
    def submit(self, host: int, kind: OperationKind, priority: int, delay: float) -> None:
        # Two hosts share each BMC.
        request = operation(
            f"h{host}",
            kind,
            host=key_of(host),
            bmc=f"bmc-{host // 2}",
            vendor=("dell", "hpe")[host % 4 // 2],
            priority=priority,
            not_before=self.now + delay,
        )
        model = self.model
        room = model.limits.max_queue_size - model.writers(model.suspect(request.bmc))
        known = any(item.host == request.host for item in model.waiting) or any(
            item.host == request.host and item.kind is kind and not item.abandoned
            for item in model.running
        )
        try:
            taken = self.queue.submit(request, self.now)
        except QueueFullError:
            # Full, or what is free is promised to hosts that were turned away before.
            assert kind.writes
            assert room <= 0 or any(self.queue._turns[flag]._turned_away for flag in (True, False))
            return
        assert taken != known
        if taken:
            assert not kind.writes or room > 0
            self.accepted += 1
            model.waiting.append(request)

    @rule(suspects=st.sampled_from([None, True, False]))
    def take(self, suspects: bool | None) -> None:
        model = self.model
        assert self.queue.next_due(self.now, suspects=suspects) == model.next_due(
            self.now, suspects
        )
        expected = model.best(self.now, suspects)
        taken = self.queue.take(self.now, suspects=suspects)
        assert taken is expected
        if taken is None:
            return
        assert taken.holds_slot == (taken.kind.writes and suspects is not True)
        model.waiting.remove(taken)
        model.running.append(taken)

    @precondition(lambda self: self.model.running)
    @rule(
        index=st.integers(0, 9),
        answered=st.sampled_from([True, False, None]),
        hold=st.sampled_from([0.0, 0.0, 7.0]),
    )
    def complete(self, index: int, answered: bool | None, hold: float) -> None:
        model, now = self.model, self.now
        ended = model.running.pop(index % len(model.running))
        self.queue.complete(ended, now, Ending(answered, hold))
        self.finished += 1
        bmc = ended.bmc
        if ended.kind.writes:
            model.rested[bmc] = now
        model.held[bmc] = max(model.held.get(bmc, 0.0), now + hold)
        if answered:
            model.failures[bmc] = 0
            model.retry_at.pop(bmc, None)
        elif answered is False:
            model.failures[bmc] = model.failures.get(bmc, 0) + 1
            beyond = model.failures[bmc] - model.circuits.threshold
            if beyond >= 0:
                model.retry_at[bmc] = now + model.circuits.delay(bmc, beyond)

    @precondition(lambda self: self.model.running)
    @rule(index=st.integers(0, 9))
    def abandon(self, index: int) -> None:
        """Its host may ask for another at once, which waits until this one is over."""
        self.model.running[index % len(self.model.running)].abandoned = True

    @precondition(lambda self: self.model.running)
    @rule(index=st.integers(0, 9))
    def give_up_its_slot_and_want_it_back(self, index: int) -> None:
        item = self.model.running[index % len(self.model.running)]
        if not item.kind.writes:
            return
        self.queue.yield_slot(item)
        assert not item.holds_slot
        free = self.model.slots() < self.model.limits.max_concurrent_ops and self.model.slots(
            item.vendor
        ) < self.model.limits.vendor_ops.get(item.vendor, 99)
        assert self.queue.claim_slot(item) == free

    @rule(host=st.integers(0, 9))
    def withdraw(self, host: int) -> None:
        key = key_of(host)
        there = [item for item in self.model.waiting if item.host == key]
        assert self.queue.withdraw(key) == bool(there)
        self.withdrawn += len(there)
        for item in there:
            self.model.waiting.remove(item)

    @rule(number=st.integers(0, 4))
    def trust(self, number: int) -> None:
        bmc = f"bmc-{number}"
        assert self.queue.trust(bmc, self.now) == self.model.suspect(bmc)
        if self.model.suspect(bmc):
            self.model.failures[bmc] = 0
            self.model.retry_at.pop(bmc, None)

    @rule(seconds=st.sampled_from([0.5, 3.0, COOLDOWN]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(ops=st.integers(0, 3), dell=st.sampled_from([None, 0, 1]))
    def resize(self, ops: int, dell: int | None) -> None:
        vendors = {} if dell is None else {"dell": dell}
        self.queue.limits = self.model.limits = QueueLimits(4, ops, vendors)

    @invariant()
    def nothing_is_lost_and_the_counts_are_true(self) -> None:
        model = self.model
        assert self.accepted == (
            self.finished + self.withdrawn + len(model.running) + len(model.waiting)
        )
        assert self.queue.processing == model.slots()
        assert self.queue.length == model.writers(False)
        assert self.queue.suspects == model.writers(True)
        for namespace in NAMESPACES:
            assert self.queue.load(namespace) == model.load(namespace)
        assert set(self.queue._slots._by_namespace) <= {
            item.host.namespace for item in model.running
        }

    @invariant()
    def memory_is_bounded_by_what_waits(self) -> None:
        heaps = [*self.queue._ready.values(), *self.queue._delayed.values()]
        assert sum(map(len, heaps)) <= len(heaps) * (2 * 10 + SLACK)

    def teardown(self) -> None:
        """With room and time, everything that was accepted runs."""
        self.queue.limits = QueueLimits(max_queue_size=4, max_concurrent_ops=2)
        running = self.model.running
        for _ in range(100):
            while (taken := self.queue.take(self.now)) is not None:
                running.append(taken)
            while running:
                self.queue.complete(running.pop(), self.now, Ending(answered=True))
            self.now = self.queue.next_due(self.now) or self.now
        assert self.queue.length == self.queue.suspects == self.queue.processing == 0
        assert not any(self.queue.holds(key_of(host)) for host in range(10))


TestQueueHistories = QueueHistories.TestCase
TestQueueHistories.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.upstream("U35")
def test_higher_priority_first_and_first_come_within_it():
    queue = ProvisioningQueue(QueueLimits(10, 10))
    for name, priority in (("a", 0), ("b", 5), ("c", 5), ("d", 1)):
        queue.submit(operation(name, priority=priority), 0.0)
    order = [queue.take(0.0).host.name for _ in range(4)]
    assert order == ["b", "c", "d", "a"]


@pytest.mark.upstream("U35")
def test_cooldown_counts_from_completion_and_is_told_once():
    told = []
    queue = ProvisioningQueue(QueueLimits(), told.append)
    queue.submit(operation("a"), 0.0)
    first = queue.take(0.0)
    queue.complete(first, 100.0)
    queue.submit(operation("a"), 100.0)
    assert queue.take(100.0) is None
    assert queue.take(109.9) is None
    assert len(told) == 1
    assert queue.next_due(100.0) == 110.0
    assert queue.take(110.0) is not None


def test_reading_operations_need_no_rest_but_exclude_others():
    queue = ProvisioningQueue(QueueLimits())
    queue.submit(operation("a"), 0.0)
    queue.complete(queue.take(0.0), 1.0)
    queue.submit(operation("a", OperationKind.VERIFY), 1.0)
    verifying = queue.take(1.0)
    assert verifying is not None
    queue.submit(operation("b", bmc="bmc-a"), 20.0)
    assert queue.take(20.0) is None, "the BMC is being read"
    queue.complete(verifying, 21.0)
    assert queue.take(21.0) is not None, "a read begins no cooldown"


def test_zero_concurrent_operations_drain():
    queue = ProvisioningQueue(QueueLimits(10, 2))
    queue.submit(operation("a"), 0.0)
    queue.submit(operation("b"), 0.0)
    running = queue.take(0.0)
    queue.limits = QueueLimits(10, 0)
    assert queue.take(0.0) is None
    queue.complete(running, 1.0)
    assert queue.take(1.0) is None
    assert queue.length == 1
    queue.limits = QueueLimits(10, 2)
    assert queue.take(1.0) is not None


def test_full_queue_turns_away_writers_only():
    queue = ProvisioningQueue(QueueLimits(max_queue_size=1))
    queue.submit(operation("a"), 0.0)
    with pytest.raises(QueueFullError):
        queue.submit(operation("b"), 0.0)
    assert queue.submit(operation("c", OperationKind.INSPECT), 0.0)


def test_takeover_lets_every_bmc_rest_first():
    queue = ProvisioningQueue(QueueLimits())
    queue.assume_all_touched(50.0)
    queue.submit(operation("a"), 50.0)
    assert queue.take(59.0) is None
    assert queue.take(60.0) is not None


def test_waiting_makes_up_for_priority():
    """Nothing starves: of two, the older is passed only by so much priority."""
    queue = ProvisioningQueue(QueueLimits(10, 10))
    queue.submit(operation("old", priority=0), 0.0)
    queue.submit(operation("soon", priority=2), 2 * AGEING - 1)
    queue.submit(operation("late", priority=2), 2 * AGEING + 1)
    order = [queue.take(300.0).host.name for _ in range(3)]
    assert order == ["soon", "old", "late"]


def test_room_goes_first_to_the_hosts_that_were_turned_away_longest():
    queue = ProvisioningQueue(QueueLimits(max_queue_size=1, max_concurrent_ops=1))
    assert queue.submit(operation("first"), 0.0)
    for name, at in (("second", 1.0), ("third", 2.0)):
        with pytest.raises(QueueFullError):
            queue.submit(operation(name), at)
    queue.complete(queue.take(3.0), 4.0)
    for newcomer in ("third", "newcomer"):
        with pytest.raises(QueueFullError):
            queue.submit(operation(newcomer), 5.0)
    second = operation("second")
    assert queue.submit(second, 6.0)
    assert second.submitted == 1.0, "it has waited since it was first turned away"
    queue.take(6.0)
    assert queue.submit(operation("newcomer"), 100.0), "third never came back"


@pytest.mark.upstream("U35")
def test_a_vendors_own_limit_leaves_room_for_the_others():
    queue = ProvisioningQueue(QueueLimits(10, 3, {"supermicro": 1}))
    for name in ("a", "b"):
        queue.submit(operation(name, vendor="supermicro", priority=1), 0.0)
    queue.submit(operation("c", vendor="dell"), 1.0)
    assert [queue.take(1.0).host.name for _ in range(2)] == ["a", "c"]
    assert queue.take(1.0) is None


def test_operations_of_a_dead_bmc_take_no_room_in_the_queue():
    queue = ProvisioningQueue(QueueLimits(max_queue_size=1))
    queue.submit(operation("dead", OperationKind.INSPECT), 0.0)
    queue.complete(queue.take(0.0), 1.0, Ending(answered=False))
    assert queue.submit(operation("dead"), 1.0)
    assert (queue.length, queue.suspects) == (0, 1)
    assert queue.submit(operation("well"), 1.0)
    queue.trust("bmc-dead", 2.0)
    assert (queue.length, queue.suspects) == (2, 0)


def test_a_bmc_that_asks_for_peace_gets_it_and_the_others_go_on():
    queue = ProvisioningQueue(QueueLimits())
    queue.submit(operation("a", OperationKind.INSPECT), 0.0)
    queue.complete(queue.take(0.0), 0.0, Ending(answered=True, hold=30.0))
    queue.submit(operation("a", OperationKind.INSPECT), 1.0)
    queue.submit(operation("b", OperationKind.INSPECT), 2.0)
    assert queue.take(29.0).host.name == "b"
    assert queue.take(29.0) is None
    assert queue.next_due(29.0) == 30.0
    assert queue.take(30.0).host.name == "a"


@pytest.mark.upstream("U14")
def test_hosts_of_one_name_do_not_share_and_hosts_of_one_bmc_exclude_each_other():
    queue = ProvisioningQueue(QueueLimits())
    for namespace, bmc in (("one", "x"), ("two", "y"), ("three", "x")):
        request = operation("same", bmc=bmc)
        request.host = ObjectKey(namespace, "same")
        assert queue.submit(request, 0.0)
    running = [queue.take(0.0), queue.take(0.0)]
    assert [item.host.namespace for item in running] == ["one", "two"]
    assert queue.take(0.0) is None, "the BMC of three is in use"
    queue.complete(running[0], 1.0)
    assert queue.take(1.0 + COOLDOWN).host.namespace == "three"


def test_what_is_remembered_of_idle_bmcs_is_bounded():
    queue = ProvisioningQueue(QueueLimits())
    for number in range(5 * REMEMBERED):
        now = 100.0 * number
        queue.submit(operation(f"h{number}", OperationKind.INSPECT), now)
        queue.complete(queue.take(now), now, Ending(answered=True))
    assert len(queue._lanes) <= 2 * REMEMBERED


def test_what_was_withdrawn_leaves_nothing_behind():
    queue = ProvisioningQueue(QueueLimits())
    for _ in range(10 * SLACK):
        queue.submit(operation("a", not_before=1e6), 0.0)
        queue.withdraw(ObjectKey("default", "a"))
    assert sum(map(len, queue._delayed.values())) <= SLACK + 1


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("https://BMC.example/redfish", "https://bmc.example:443"),
        ("http://10.0.0.1", "http://10.0.0.1:80/"),
    ],
)
def test_one_bmc_has_one_name(left: str, right: str):
    assert bmc_id(left) == bmc_id(right)
    assert bmc_id(left) != bmc_id("http://10.0.0.2")
