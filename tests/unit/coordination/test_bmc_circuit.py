"""The circuit of one BMC in every history."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beskar7.coordination.circuit import Circuit, CircuitPolicy, CircuitState

pytestmark = pytest.mark.unit

LONGEST = 60.0
POLICY = CircuitPolicy(3, lambda bmc, trials: min(LONGEST, 5.0 * 2**trials))


class CircuitHistories(RuleBasedStateMachine):
    """Operations that begin when they may, and end as a BMC that comes and goes lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.circuit = Circuit("bmc")
        self.running = False
        self.unanswered = 0

    @rule(seconds=st.floats(0.1, 100.0))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: not self.running and self.now >= self.circuit.retry_at)
    @rule()
    def begin(self) -> None:
        was_open = self.circuit.state is CircuitState.OPEN
        self.circuit.begin()
        self.running = True
        assert self.circuit.state is (CircuitState.HALF_OPEN if was_open else CircuitState.CLOSED)

    @precondition(lambda self: self.running)
    @rule(answered=st.sampled_from([True, False, None]))
    def end(self, answered: bool | None) -> None:
        self.running = False
        match answered:
            case True:
                self.circuit.answered()
                self.unanswered = 0
            case False:
                self.circuit.failed(self.now, POLICY)
                self.unanswered += 1
            case None:
                self.circuit.undecided()

    @rule()
    def trusted(self) -> None:
        if not self.running:
            self.circuit.answered()
            self.unanswered = 0

    @invariant()
    def open_exactly_after_that_many_in_a_row(self) -> None:
        assert self.circuit.failures == self.unanswered
        assert self.circuit.suspect == (self.unanswered > 0)
        tripped = self.unanswered >= POLICY.threshold
        assert (self.circuit.state is not CircuitState.CLOSED) == tripped
        if self.circuit.state is CircuitState.HALF_OPEN:
            assert self.running

    @invariant()
    def it_is_tried_again_within_a_bounded_time(self) -> None:
        assert self.circuit.retry_at <= self.now + LONGEST


TestCircuitHistories = CircuitHistories.TestCase


@given(st.integers(1, 12))
def test_each_trial_that_fails_doubles_the_wait_up_to_its_bound(trials: int):
    circuit, now, waits = Circuit("bmc"), 0.0, []
    for _ in range(POLICY.threshold + trials):
        circuit.begin()
        circuit.failed(now, POLICY)
        waits.append(max(0.0, circuit.retry_at - now))
        now = max(now, circuit.retry_at)
    assert waits[:2] == [0.0, 0.0]
    assert waits[2:] == [min(LONGEST, 5.0 * 2**index) for index in range(trials + 1)]


def test_a_threshold_of_zero_never_opens():
    circuit = Circuit("bmc")
    for _ in range(100):
        circuit.failed(0.0, CircuitPolicy(0))
    assert circuit.state is CircuitState.CLOSED
