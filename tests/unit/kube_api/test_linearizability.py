"""The checker of linearizability: known-good and known-bad histories, and a brute-force twin."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.linearizability import UNKNOWN, Operation, Undecided, linearizable

pytestmark = pytest.mark.unit


class Register:
    """Holds a number. Inputs: ("write", n), ("read",), ("cas", old, new)."""

    def initial(self) -> int:
        return 0

    def step(self, state: int, operation: Operation) -> tuple[bool, int]:
        what, *values = operation.input
        unknown = operation.end == UNKNOWN
        if what == "read":
            return unknown or operation.output == state, state
        if what == "write":
            return True, values[0]
        hit = state == values[0]
        return unknown or operation.output == hit, values[1] if hit else state


def op(start: float, end: float, *what: object, out: object = None) -> Operation:
    return Operation("c", start, end, what, out)


GOOD = {
    "empty": [],
    "in order": [op(0, 1, "write", 1), op(2, 3, "read", out=1)],
    "a read beside a write sees the old": [op(0, 9, "write", 1), op(1, 2, "read", out=0)],
    "or the new": [op(0, 9, "write", 1), op(1, 2, "read", out=1)],
    "two writes in either order": [
        op(0, 9, "write", 1),
        op(0, 9, "write", 2),
        op(10, 11, "read", out=1),
    ],
    "touching counts as overlapping": [op(0, 1, "write", 1), op(1, 2, "read", out=0)],
    "one winner": [
        op(0, 5, "cas", 0, 1, out=True),
        op(0, 5, "cas", 0, 2, out=False),
        op(6, 7, "read", out=1),
    ],
    "without an answer it happened late": [
        op(0, UNKNOWN, "write", 1),
        op(1, 2, "read", out=0),
        op(3, 4, "read", out=1),
    ],
    "or never": [op(0, UNKNOWN, "write", 1), op(1, 2, "read", out=0), op(3, 4, "read", out=0)],
}
BAD = {
    "a stale read": [op(0, 1, "write", 1), op(2, 3, "read", out=0)],
    "a value from nowhere": [op(0, 1, "read", out=7)],
    "new, then old again": [
        op(0, 9, "write", 1),
        op(1, 2, "read", out=1),
        op(3, 4, "read", out=0),
    ],
    "two winners": [op(0, 5, "cas", 0, 1, out=True), op(0, 5, "cas", 0, 2, out=True)],
    "nobody wins": [op(0, 5, "cas", 0, 1, out=False), op(0, 5, "cas", 0, 2, out=False)],
    "readers that disagree on the order": [
        op(0, 9, "write", 1),
        op(0, 9, "write", 2),
        op(10, 11, "read", out=1),
        op(12, 13, "read", out=2),
    ],
    "without an answer, but not twice": [
        op(0, UNKNOWN, "write", 1),
        op(1, 2, "read", out=1),
        op(3, 4, "read", out=0),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_good_histories_are_accepted(name: str) -> None:
    assert linearizable(GOOD[name], Register())


@pytest.mark.parametrize("name", BAD)
def test_bad_histories_are_rejected(name: str) -> None:
    assert not linearizable(BAD[name], Register())


def by_force(history: list[Operation]) -> bool:
    """Try every order of every choice of what happened."""
    model = Register()
    certain = [each for each in history if each.end != UNKNOWN]
    open_ended = [each for each in history if each.end == UNKNOWN]
    for size in range(len(open_ended) + 1):
        for chosen in itertools.combinations(open_ended, size):
            for order in itertools.permutations([*certain, *chosen]):
                if any(
                    later.end < earlier.start for earlier, later in itertools.combinations(order, 2)
                ):
                    continue
                state, possible = model.initial(), True
                for each in order:
                    possible, state = model.step(state, each)
                    if not possible:
                        break
                if possible:
                    return True
    return False


VALUES = st.integers(0, 2)
INPUTS = st.one_of(
    st.tuples(st.just("write"), VALUES),
    st.tuples(st.just("read")),
    st.tuples(st.just("cas"), VALUES, VALUES),
)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    start = draw(st.integers(0, 6))
    end = draw(st.one_of(st.integers(start, 8), st.just(UNKNOWN)))
    what = draw(INPUTS)
    out = draw(st.booleans() if what[0] == "cas" else VALUES)
    return Operation("c", start, end, what, out)


@settings(max_examples=300, deadline=None)
@given(st.lists(operations(), max_size=5))
def test_it_agrees_with_brute_force(history: list[Operation]) -> None:
    assert linearizable(history, Register()) == by_force(history)


def test_a_long_history_is_decided_quickly() -> None:
    history = [op(n, n + 3.5, "write", n) for n in range(300)]
    history += [op(1000 + n, 1001 + n, "read", out=299) for n in range(100)]
    assert linearizable(history, Register())


def test_it_gives_up_instead_of_searching_for_ever() -> None:
    history = [op(0, 9, "write", n) for n in range(18)] + [op(10, 11, "read", out=99)]
    with pytest.raises(Undecided):
        linearizable(history, Register(), budget=10_000)


def test_time_must_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="before it starts"):
        linearizable([op(2, 1, "read", out=0)], Register())
