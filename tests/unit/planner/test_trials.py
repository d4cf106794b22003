"""How many runs it takes to judge a candidate, and which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from scenarios.engine.objectives import parse_objective
from scenarios.planner.certainty import TooFewRuns
from scenarios.planner.trials import Overrides, Task, Trials

pytestmark = pytest.mark.unit

OBJECTIVES = (parse_objective("rejections<10"), parse_objective("conflicts<10"))


class Played:
    """Answers by a rule, and remembers what was played."""

    def __init__(self, rule: Callable[[Any, int], tuple[float, float]]) -> None:
        self._rule = rule
        self.runs: list[tuple[Any, int]] = []

    def __call__(self, function: Any, tasks: Sequence[Task]) -> list[tuple[float, ...]]:
        self.runs += [(task.model, task.seed) for task in tasks]
        return [self._rule(task.model, task.seed) for task in tasks]


def trials(played: Played, *, runs: int = 19) -> Trials:
    def ready(overrides: Overrides) -> Any:
        return overrides[0]

    return Trials(ready, OBJECTIVES, range(1, runs + 1), 0.95, played)


def test_who_serves_is_played_with_every_seed_once() -> None:
    played = Played(lambda model, seed: (1.0, 2.0))
    of = trials(played)
    assert of.judge(("a",)).kept
    assert of.judge(("a",)).kept
    assert sorted(seed for _, seed in played.runs) == list(range(1, 20))
    assert of.runs == 19


def test_who_misses_is_given_up_in_that_round() -> None:
    played = Played(lambda model, seed: (1.0, 11.0))
    judged = trials(played).judge(("a",))
    assert judged.missed == OBJECTIVES[1]
    assert judged.runs == len(played.runs) == 2


def test_the_seed_that_decided_comes_first_at_the_next() -> None:
    played = Played(lambda model, seed: (11.0 if seed == 17 else 1.0, 1.0))
    of = trials(played)
    assert not of.judge(("a",)).kept
    before = len(played.runs)
    assert before == 19  # the fourth round has it: seeds 15 to 19
    assert not of.judge(("b",)).kept
    assert played.runs[before:] == [("b", 17), ("b", 1)]


def test_each_round_has_twice_as_many_runs_as_the_one_before() -> None:
    rounds: list[int] = []

    def play(function: Any, tasks: Sequence[Task]) -> list[tuple[float, ...]]:
        rounds.append(len(tasks))
        return [(1.0, 1.0)] * len(tasks)

    of = Trials(lambda overrides: Any, OBJECTIVES, range(1, 20), 0.95, play)
    assert of.judge(("a",)).kept
    assert rounds == [2, 4, 8, 5]
    of.measure(("b",), range(1, 11))
    assert rounds[4:] == [10]


def test_with_more_runs_one_may_miss() -> None:
    def rule(model: str, seed: int) -> tuple[float, float]:
        return (11.0 if seed <= int(model) else 1.0, 1.0)

    of = trials(Played(rule), runs=39)
    assert of.judge(("1",)).kept
    assert not of.judge(("2",)).kept


def test_tighter_objectives_judge_what_was_played() -> None:
    played = Played(lambda model, seed: (9.0, 1.0))
    of = trials(played)
    assert of.judge(("a",)).kept
    of.objectives = (OBJECTIVES[0].scaled(0.8), OBJECTIVES[1])
    assert not of.judge(("a",)).kept
    assert of.runs == 19


def test_seeds_beside_those_that_judge_do_not_judge() -> None:
    played = Played(lambda model, seed: (11.0 if seed > 19 else 1.0, 1.0))
    of = trials(played)
    assert of.measure(("a",), [20, 21]) == [(11.0, 1.0), (11.0, 1.0)]
    assert of.judge(("a",)).kept


def test_so_few_runs_are_refused() -> None:
    with pytest.raises(TooFewRuns):
        trials(Played(lambda model, seed: (1.0, 1.0)), runs=5)
