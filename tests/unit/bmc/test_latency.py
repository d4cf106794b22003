"""Distributions as data; the empirical one, which a recorded log may keep."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.fields import FieldError
from emulator.latency import Latency

pytestmark = pytest.mark.unit

TABLE = {"distribution": "empirical", "quantiles": [0.1, 0.2, 0.4, 0.4, 2.0]}


def test_an_empirical_distribution_gives_its_quantiles_back() -> None:
    latency = Latency.from_dict(TABLE)
    rng = Random(7)
    draws = sorted(latency.draw(rng) for _ in range(20_000))
    for share, wanted in ((0.0, 0.1), (0.25, 0.2), (0.5, 0.4), (0.75, 0.4), (1.0, 2.0)):
        got = draws[min(len(draws) - 1, int(share * len(draws)))]
        assert got == pytest.approx(wanted, rel=0.03)
    assert sum(draws) / len(draws) == pytest.approx(latency.mean, rel=0.02)
    assert latency.to_dict() == TABLE


@given(st.lists(st.floats(0.0, 3600.0), min_size=2, max_size=50), st.floats(0.0, 10.0))
def test_every_draw_lies_between_the_ends_and_scales(values: list[float], factor: float) -> None:
    latency = Latency.empirical(tuple(sorted(values)))
    scaled = latency.scaled(factor)
    for seed in range(5):
        draw = latency.draw(Random(seed))
        assert min(values) - 1e-9 <= draw <= max(values) + 1e-9
        assert scaled.draw(Random(seed)) == pytest.approx(min(draw * factor, 3600.0), abs=1e-9)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"distribution": "empirical"}, "x.quantiles: must be a list of 2 to 1001 ascending"),
        ({**TABLE, "quantiles": [1.0]}, "x.quantiles: must be a list of 2 to 1001 ascending"),
        ({**TABLE, "quantiles": [1.0, 0.5]}, r"x.quantiles\[1\]: must not be less"),
        ({**TABLE, "quantiles": [0.0, -1]}, r"x.quantiles\[0\]|x.quantiles\[1\]: must be a number"),
        ({**TABLE, "mean": 1.0}, "x.mean: not for distribution empirical; leave it out"),
        ({"mean": 1.0, "quantiles": [1, 2]}, "x.quantiles: not for distribution constant"),
    ],
)
def test_a_bad_table_is_refused_with_its_field(data: dict[str, object], message: str) -> None:
    with pytest.raises(FieldError, match=message):
        Latency.from_dict(data, "x")


def test_a_constant_leaves_the_stream_alone() -> None:
    """A constant takes no draw: adding one shifts no other's luck."""
    rng = Random(1)
    Latency(2.0).draw(rng)
    assert rng.random() == Random(1).random()
