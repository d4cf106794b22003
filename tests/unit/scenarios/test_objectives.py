"""Objectives: what is read, what is refused and where, and when one is kept."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.problems import DocumentError
from scenarios.engine.loader import loads
from scenarios.engine.measure_names import MEASURES, STATISTICS
from scenarios.engine.objectives import (
    COMPARISONS,
    NUMBERS,
    SERVED,
    TIMES,
    ObjectiveError,
    parse_objective,
    values_of,
    with_served,
)

pytestmark = pytest.mark.unit

NAMES = [f"{each}({name})" for name in TIMES for each in STATISTICS] + list(NUMBERS)
BOUNDS = st.floats(min_value=1e-6, max_value=1e7)


@given(st.sampled_from(NAMES), st.sampled_from(COMPARISONS), BOUNDS)
def test_what_is_written_is_read_again(name: str, comparison: str, bound: float) -> None:
    seconds = name not in NUMBERS
    read = parse_objective(f"{name}{comparison}{bound:.9f}{'s' if seconds else ''}")
    assert (read.name, read.comparison) == (name, comparison)
    assert parse_objective(str(read)) == read


@given(st.text(max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    read = error = None
    try:
        read = parse_objective(text)
    except ObjectiveError as refused:
        error = refused
    if error is not None:
        assert error.message
        assert 0 <= error.at <= len(text)
    elif read is not None:
        assert parse_objective(str(read)) == read


@pytest.mark.parametrize("name", NAMES)
def test_an_objective_is_of_a_measure_that_runs_have(name: str) -> None:
    read = parse_objective(f"{name}<1{'' if name in NUMBERS else 's'}")
    assert read.metric in MEASURES
    assert MEASURES[read.metric].unit == read.unit


def test_spaces_and_percentages() -> None:
    assert parse_objective(" p99( time_to_claim ) <= 1m30s ").bound == 90.0
    assert parse_objective("utilisation < 80 %").bound == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("", 0, "begin with a measure"),
        ("p98(time_to_claim)<3s", 0, 'did you mean "p99"'),
        ("p99(time_to_clam)<3s", 4, 'did you mean "time_to_claim"'),
        ("p99(time_to_claim<3s", 17, 'a ")" is missing'),
        ("p99(time_to_claim)", 18, "a comparison is missing"),
        ("p99(time_to_claim)<", 19, "a bound is missing"),
        ("p99(time_to_claim)<3", 19, "not a duration"),
        ("time_to_claim<3s", 0, "p99(time_to_claim)"),
        ("p99(queue)<3", 0, "write max(queue)"),
        ("queue<3", 0, "write max(queue)"),
        ("max(rejections)<3", 0, "write rejections alone"),
        ("rejections<-1", 11, "cannot be reached"),
        ("rejections<nan", 11, "cannot be reached"),
        ("x" * 300, 0, "the limit is 200"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, at: int, said: str) -> None:
    with pytest.raises(ObjectiveError) as caught:
        parse_objective(text)
    assert caught.value.at == at
    assert said in caught.value.message


def test_a_file_has_objectives_and_says_the_line_of_a_wrong_one() -> None:
    text = """
name: promised
world: {hosts: {count: 3}}
load: {machines: 2}
objectives:
  - p99(time_to_provisioned)<15m
  - rejections<1
"""
    assert [str(each) for each in loads(text).objectives] == [
        "p99(time_to_provisioned)<15m",
        "rejections<1",
    ]
    with pytest.raises(DocumentError, match=r"scenario\.yaml:5: objectives.*no measure"):
        loads(text.replace("rejections", "rejection"))


@pytest.mark.parametrize(
    ("comparison", "holds"),
    [("<", (True, False, False)), ("<=", (True, True, False)),
     (">", (False, False, True)), (">=", (False, True, True))],
)  # fmt: skip
def test_when_one_is_kept(comparison: str, holds: tuple[bool, ...]) -> None:
    objective = parse_objective(f"rejections{comparison}5")
    assert tuple(map(objective.holds, (4.0, 5.0, 6.0))) == holds
    assert not objective.holds(None)
    assert not objective.holds(math.nan)
    assert objective.margin(4.0) == (1.0 if comparison[0] == "<" else -1.0)


def test_who_is_left_unserved_waits_without_end() -> None:
    objectives = with_served(tuple(map(parse_objective, ["max(time_to_claim)<1m", "rejections<9"])))
    assert objectives[-1] == SERVED
    metrics = {"total_claim_seconds.max": 2.0, "rejections": 1.0, "unserved": 0.0}
    assert values_of(objectives, metrics) == (2.0, 1.0, 0.0)
    assert values_of(objectives, {**metrics, "unserved": 3.0}) == (math.inf, 1.0, 3.0)
    allowed = (parse_objective("unserved<5"),)
    assert with_served(allowed) == allowed
