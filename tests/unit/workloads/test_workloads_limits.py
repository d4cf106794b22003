"""Limits as pods give them, and the budget of who may use less than a core."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kube.workloads.limits import Limits, quantity
from emulator.kube.workloads.throttle import BURST, STEP, Budget


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("200m", 0.2),
        ("1", 1.0),
        (2, 2.0),
        ("1.5", 1.5),
        ("128Mi", 128 * 2**20),
        ("1Gi", 2**30),
        ("1k", 1e3),
        ("1E", 1e18),
        ("1e3", 1e3),
        ("12345n", 12345e-9),
        ("1Mb", None),
        ("", None),
        (None, None),
        ("Mi", None),
    ],
)
def test_quantities_are_read_as_kubernetes_has_them(text: object, value: float | None) -> None:
    assert quantity(text) == (value if value is None else pytest.approx(value))


def test_a_container_has_the_limits_that_it_names() -> None:
    limits = Limits.of({"resources": {"limits": {"cpu": "200m", "memory": "64Mi"}}})
    assert limits.throttles
    assert limits.oom(64 * 2**20 + 1)
    assert not limits.oom(64 * 2**20)
    assert not Limits.of({"resources": {"limits": {"cpu": "1"}}}).throttles
    assert not Limits.of({}).oom(1e18)


@given(st.floats(0.01, 0.99), st.lists(st.floats(0.0, 1.0), min_size=200, max_size=400))
def test_nobody_gets_more_than_the_share(cores: float, wishes: list[float]) -> None:
    """A process that runs whenever it may uses its share over any time, and one step at most."""
    budget = Budget(cores, 0.0, 0.0)
    now = used = 0.0
    stopped = False
    for wish in wishes:
        now += STEP
        used += 0.0 if stopped else wish * STEP
        stopped = budget.spent(now, used)
        assert used <= cores * now + BURST + STEP + 1e-9


def test_who_wants_all_gets_the_share() -> None:
    budget = Budget(0.3, 0.0, 0.0)
    now = used = 0.0
    stopped = False
    for _ in range(1000):
        now += STEP
        used += 0.0 if stopped else STEP
        stopped = budget.spent(now, used)
    assert used / now == pytest.approx(0.3, abs=0.01)
