"""The provisioning queue keeps its promises in every history."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beskar7.api.meta import ObjectKey
from beskar7.coordination.queue import (
    Operation,
    OperationKind,
    ProvisioningQueue,
    QueueFullError,
    QueueLimits,
    bmc_id,
)

pytestmark = pytest.mark.unit

COOLDOWN = 10.0


def operation(name: str, kind: OperationKind = OperationKind.PROVISION, **fields) -> Operation:
    fields = {"bmc": f"bmc-{name}", "cooldown": COOLDOWN, "work": lambda: None, **fields}
    return Operation(host=ObjectKey("default", name), kind=kind, **fields)


class QueueHistories(RuleBasedStateMachine):
    """Random submits, takes, completions and clock steps against the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.limits = QueueLimits(max_queue_size=4, max_concurrent_ops=2)
        self.queue = ProvisioningQueue(self.limits)
        self.running: list[Operation] = []
        self.accepted = 0
        self.finished = 0
        self.withdrawn = 0
        self.last_end: dict[str, float] = {}

    @rule(
        host=st.integers(0, 7),
        kind=st.sampled_from(list(OperationKind)),
        priority=st.integers(0, 2),
        delay=st.sampled_from([0.0, 3.0]),
    )
    def submit(self, host: int, kind: OperationKind, priority: int, delay: float) -> None:
        # Two hosts share each BMC.
        request = operation(
            f"h{host}",
            kind,
            bmc=f"bmc-{host // 2}",
            priority=priority,
            not_before=self.now + delay,
        )
        full = kind.writes and self.queue.length >= self.limits.max_queue_size
        known = request.host in self.queue._waiting or self.queue.holds(request.host, kind)
        try:
            taken = self.queue.submit(request, self.now)
        except QueueFullError:
            assert full
            return
        assert taken != known
        self.accepted += taken

    @rule()
    def take(self) -> None:
        due = self.queue.next_due(self.now)
        taken = self.queue.take(self.now)
        if taken is None:
            return
        assert taken.not_before <= self.now
        assert all(other.bmc != taken.bmc for other in self.running), "one operation a BMC"
        if taken.kind.writes:
            writers = [other for other in self.running if other.kind.writes]
            assert len(writers) < self.limits.max_concurrent_ops
            assert self.now >= self.last_end.get(taken.bmc, -COOLDOWN) + COOLDOWN
        assert due is None or due > self.now
        self.running.append(taken)

    @precondition(lambda self: self.running)
    @rule(index=st.integers(0, 9))
    def complete(self, index: int) -> None:
        ended = self.running.pop(index % len(self.running))
        self.queue.complete(ended, self.now)
        self.finished += 1
        if ended.kind.writes:
            self.last_end[ended.bmc] = self.now

    @rule(host=st.integers(0, 7))
    def withdraw(self, host: int) -> None:
        self.withdrawn += self.queue.withdraw(ObjectKey("default", f"h{host}"))

    @rule(seconds=st.sampled_from([0.5, 3.0, COOLDOWN]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule(ops=st.integers(0, 3))
    def resize(self, ops: int) -> None:
        self.limits = QueueLimits(max_queue_size=4, max_concurrent_ops=ops)
        self.queue.limits = self.limits

    @invariant()
    def nothing_is_lost(self) -> None:
        waiting = len(self.queue._waiting)
        assert self.accepted == self.finished + self.withdrawn + len(self.running) + waiting
        assert self.queue.processing == sum(item.kind.writes for item in self.running)

    def teardown(self) -> None:
        """With room and time, everything that was accepted runs."""
        self.queue.limits = QueueLimits(max_queue_size=4, max_concurrent_ops=2)
        for _ in range(50):
            while (taken := self.queue.take(self.now)) is not None:
                self.running.append(taken)
            while self.running:
                self.queue.complete(self.running.pop(), self.now)
            self.now = self.queue.next_due(self.now) or self.now
        assert self.queue.length == 0
        assert not any(self.queue.holds(ObjectKey("default", f"h{host}")) for host in range(8))


TestQueueHistories = QueueHistories.TestCase
TestQueueHistories.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_higher_priority_first_and_first_come_within_it():
    queue = ProvisioningQueue(QueueLimits(10, 10))
    for name, priority in (("a", 0), ("b", 5), ("c", 5), ("d", 1)):
        queue.submit(operation(name, priority=priority), 0.0)
    order = [queue.take(0.0).host.name for _ in range(4)]
    assert order == ["b", "c", "d", "a"]


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
