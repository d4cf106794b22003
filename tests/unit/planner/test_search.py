"""The search against trying everything."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.engine.objectives import SERVED
from scenarios.planner.axes import Axis
from scenarios.planner.search import Candidate, Space, cheapest
from scenarios.planner.trials import Judged

pytestmark = pytest.mark.unit

Serves = Callable[[dict[str, int]], bool]


class Judge:
    """Trials that know the answer; counts the candidates asked about."""

    def __init__(self, serves: Serves) -> None:
        self._serves = serves
        self.asked: set[tuple[str, ...]] = set()

    def judge(self, overrides: tuple[str, ...]) -> Judged:
        self.asked.add(overrides)
        values = {name: int(value) for name, _, value in (o.partition("=") for o in overrides)}
        return Judged(None if self._serves(values) else SERVED, 1)


def space(sizes: dict[str, int], weights: dict[str, float], unordered: tuple[str, ...] = ()):
    axes = [
        Axis(
            name,
            tuple(map(str, range(size))),
            lambda value, name=name: [f"{name}={value}"],
            float,
            name,
            ordered=name not in unordered,
        )
        for name, size in sizes.items()
    ]
    return Space(axes, weights)


def everything(of: Space, serves: Serves) -> tuple[float, Candidate] | None:
    rows = product(*(range(len(axis.values)) for axis in of.axes))
    good = [
        (of.cost(each), each)
        for each in rows
        if serves({axis.name: at for axis, at in zip(of.axes, each, strict=True)})
    ]
    return min(good, default=None)


@given(
    st.tuples(st.integers(0, 12), st.integers(0, 9), st.integers(0, 7)),
    st.permutations([100.0, 10.0, 0.1]),
)
def test_thresholds_of_single_axes_are_found_exactly(
    least: tuple[int, ...], weights: list[float]
) -> None:
    def serves(values: dict[str, int]) -> bool:
        return all(values[name] >= low for name, low in zip("abc", least, strict=True))

    of = space({"a": 12, "b": 9, "c": 7}, dict(zip("abc", weights, strict=True)))
    found = cheapest(of, Judge(serves))  # type: ignore[arg-type] # only judges
    known = everything(of, serves)
    assert (found is None) == (known is None)
    if found is not None and known is not None:
        assert found == known[1]


@given(st.integers(1, 30), st.floats(min_value=0.1, max_value=10.0))
def test_an_exchange_pays_where_costs_are_close(total: int, other: float) -> None:
    """Two axes that make up for each other: what is dearer goes to its end."""

    def serves(values: dict[str, int]) -> bool:
        return values["a"] + values["b"] >= total

    of = space({"a": 20, "b": 20}, {"a": 1.0, "b": other})
    found = cheapest(of, Judge(serves))  # type: ignore[arg-type] # a fake
    known = everything(of, serves)
    assert found is not None
    assert known is not None
    assert of.cost(found) == pytest.approx(known[0])


def test_an_exchange_that_the_descent_cannot_see() -> None:
    """Three of b do what one of a does; the descent takes a as low as it goes, and pays in b."""

    def serves(values: dict[str, int]) -> bool:
        return 3 * values["a"] + values["b"] >= 30

    of = space({"a": 15, "b": 40}, {"a": 2.0, "b": 1.0})
    found = cheapest(of, Judge(serves))  # type: ignore[arg-type] # a fake
    assert found is not None
    assert of.values(found) == {"a": "10", "b": "0"}


@given(st.integers(2, 14), st.permutations([100.0, 9.0, 0.5]))
def test_what_only_two_axes_make_up_for_together(total: int, weights: list[float]) -> None:
    """Less of one takes more of both others: no exchange of two helps."""

    def serves(values: dict[str, int]) -> bool:
        return values["a"] + min(values["b"], values["c"]) >= total

    of = space({"a": 9, "b": 9, "c": 9}, dict(zip("abc", weights, strict=True)))
    found = cheapest(of, Judge(serves))  # type: ignore[arg-type] # a fake
    known = everything(of, serves)
    assert found is not None
    assert known is not None
    assert of.cost(found) == pytest.approx(known[0])


def test_another_choice_is_taken_where_only_it_serves() -> None:
    def serves(values: dict[str, int]) -> bool:
        return values["mode"] == 1 and values["a"] >= 4

    of = space({"a": 9, "mode": 2}, {"a": 1.0, "mode": 0.1}, unordered=("mode",))
    found = cheapest(of, Judge(serves))  # type: ignore[arg-type] # a fake
    assert found is not None
    assert of.values(found) == {"a": "4", "mode": "1"}


def test_it_asks_about_few() -> None:
    def serves(values: dict[str, int]) -> bool:
        return values["a"] >= 300 and values["b"] >= 20 and values["c"] >= 2

    of = space({"a": 500, "b": 75, "c": 50}, {"a": 10.0, "b": 1.0, "c": 0.1})
    judge = Judge(serves)
    found = cheapest(of, judge)  # type: ignore[arg-type] # a fake
    assert found is not None
    assert of.values(found) == {"a": "300", "b": "20", "c": "2"}
    assert len(judge.asked) < 60


def test_nothing_serves() -> None:
    of = space({"a": 3}, {"a": 1.0})
    assert cheapest(of, Judge(lambda _: False)) is None  # type: ignore[arg-type] # a fake


def test_each_better_one_is_told() -> None:
    of = space({"a": 30, "b": 30}, {"a": 10.0, "b": 1.0})
    told: list[Candidate] = []
    found = cheapest(of, Judge(lambda v: v["a"] >= 7 and v["b"] >= 3), told.append)  # type: ignore[arg-type] # a fake
    assert told[-1] == found
    costs = [of.cost(each) for each in told]
    assert costs == sorted(costs, reverse=True)
