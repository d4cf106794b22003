"""docs/fidelity.md holds what its runs say, and CI notices when these do not hold any more."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from scenarios.fidelity.columns import COLUMNS, GOAL
from scenarios.fidelity.compare import Pair, pairs
from scenarios.fidelity.runs import Kept, print_of, read_runs
from scenarios.fidelity.scenarioset import SMALL, known, read

pytestmark = pytest.mark.unit

CI = Path(__file__).parents[3] / "ci"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(CI))
    import fidelity_page

    return fidelity_page


def test_the_tables_are_those_of_the_runs() -> None:
    done = subprocess.run(
        [sys.executable, str(CI / "fidelity_page.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_every_scenario_of_the_set_is_published_as_it_is(script: ModuleType) -> None:
    runs = read_runs(script.RUNS)
    for name in known():
        own = [run for run in runs if run.scenario == name]
        assert {run.level for run in own} >= {"model", "code"}, name
        assert {run.scenario_print for run in own} == {print_of(read(name))}, name
    seeds = {(run.scenario, run.level) for run in runs if run.seed == script.SEED}
    assert {(name, level) for name in SMALL for level in ("model", "code")} <= seeds


def compared(model: float, claim: float) -> Pair:
    metrics = {GOAL: 10.0, "total_claim_seconds.p95": 0.010, "conflict_ratio": 0.0}
    code = Kept("one", "p", "code", 1, dict(metrics), 1.0)
    own = {**metrics, GOAL: model, "total_claim_seconds.p95": claim}
    (pair,) = pairs([replace(code, level="model", metrics=own), code], ("model", "code"))
    return pair


def test_an_error_that_moved_beyond_its_tolerance_is_told(script: ModuleType) -> None:
    old = compared(10.4, 0.012)
    assert list(script.differences(old, compared(10.8, 0.014))) == []
    (said,) = script.differences(old, compared(9.8, 0.012))
    assert said == "one, ready P95: -2.0%, published +4.0%, tolerance 5%"
    (said,) = script.differences(old, compared(10.4, 0.0146))
    assert said.startswith("one, claim P95: +46.0%, published +20.0%")


def test_a_column_that_came_or_went_is_told(script: ModuleType) -> None:
    whole = compared(10.0, 0.010)
    empty = replace(whole, rows=[replace(whole.rows[0], cells={})])
    titles = {c.measure: c.title for c in COLUMNS}
    assert f"one, {titles[GOAL]}: not published" in list(script.differences(empty, whole))
    assert f"one, {titles[GOAL]}: is gone" in list(script.differences(whole, empty))
