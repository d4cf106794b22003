"""The confidence that a plan states is the one it has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.planner.certainty import TooFewRuns, allowed, least_runs, prediction

pytestmark = pytest.mark.unit


def test_how_many_runs_may_miss() -> None:
    assert [allowed(runs, 0.95) for runs in (19, 38, 39, 59, 99)] == [0, 0, 1, 2, 4]
    assert allowed(9, 0.9) == 0
    with pytest.raises(TooFewRuns, match="19 runs at least, not 18"):
        allowed(18, 0.95)


@given(st.floats(min_value=0.5, max_value=0.999))
def test_the_least_runs_are_enough_and_no_fewer_are(confidence: float) -> None:
    least = least_runs(confidence)
    assert allowed(least, confidence) == 0
    if least > 1:
        with pytest.raises(TooFewRuns):
            allowed(least - 1, confidence)


@pytest.mark.parametrize("runs", [19, 39])
@pytest.mark.parametrize("upward", [False, True])
def test_the_next_run_keeps_the_limit_as_often_as_said(runs: int, upward: bool) -> None:
    """Of a distribution with a long tail, where a normal interval would be wrong."""
    draws = np.random.default_rng(7).lognormal(0.0, 1.5, size=(8000, runs + 1))
    limits = [prediction(list(row[:-1]), 0.95, upward=upward) for row in draws]
    kept = draws[:, -1] >= limits if upward else draws[:, -1] <= limits
    assert float(np.mean(kept)) == pytest.approx(0.95, abs=0.01)
