"""An experiment of storms with three factors, whose level is held against another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beskar7.cli import main

pytestmark = pytest.mark.sim

EXPERIMENT = """
name: storms
question: Who claims sooner?
setting: A few machines.
level: By the model.
storm: {machines: 2, managers: 2}
grid:
  - label: machines
    set: storm.machines=4,40
  - label: claims
    names: [one, elected]
    set: storm.mode=standard,leader
  - label: API
    names: [quick, slow]
    set: ["storm.api.request=1ms,20ms", "storm.api.delivery=2ms,40ms"]
seeds: 1..3
fidelity: model
measures: [claim_seconds.p95, conflict_ratio]
check:
  seeds: 1..2
  fidelity: code
  set: [storm.machines=6]
  grid:
    - label: claims
      names: [one, elected]
      set: storm.mode=standard,leader
findings:
  - rule: limit
    measure: claim_seconds.p95
    series: one, slow
    bound: 0.2
    sentences: {found: "Up to $x.", always: "Always.", never: "Never."}
verdicts: {found: "to $x", always: always, never: never}
"""


def test_a_picture_for_each_api_and_the_errors_of_the_level(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "storms.yaml"
    path.write_text(EXPERIMENT)
    docs = tmp_path / "docs"
    options = ("--jobs", "1", "--report", str(tmp_path / "out"), "--publish", str(docs))
    assert main(["experiment", str(path), *options]) == 0
    assert "Up to 4." in capsys.readouterr().out
    assert {each.name for each in docs.glob("*.svg")} == {
        f"storms-{measure}-{api}.svg"
        for measure in ("claim-seconds-p95", "conflict-ratio")
        for api in ("quick", "slow")
    }
    slow = (docs / "storms-claim-seconds-p95-slow.svg").read_text()
    assert slow != (docs / "storms-claim-seconds-p95-quick.svg").read_text()
    page = (docs / "storms.md").read_text()
    assert "## Is the model right there?" in page
    assert "2 points, played at the level `model` and, for true, at `code`, seeds 1..2" in page
    assert "storm.machines=6" in page
    checked = [line for line in page.splitlines() if "points |" in line]
    assert [line.split(" | ")[0] for line in checked] == ["| one", "| elected"]
    assert "Is the model right there?" in (tmp_path / "out/storms/index.html").read_text()

    assert main(["experiment", str(path), *options, "--resume"]) == 0
    assert "4 of 4 runs are there already" in capsys.readouterr().err
    assert (docs / "storms.md").read_text() == page


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("fidelity: code", "fidelity: cod", 'check.fidelity: "cod" is unknown'),
        ("series: one, slow", "series: one", 'findings[0].series: "one" is unknown'),
        ("storm: {machines: 2", "scenario: smoke\nstorm: {machines: 2", "stands beside storm"),
        ("set: [storm.machines=6]", "set: [storm.machine=6]", "storm.machine: unknown field"),
    ],
)
def test_what_is_wrong_with_it_is_named(
    tmp_path: Path, capsys: Any, old: str, new: str, says: str
) -> None:
    path = tmp_path / "storms.yaml"
    path.write_text(EXPERIMENT.replace(old, new))
    assert main(["experiment", str(path), "--jobs", "1", "--seeds", "1..1"]) == 2
    assert says in capsys.readouterr().err
