"""`beskar7 run --fidelity model` and `code`, from the command line to the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beskar7.cli import main
from scenarios.models.outcome import ModelRun
from scenarios.models.play import Model

pytestmark = pytest.mark.sim

TEXT = """
name: three
world: {hosts: {count: 3, vendors: {dell: 1}, scale: {boot: 0.02, latency: 0.2}}}
load: {machines: 3}
checks:
  - {measure: provisioned, equals: 3}
  - {measure: ready_seconds.p95, max: 1ms}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "three.yaml"
    path.write_text(TEXT)
    return str(path)


def test_the_model_tells_estimates_and_judges_checks_on_them(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", file, "--fidelity", "model", "--runs", "4", "--seed", "7"]
    assert main([*words, "--report", str(tmp_path / "r")]) == 1
    out = capsys.readouterr().out
    assert "three: NOT HELD (model, seeds 7..10, 4 runs" in out
    assert "no invariant was judged" in out
    found = json.loads((tmp_path / "r" / "result.json").read_text())
    assert (found["fidelity"], found["seed"], found["runs"]) == ("model", 7, 4)
    assert [check["outcome"] for check in found["checks"]] == ["passed", "failed"]
    ready = found["metrics"]["ready_seconds.p95"]
    assert ready["low"] < ready["mean"] < ready["high"]
    assert ready["runs"] == 4
    assert found["invariants_judged"] is False
    assert found["calibration"]["source"]
    assert found["calibration"]["times"]["seen"] > 0.0
    main([*words, "--output", "json"])
    again = json.loads(capsys.readouterr().out)
    assert again["metrics"] == found["metrics"], "a function of the seeds"


def test_ctrl_c_keeps_the_runs_that_are_done(
    file: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real, played = Model.run, []

    def run(self: Model, seed: int) -> ModelRun:
        played.append(seed)
        if len(played) == 3:
            raise KeyboardInterrupt
        return real(self, seed)

    monkeypatch.setattr(Model, "run", run)
    words = ["run", file, "--fidelity", "model", "--report", str(tmp_path / "r")]
    assert main(words) == 130
    assert json.loads((tmp_path / "r" / "result.json").read_text())["runs"] == 2
    assert "Interrupted after 2 of 10 runs" in capsys.readouterr().err


def test_code_is_the_virtual_clock(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", file, "--fidelity", "code", "--set", "checks=[]"]) == 0
    assert "three: HELD (virtual clock, seed 1" in capsys.readouterr().out


def test_what_is_not_modelled_is_bad_input(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    door = "acts=[{when: {door: {nth: 3}}, kill_manager: {}}]"
    assert main(["run", file, "--fidelity", "model", "--set", door]) == 2
    err = capsys.readouterr().err
    assert "three: the model does not know acts.0" in err
    assert "Traceback" not in err
