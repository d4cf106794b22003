"""Where curves cross, how sure that is, and up to where a bound is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.experiments.crossings import crossing
from scenarios.experiments.findings import Found, Rule, find
from scenarios.models.estimates import Estimate
from scenarios.sweep.curves import Curve, Place

pytestmark = pytest.mark.unit

XS = (10.0, 20.0, 40.0, 80.0)


def estimates(*means: float, half: float = 1.0) -> list[Estimate | None]:
    return [Estimate(mean, half, 5) for mean in means]


def test_a_crossing_lies_between_the_places_with_its_interval() -> None:
    found = crossing(XS, estimates(3, 1, -1, -3))
    assert found is not None
    # Half way from 20 to 40, over the logarithm; the ends are where 0 leaves the interval.
    assert found.at == pytest.approx(math.sqrt(20 * 40))
    assert (found.low, found.high) == (20.0, 40.0) or (
        found.low == pytest.approx(20) and found.high == pytest.approx(40)
    )
    sure = crossing(XS, estimates(3, 1, -1, -3, half=0.1))
    assert sure is not None
    assert 20 < (sure.low or 0) < sure.at < (sure.high or 0) < 40


def test_what_is_not_sure_has_no_end() -> None:
    unsure = crossing(XS, estimates(0.5, 0.2, -0.2, -0.5))
    assert unsure is not None
    assert (unsure.low, unsure.high) == (None, None)


@pytest.mark.parametrize(
    "means", [(1, 1, 1, 1), (-1, -1, -1, -1), (3, -3, -3, 3), (0, 0, 0, 0), (-2, -1, 1, 2)]
)
def test_what_does_not_cross_for_good_is_no_crossing(means: Sequence[float]) -> None:
    assert crossing(XS, estimates(*means)) is None


def test_without_numbers_or_runs_there_is_none() -> None:
    assert crossing([], []) is None
    assert crossing(XS, [*estimates(3, 1, -1), None]) is None
    alone = crossing(XS, estimates(3, 1, -1, -3, half=math.inf))
    assert alone is not None
    assert (alone.low, alone.high) == (None, None), "one run has no interval"


@given(
    st.lists(st.floats(-10, 10), min_size=4, max_size=4),
    st.floats(0, 5),
)
def test_the_crossing_is_within_its_interval(means: list[float], half: float) -> None:
    found = crossing(XS, estimates(*means, half=half))
    if found is not None:
        assert XS[0] <= found.at <= XS[-1]
        assert found.low is None or found.low <= found.at
        assert found.high is None or found.high >= found.at


def curve(name: str, *means: float) -> Curve:
    noise = (-0.1, 0.0, 0.1)
    places = [
        Place(f"{x:g}", {seed: mean + each for seed, each in enumerate(noise, 1)})
        for x, mean in zip(XS, means, strict=True)
    ]
    return Curve(name, tuple(places))


def judged(kind: str, *found: Curve, **more: object) -> Found:
    judgement = find(Rule(kind, "queue_seconds.p95", **more), found)  # type: ignore[arg-type] # of many types
    assert judgement is not None
    return judgement


def test_the_sentence_names_the_crossing() -> None:
    flat = curve("flat", 5, 5, 5, 5)
    found = judged("crossover", curve("a", 8, 6, 4, 2), flat, series="a", against="flat")
    assert found.words["crossing"] == "28.3 (28.3 to 28.3)", "the same luck has no scatter"
    never = judged("crossover", curve("a", 8, 8, 8, 8), flat, series="a", against="flat")
    assert never.words["crossing"] == "nowhere"


def test_a_limit_is_kept_up_to_some_place() -> None:
    found = judged("limit", curve("a", 1, 2, 4, 8), series="a", bound=3.0)
    assert (found.outcome, found.words["x"], found.words["after"]) == ("found", "20", "40")
    assert found.words["beyond"].startswith("4s (")
    # 2.9 alone would do, but its interval reaches beyond the limit; and what comes back is late.
    assert judged("limit", curve("a", 1, 2.9, 1, 1), series="a", bound=3.0).words["x"] == "10"
    assert judged("limit", curve("a", 1, 1, 1, 1), series="a", bound=3.0).outcome == "always"
    assert judged("limit", curve("a", 5, 1, 1, 1), series="a", bound=3.0).outcome == "never"
