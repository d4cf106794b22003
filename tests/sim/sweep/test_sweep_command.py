"""``beskar7 sweep`` and ``beskar7 experiment``, end to end on small grids."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from beskar7.cli import main
from scenarios.engine.clocks import Fidelity
from scenarios.experiments.publish import BEGIN, END
from scenarios.fidelity.levels import play_at
from scenarios.pages.units import said
from scenarios.sweep import runs
from scenarios.sweep.runs import Run, Task

pytestmark = pytest.mark.sim

SCENARIO = """
name: small
world:
  hosts: {count: 4, scale: {boot: 0.05, latency: 0.2}}
load: {machines: 4}
"""
GRID = ("--grid", "provisioning.workerCount=1,4", "--seeds", "1..2", "--jobs", "1")


@pytest.fixture
def scenario(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    return str(path)


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def measured(folder: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "wall_seconds"} for row in rows(folder)]


def test_a_sweep_is_stopped_and_gone_on_with(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main(["sweep", scenario, *GRID, "--report", str(whole), "--output", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    first, second = (point["measures"]["queue_seconds.p95"] for point in told["points"])
    assert first["mean"] > second["mean"] > 0, "four workers wait less than one"
    assert [(row["point"], row["seed"]) for row in rows(whole)] == [
        ("0", "1"), ("0", "2"), ("1", "1"), ("1", "2"),
    ]  # fmt: skip
    assert rows(whole)[3]["world.config.provisioning.workerCount"] == "4"
    page = (whole / "index.html").read_text()
    assert "provisioning.workerCount" in page
    assert "all runs held" in page

    played: list[Task] = []
    real = runs.run_task

    def until_stopped(task: Task) -> Run:
        if len(played) == 3:
            raise KeyboardInterrupt
        played.append(task)
        return real(task)

    monkeypatch.setattr(runs, "run_task", until_stopped)
    assert main(["sweep", scenario, *GRID, "--report", str(parts)]) == 130
    assert "3 of 4 runs were played; --resume" in capsys.readouterr().err
    played.clear()
    assert main(["sweep", scenario, *GRID, "--report", str(parts), "--resume"]) == 0
    assert [(task.point, task.seed) for task in played] == [(1, 2)], "the others were there"
    assert measured(parts) == measured(whole)

    assert main(["sweep", scenario, *GRID, "--report", str(parts)]) == 2
    other = ["sweep", scenario, *GRID, "--set", "load.machines=3", "--report", str(parts)]
    assert main([*other, "--resume"]) == 2
    assert "--set changed since the sweep" in capsys.readouterr().err


def test_a_run_that_breaks_costs_itself_alone(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def breaks(fidelity: Fidelity, scenario: Any, seed: int, times: Any) -> Any:
        if seed == 2:
            raise RuntimeError("the dice fell off the table")
        return play_at(fidelity, scenario, seed, times)

    monkeypatch.setattr(runs, "play_at", breaks)
    assert main(["sweep", scenario, *GRID, "--report", str(tmp_path / "out")]) == 1
    told = capsys.readouterr().err
    assert "workerCount=1, seed 2: RuntimeError: the dice fell off the table" in told
    assert [row["error"] != "" for row in rows(tmp_path / "out")] == [False, True] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "--grid: what is to vary?"),
        (("--grid", "world.hosts.count=0"), "world.hosts.count: is 0; it has to be from 1"),
        (("--grid", "load.machines=1", "--resume"), "--resume goes on with what is in --report"),
        (("--grid", "load.machines=1", "--measures", "claimd"), 'did you mean "claimed"'),
        (
            ("--grid", "load.machines=1", "--fidelity", "live", "--jobs", "2"),
            "live runs side by side disturb each other",
        ),
    ],
)
def test_mistakes_are_told_before_anything_is_played(
    options: tuple[str, ...],
    message: str,
    scenario: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Any,
) -> None:
    monkeypatch.setattr(runs, "run_task", None)
    assert main(["sweep", scenario, *options]) == 2
    assert message in capsys.readouterr().err


EXPERIMENT = """
name: workers
question: Do workers help?
setting: Four machines at once.
level: By the model, for speed.
scenario:
  name: small
  world: {hosts: {count: 4, scale: {boot: 0.05, latency: 0.2}}}
  load: {machines: 4}
grid:
  - {label: workers, set: "provisioning.workerCount=1,4"}
  - {label: load, names: [few, many], set: ["load.machines=2,4", "world.hosts.count=2,4"]}
seeds: 1..2
fidelity: model
measures: [queue_seconds.max]
findings:
  - rule: ends
    measure: queue_seconds.max
    series: many
    sentences:
      rises: "Queue grows from $first_value to $last_value."
      falls: "Queue falls from $first_value to $last_value."
      equal: "Queue stays $last_value."
verdicts: {rises: more, falls: less, equal: same}
"""


def test_an_experiment_answers_by_its_figures(tmp_path: Path, capsys: Any) -> None:
    path, docs = tmp_path / "workers.yaml", tmp_path / "docs"
    path.write_text(EXPERIMENT)
    docs.mkdir()
    (docs / "README.md").write_text(f"# All\n\n{BEGIN}\n{END}\n")
    options = ["--seeds", "1..4", "--jobs", "1", "--report", str(tmp_path / "out")]
    assert main(["experiment", str(path), *options, "--publish", str(docs)]) == 0
    found = rows(tmp_path / "out" / "workers")
    many = [float(r["queue_seconds.max"]) for r in found if r["load.machines"] == "4"]
    one, four = sum(many[:4]) / 4, sum(many[4:]) / 4
    page = (docs / "workers.md").read_text()
    answer = next(line for line in page.splitlines() if line.startswith("**Answer.** Queue falls"))
    assert f"from {said(one, 'seconds')} (" in answer
    assert f") to {said(four, 'seconds')} (" in answer
    assert "| 4 | many |" in page
    assert "--seeds 1..4" in page
    picture = (docs / "workers-queue-seconds-max.svg").read_text()
    assert picture.startswith("<svg")
    assert "![queue_seconds.max](workers-queue-seconds-max.svg)" in page
    html = (tmp_path / "out" / "workers" / "index.html").read_text()
    assert "Do workers help?" in html
    assert "Queue falls from" in html
    assert main(["experiment", str(path), *options, "--resume"]) == 0
    assert "16 of 16 runs are there already" in capsys.readouterr().err


def test_what_is_wrong_with_an_experiment_is_told(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(
        EXPERIMENT.replace("series: many", "series: lots").replace("$first_value to", "$frist to")
    )
    assert main(["experiment", str(path)]) == 2
    told = capsys.readouterr().err
    assert 'series: "lots" is unknown; known: few, many' in told
    assert "$frist is nothing that ends finds" in told
    assert main(["experiment", "worker"]) == 2
    assert main(["experiment"]) == 2
