"""Errors of one level against the next, their medians, and the tables that show them."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from scenarios.engine.clocks import Fidelity
from scenarios.fidelity.columns import COLUMNS, GOAL
from scenarios.fidelity.compare import pairs, to_json
from scenarios.fidelity.page import page
from scenarios.fidelity.runs import Kept
from scenarios.fidelity.scenarioset import SMALL, known, read, tuned
from scenarios.fidelity.show import markdown, tell, verdict
from scenarios.pages.page import render

pytestmark = pytest.mark.unit


def kept(
    scenario: str,
    level: Fidelity,
    seed: int,
    ready: float | None,
    *,
    conflicts: float | None = None,
    queue: float | None = None,
    shortfalls: tuple[str, ...] = (),
    refused: str = "",
) -> Kept:
    metrics = {GOAL: ready, "conflict_ratio": conflicts, "queue_length": queue}
    return Kept(scenario, "p", level, seed, metrics, 1.0, shortfalls, "", refused)


RUNS = [
    kept("batch-storm", "model", 1, 11.0, conflicts=0.02, queue=0.2),
    kept("batch-storm", "model", 2, 24.0, conflicts=0.04, queue=2.0),
    kept("batch-storm", "code", 1, 10.0, conflicts=0.0, queue=0.1),
    kept("batch-storm", "code", 2, 20.0, conflicts=0.0, queue=4.0),
    kept("batch-storm", "live", 1, 20.0),
    kept("other", "model", 1, 9.0),
    kept("other", "code", 1, 10.0, shortfalls=("single-owner violated",)),
    kept("third", "model", 1, None, refused="the model does not know it"),
    kept("third", "code", 1, 10.0),
]


def test_errors_are_of_runs_with_the_same_seed_against_the_truer_level() -> None:
    model, code = pairs(RUNS, ("live", "model", "code"))
    assert (model.one, model.other, code.one, code.other) == ("model", "code", "code", "live")
    storm = model.rows[0]
    assert storm.seeds == (1, 2)
    assert storm.seen
    assert storm.cells[GOAL].error.mean == pytest.approx((0.1 + 0.2) / 2)
    assert storm.cells[GOAL].error.half > 0.0
    assert storm.cells[GOAL].one == 17.5
    assert storm.cells["conflict_ratio"].error.mean == pytest.approx(0.03), "points, not a share"
    # Of one host at least: a tenth of a host is no queue to be wrong about.
    assert storm.cells["queue_length"].error.mean == pytest.approx((0.1 - 0.5) / 2)
    assert code.rows[0].cells[GOAL].error.mean == pytest.approx(-0.5)


def test_what_no_pair_of_runs_has_is_no_error_of_zero() -> None:
    (model,) = pairs(RUNS, ("model", "code"))
    assert GOAL not in model.rows[2].cells
    assert model.rows[2].remarks == ("model: the model does not know it",)
    assert model.rows[1].remarks == ("code, seed 1: single-owner violated",)
    assert "utilisation" not in model.rows[0].cells
    assert model.median("utilisation") is None


def test_a_live_run_that_says_nothing_on_speed_is_told_and_not_compared() -> None:
    live = kept("one", "live", 1, 20.0)
    runs = [
        *(kept("one", "code", seed, 10.0) for seed in (1, 2, 3)),
        replace(live, load=4.0),
        replace(live, seed=2, bottleneck="the fleet was late"),
        replace(live, seed=3, metrics={GOAL: 10.0}),
    ]
    (pair,) = pairs(runs, ("code", "live"))
    (row,) = pair.rows
    assert row.seeds == (3,)
    assert row.cells[GOAL].error.mean == 0.0
    assert row.remarks == (
        "live, seed 1: not compared, the machine did other work, load 4 a core",
        "live, seed 2: not compared, the harness was the bottleneck: the fleet was late",
    )


def test_medians_are_of_absolute_errors_and_of_the_unseen_apart() -> None:
    model, code = pairs(RUNS, ("model", "code", "live"))
    assert model.median(GOAL) == pytest.approx((0.15 + 0.1) / 2)
    assert model.median(GOAL, unseen=True) == pytest.approx(0.1)
    assert model.held is False
    assert (code.held, code.median(GOAL)) == (False, 0.5)
    assert "12.5%, 10.0% of those that tuned nothing; the goal is below 10%: MISSED" in verdict(
        model
    )
    (both,) = pairs([run for run in RUNS if run.level != "code"], ("model", "live"))
    assert both.held is None, "no goal was set for it"


def test_tables_have_each_scenario_and_whole_numbers_in_a_narrow_terminal() -> None:
    found = pairs(RUNS, ("model", "code"))
    narrow = io.StringIO()
    tell(found, Console(file=narrow, width=40))
    rows = narrow.getvalue().splitlines()
    assert any("batch-storm*" in row and "+15.0 ±63.5" in row for row in rows)
    assert "third: model: the model does not know it" in rows
    lines = list(markdown(found))
    assert next(row for row in lines if row.startswith("| other |")).endswith("| 1 |")
    assert all(row.count("|") == len(COLUMNS) + 3 for row in lines if row.startswith("|"))


def test_json_has_intervals_where_there_are_any() -> None:
    (model,) = to_json(pairs(RUNS, ("model", "code")))
    storm, other, _ = model["scenarios"]
    assert storm["errors"][GOAL]["half_width"] > 0.0
    assert other["errors"][GOAL]["half_width"] is None
    assert (storm["tuned_the_model"], other["tuned_the_model"]) == (True, False)


def test_the_page_answers_first_and_shows_both_pairs_of_levels() -> None:
    found = page(pairs(RUNS, ("model", "code", "live")), "1 to 2", "beskar7 fidelity", "here")
    assert found.question == "How far is model from code from live?"
    assert found.verdict.tone == "bad"
    assert [section.title for section in found.sections] == [
        "Model against code",
        "Code against live",
    ]
    assert "goal is below 10%: MISSED" in found.answer
    html = render(found)
    for text in (
        "batch-storm*",
        "third",
        "the model does not know it",
        "Model against code: ready P95",
    ):
        assert text in html


def test_the_set_is_large_enough_and_most_of_it_unseen() -> None:
    names = known()
    assert len(names) >= 12
    assert sum(not tuned(name) for name in names) >= 6
    assert set(SMALL) <= set(names)
    for name in names:
        scenario = read(name)
        assert scenario.name == name
        assert not scenario.virtual_only
        assert scenario.description
