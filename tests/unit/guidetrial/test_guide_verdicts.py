"""From figures to a verdict: what holds, what fails, and what is open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from guidetrial.catalogue import CLAIMS, EXPERIMENTS, SUMS, rests_on
from guidetrial.claims_sizing import erlang_c
from guidetrial.estimate import estimate, judge, judge_part
from guidetrial.kept import Figures, Results
from guidetrial.model import Claim, Part, Storm, digest
from guidetrial.shown import fill, number, ranged

pytestmark = pytest.mark.unit


class Given:
    """Figures that a test gives."""

    def __init__(self, numbers: Mapping[str, list[float]]) -> None:
        self._numbers = numbers

    def of(self, name: str) -> list[float]:
        return self._numbers[name]


def test_the_interval_of_a_mean_is_students() -> None:
    # t(0.975, 2) is 4.302653 in every table; the standard deviation of 1, 2, 3 is 1.
    found = estimate([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert estimate([5.0]).half == 0.0
    assert estimate([4.0, 4.0, 4.0]).half == 0.0


@pytest.mark.parametrize(
    ("numbers", "outcome"),
    [([1.0, 1.1, 0.9], "holds"), ([3.0, 3.1, 2.9], "fails"), ([1.0, 2.0, 3.0], "undecided")],
)
def test_a_part_is_open_when_the_interval_lies_on_both_sides(
    numbers: list[float], outcome: str
) -> None:
    found = judge_part(Part("", "a:x", "<", 2.0), Given({"a:x": numbers}))
    assert (found.outcome, found.seeds) == (outcome, 3)


def test_two_figures_are_compared_seed_by_seed() -> None:
    """Their own intervals overlap by far; on the same luck the one is always less."""
    given = Given({"a:x": [1.0, 5.0, 9.0], "b:x": [1.5, 5.6, 9.5], "one:x": [0.5]})
    part = Part("", "a:x", "<", "b:x")
    assert judge_part(part, given).outcome == "holds"
    assert judge_part(replace(part, op=">="), given).outcome == "fails"
    assert judge_part(replace(part, factor=0.9), given).outcome == "undecided"
    assert judge_part(Part("", "a:x", ">", "one:x", factor=-100.0), given).outcome == "holds"


def test_equal_means_equal_for_every_seed() -> None:
    part = Part("", "a:x", "==", 20)
    assert judge_part(part, Given({"a:x": [20.0, 20.0]})).outcome == "holds"
    assert judge_part(part, Given({"a:x": [19.0, 21.0]})).outcome == "fails"
    assert judge_part(part, Given({"a:x": [20.0, 21.0]})).outcome == "undecided"


@pytest.mark.parametrize(
    ("outcomes", "verdict"),
    [
        ("hh", "confirmed"),
        ("ff", "refuted"),
        ("hf", "conditional"),
        ("hu", "conditional"),
        ("uu", "conditional"),
        ("", "cannot be tested here"),
    ],
)
def test_a_claim_is_as_true_as_its_parts(outcomes: str, verdict: str) -> None:
    numbers = {"h": [1.0, 1.0], "f": [9.0, 9.0], "u": [1.0, 9.0]}
    parts = tuple(Part("", f"{each}:x", "<", 5.0) for each in outcomes)
    claim = Claim("c", "", "M", found="", found_for="confirmed", parts=parts)
    assert judge(claim, Given({f"{k}:x": v for k, v in numbers.items()}))[0] == verdict


def test_every_part_rests_on_an_experiment_and_every_experiment_is_asked_for() -> None:
    known = {*EXPERIMENTS, *(each.name for each in SUMS)}
    asked = {name for claim in CLAIMS for name in rests_on(claim)}
    assert asked == known
    assert len({claim.id for claim in CLAIMS}) == len(CLAIMS)


def test_a_result_counts_for_the_experiment_that_was_played() -> None:
    storm = Storm("s", "standard", 10, seeds=2)
    other = replace(storm, machines=11)
    assert digest(storm) == digest(replace(storm, name="another", seeds=5))
    assert digest(storm) != digest(other)


def test_results_are_kept_and_those_of_another_state_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    storm = Storm("s", "standard", 10, seeds=2)
    results = Results(path)
    results.put(storm, 1, "code-1", {"p95": 0.123456789})
    results.save()
    again = Results(path)
    assert again.lacks(storm) == again.lacks(storm, "code-1") == [2]
    assert again.lacks(storm, "code-2") == [1, 2], "no mean of two states of the code"
    assert again.lacks(replace(storm, machines=11)) == [1, 2]
    assert Figures(again, ()).of("s:p95") == [0.123457]
    again.put(storm, 2, "code-2", {"p95": 1.0})
    assert again.lacks(storm) == [1]
    with pytest.raises(LookupError, match="other was not played"):
        Figures(again, ()).of("other:p95")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.01234, "s", "12.3 ms"),
        (12.34, "s", "12.3 s"),
        (0.25, "%", "25 %"),
        (1234.5, "Mi", "1234Mi"),
        (0.05, "/s", "0.05/s"),
        (0.0, "", "0"),
        (0.000123, "s", "0.123 ms"),
        (0.000123, "", "0.00012"),
    ],
)
def test_figures_are_written_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert number(value, unit) == text


def test_a_text_takes_its_figures_from_the_results() -> None:
    given = Given({"a:p95": [0.1, 0.3], "b:conflict_ratio": [0.25]})
    assert fill("{a:p95} and {b:conflict_ratio}, {a:p95|}", given) == "0.2 s and 25 %, 0.2"
    assert ranged(estimate([0.25, 0.25]), "%") == "25 %"
    with pytest.raises(LookupError):
        fill("{c:p95}", given)


def test_erlangs_formula_has_the_values_of_the_tables() -> None:
    # M/M/1: the probability of waiting is the load. M/M/2 at load 1: 1/3.
    assert erlang_c(1, 0.7) == pytest.approx(0.7)
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(5, 4.5) == pytest.approx(0.7625, abs=1e-4)
