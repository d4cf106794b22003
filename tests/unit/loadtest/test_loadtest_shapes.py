"""The shapes: how many users when, how many machines, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.shapes import SHAPES, ShapeError, Size, shape

pytestmark = pytest.mark.unit

COUNTED = ("batch", "steps", "spike", "soak", "scale-down")


@given(st.sampled_from(COUNTED), st.integers(1, 500))
def test_as_many_users_as_machines_and_never_fewer_than_before(name: str, count: int) -> None:
    made = shape(name, Size(machines=count))
    assert made.users == made.machines == count == made.steps[-1].users
    assert all(one.users < other.users for one, other in pairwise(made.steps))
    assert all(one.at < other.at for one, other in pairwise(made.steps))
    arrivals = made.arrivals()
    assert len(arrivals) == count
    assert arrivals == sorted(arrivals)


@given(st.sampled_from(COUNTED), st.integers(1, 500))
def test_users_come_while_their_step_lasts(name: str, count: int) -> None:
    """Locust takes up the next step only once the one before is done."""
    made = shape(name, Size(machines=count))
    arrivals = made.arrivals()
    for step, following in pairwise(made.steps):
        assert arrivals[step.users - 1] <= following.at


@given(st.floats(0.05, 20), st.floats(1, 300))
def test_a_sustained_rate_keeps_its_appointments(rate: float, seconds: float) -> None:
    count = int(rate * seconds + 1e-9)
    if not count:
        with pytest.raises(ShapeError, match="is not between 1 and"):
            shape("sustained", Size(rate=rate, seconds=seconds))
        return
    made = shape("sustained", Size(rate=rate, seconds=seconds))
    due = made.appointments()
    assert len(due) == made.machines == count
    assert due[0] == 0.0
    assert due[-1] < seconds
    assert made.users >= rate * 60


def test_a_batch_comes_within_one_moment_and_a_spike_after_a_calm() -> None:
    assert set(shape("batch").arrivals()) == {0.0}
    arrivals = shape("spike", Size(machines=50)).arrivals()
    assert sum(at < 15.0 for at in arrivals) == 10
    assert arrivals.count(15.0) == 40


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("storm", Size(), "no shape is called 'storm'; there are batch, steps"),
        ("batch", Size(machines=0), "--machines: 0 is not from 1 to 10000"),
        ("batch", Size(rate=1.0), "--rate: batch has none"),
        ("batch", Size(seconds=5.0), "--duration: batch lasts until"),
        ("sustained", Size(machines=5), "--machines: sustained goes by"),
        ("sustained", Size(rate=0.0), "--rate: 0 is not above 0"),
        ("sustained", Size(rate=100.0, seconds=1e5), "is not between 1 and 10000 machines"),
        ("soak", Size(seconds=float("nan")), "--duration: nan is not from 0"),
        ("soak", Size(hold=-1.0), "--hold: -1 is not from 0"),
    ],
)
def test_what_cannot_be_made_is_said(name: str, size: Size, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        shape(name, size)


def test_the_size_asked_for_is_the_shapes() -> None:
    made = shape("soak", Size(machines=3, seconds=7.0, hold=2.0))
    assert (made.users, made.seconds, made.hold) == (3, 7.0, 2.0)
    assert all(shape(name).description for name in SHAPES)
