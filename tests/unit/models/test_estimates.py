"""Intervals cover what they should, as often as they say."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.models.estimates import (
    LEAST_REPLICATIONS,
    difference,
    estimate,
    quantile,
    replicate,
    warm_up,
)

pytestmark = pytest.mark.unit


def test_an_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = random.Random(7)
    covered = sum(
        estimate([rng.gauss(3.0, 2.0) for _ in range(10)], 0.9).covers(3.0) for _ in range(2000)
    )
    # Binomial(2000, 0.9): four standard deviations are 54.
    assert abs(covered - 1800) < 54


def test_one_value_says_nothing_of_its_error() -> None:
    assert estimate([4.0]).half == math.inf
    with pytest.raises(ValueError, match="no values"):
        estimate([])


def test_common_luck_cancels_in_a_difference() -> None:
    rng = random.Random(1)
    luck = [rng.gauss(100.0, 30.0) for _ in range(20)]
    slower = [value + 1.0 + rng.gauss(0.0, 0.1) for value in luck]
    found = difference(luck, slower)
    assert found.low > 0.9
    assert found.high < 1.1
    assert estimate(luck).half > 10.0
    with pytest.raises(ValueError, match="zip"):
        difference([1.0], [1.0, 2.0])


def test_replications_go_on_until_the_half_width_is_reached() -> None:
    def run(seed: int) -> dict[str, float]:
        rng = random.Random(seed)
        return {"noisy": rng.gauss(10.0, 3.0), "calm": rng.gauss(10.0, 0.1), "none": math.nan}

    few = replicate(run, watched=["calm"], relative=0.05)
    assert few["calm"].count == LEAST_REPLICATIONS
    many = replicate(run, watched=["noisy"], relative=0.05)
    assert many["noisy"].relative <= 0.05
    assert many["noisy"].count > 50
    assert "none" not in many
    assert replicate(run, watched=["noisy"], relative=0.001, most=15)["noisy"].count == 15


@given(level=st.floats(-100, 100), start=st.floats(5, 50), seed=st.integers(0, 1000))
def test_the_warm_up_is_cut_off(level: float, start: float, seed: int) -> None:
    rng = random.Random(seed)
    series = [level + start * math.exp(-i / 20) + rng.gauss(0, 0.5) for i in range(1000)]
    cut = warm_up(series)
    assert 20 <= cut <= 400
    rest = series[cut:]
    assert abs(sum(rest) / len(rest) - level) < 0.5


def test_a_run_that_never_settles_is_all_warm_up() -> None:
    assert warm_up([float(value) for value in range(100)]) == 100
    assert warm_up([1.0] * 10) == 10


def test_quantiles_of_nothing_are_nothing() -> None:
    assert math.isnan(quantile([], 0.5))
    assert quantile([1.0, 2.0, 3.0], 0.5) == 2.0
