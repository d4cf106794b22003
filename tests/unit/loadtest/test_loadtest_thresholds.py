"""Thresholds: what may stand in the file, and how findings are held against them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.thresholds import ThresholdError, judge, load, parse

pytestmark = pytest.mark.unit

FOUND: dict[str, Any] = {
    "measures": {"time-to-claim": {"count": 4, "failed": 0, "p95": 2.0}},
    "claim_attempts": {"success": 6, "conflict": 2},
    "outcomes": {"late": 3},
}


def outcomes(document: dict[str, Any], *, saturated: bool = False) -> list[str]:
    return [each.outcome for each in judge(parse(document), FOUND, saturated=saturated)]


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_bounds_include_themselves(low: float, high: float) -> None:
    held = low <= 2.0 <= high
    judged = outcomes({"time-to-claim.p95": {"min": low, "max": high}})
    assert judged == ["passed" if held else "failed"]


def test_ratios_outcomes_and_what_was_never_seen() -> None:
    assert outcomes({"conflict-ratio": {"max": 0.25}}) == ["passed"]
    assert outcomes({"conflict-ratio": {"max": 0.24}}) == ["failed"]
    assert outcomes({"outcomes.late": {"max": 2}}) == ["failed"]
    assert outcomes({"outcomes.never": {"max": 0}}) == ["passed"]
    assert outcomes({"single-owner.failed": {"max": 0}}) == ["passed"]
    # A time that nobody measured keeps no promise.
    assert outcomes({"time-to-release.p95": {"max": 9}}) == ["failed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time-to-claim: {max: 1}", r"time-to-claim: is not a measure and a statistic \(count, "),
        ("time-to-claim.p96: {max: 1}", "p96: is not a measure"),
        ("time-to-claim.p95: 1", r"time-to-claim.p95: give min, max or both"),
        ("time-to-claim.p95: {most: 1}", "give min, max or both"),
        ("time-to-claim.p95: {max: soon}", "time-to-claim.p95.max: 'soon' is not a number"),
        ("time-to-claim.p95: {max: true}", "True is not a number"),
        ("- a", "not thresholds: write a measure"),
        ("", "not thresholds"),
        ("a: [", "line 1: not YAML"),
        ("!!python/object:os.system {}", "not YAML"),
    ],
)
def test_a_bad_file_is_named_with_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "bounds.yaml"
    file.write_text(text)
    with pytest.raises(ThresholdError, match=said) as caught:
        load(file)
    assert str(caught.value).startswith(str(file))


def test_a_file_that_is_absent_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(ThresholdError, match="No such file"):
        load(tmp_path / "none.yaml")
    (tmp_path / "big.yaml").write_text("#" * 70_000)
    with pytest.raises(ThresholdError, match="larger than 65536 bytes"):
        load(tmp_path / "big.yaml")
