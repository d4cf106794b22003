"""Places and ticks, for any values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.pages.content import Axis
from scenarios.pages.scales import FULL, fit, scale_ticks, ticks
from scenarios.pages.units import label, said, span

pytestmark = pytest.mark.unit

UNITS = st.sampled_from(["seconds", "count", "ratio", "number"])
VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 6)), max_size=20)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), UNITS)
def test_ticks_enclose_the_range_and_are_few(low: float, width: float, unit: str) -> None:
    made = ticks(low, low + width, unit)  # type: ignore[arg-type]  # sampled
    if len(made) > 2:
        assert made == sorted(set(made))
    assert made[0] <= low + width * 1e-3
    assert made[-1] >= low + width * (1 - 1e-3)
    assert 2 <= len(made) <= 13


@given(VALUES, st.sampled_from(["linear", "log"]), UNITS, st.booleans())
def test_every_value_has_a_place_in_order(
    values: list[float], scale: str, unit: str, round_up: bool
) -> None:
    found = fit(Axis("", unit, scale), values, round_up=round_up, air=0.02)  # type: ignore[arg-type] # parametrized
    places = [found.place(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= place <= FULL for place in places)
    for tick in scale_ticks(found, unit):  # type: ignore[arg-type]  # sampled
        assert 0 <= found.place(tick) <= FULL


def test_heights_begin_at_zero_and_reach_a_tick() -> None:
    found = fit(Axis("", "seconds"), [70.0, 95.0], round_up=True)
    assert (found.low, found.high) == (0.0, 120.0)
    assert scale_ticks(found, "seconds") == [0.0, 30.0, 60.0, 90.0, 120.0]


def test_ticks_of_time_are_those_of_a_clock() -> None:
    assert [label(tick, "seconds") for tick in ticks(0, 900, "seconds")] == [
        "0s", "5m", "10m", "15m"
    ]  # fmt: skip


def test_a_logarithm_has_its_own_ticks() -> None:
    found = fit(Axis("", "count", "log"), [1, 2, 64, 100], round_up=False)
    assert scale_ticks(found, "count") == [1, 2, 5, 10, 20, 50, 100]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.3456, "seconds", "12.3s"),
        (0.01234, "seconds", "12.3ms"),
        (800.4, "seconds", "13m20s"),
        (-90.0, "seconds", "\N{MINUS SIGN}1m30s"),
        (0.04123, "ratio", "4.12 %"),
        (1234.5, "number", "1\u202f234"),
        (0.0, "seconds", "0s"),
        (None, "count", "\N{EN DASH}"),
        (float("nan"), "count", "\N{EN DASH}"),
        (float("inf"), "number", "∞"),
    ],
)
def test_values_read_well(value: float | None, unit: str, text: str) -> None:
    assert said(value, unit) == text  # type: ignore[arg-type] # parametrized


def test_no_interval_is_said_of_a_single_run() -> None:
    assert span(float("-inf"), float("inf"), "seconds") == ""
    assert span(1.0, 2.0, "seconds") == "1s to 2s"
