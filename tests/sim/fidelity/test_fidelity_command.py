"""`beskar7 fidelity` from the command line: what it plays, keeps, says, and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beskar7.cli import main
from scenarios.fidelity import runs

pytestmark = pytest.mark.sim

TEXT = """
name: three
world: {hosts: {count: 3, vendors: {dell: 1}, scale: {boot: 0.02, latency: 0.2}}}
load: {machines: 3}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "three.yaml"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Level and seed of each run that was played; at the seventh somebody presses Ctrl-C."""
    found: list[tuple[str, int]] = []
    real = runs.play_at

    def play_at(level: Any, scenario: Any, seed: int, times: Any) -> Any:
        found.append((level, seed))
        if len(found) == 4:
            raise KeyboardInterrupt
        return real(level, scenario, seed, times)

    monkeypatch.setattr(runs, "play_at", play_at)
    return found


def test_what_was_played_is_kept_and_the_model_agrees_with_the_code(
    file: str, tmp_path: Path, played: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["fidelity", file, "--seeds", "2", "--jobs", "1", "--report", str(tmp_path / "out")]
    assert main([*words, "--output", "json"]) == 130
    out, err = capsys.readouterr()
    assert "3 of 4 runs are kept" in err
    (pair,) = json.loads(out)["pairs"]
    assert pair["scenarios"][0]["seeds"] == [1], "what there is, is compared"
    played[:] = [("", 0)] * 4
    assert main([*words, "--output", "json"]) == 0
    assert played[4:] == [("model", 1), ("model", 2), ("code", 2)]
    (pair,) = json.loads(capsys.readouterr().out)["pairs"]
    (row,) = pair["scenarios"]
    assert row["seeds"] == [1, 2]
    ready = row["errors"]["total_ready_seconds.p95"]
    assert abs(ready["mean"]) < 0.1
    assert ready["against"] > 1.0
    assert pair["held"] is True
    played[:] = [("", 0)] * 4
    assert main([*words, "--again"]) == 0
    assert len(played) == 4 + 4
    page = (tmp_path / "out" / "fidelity.html").read_text()
    assert "How far is model from code?" in page
    assert "--levels model,code --seeds 2 --seed 1" in page
    assert "three" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nonesuch"], "no scenario of this name"),
        (["FILE", "--set", "small"], "give the set or names, not both"),
        (["FILE", "OTHER"], "has the name of"),
        (["DOOR", "--levels", "code,live"], "only in virtual time"),
        (["FILE", "--report", "RUNS"], "runs.jsonl:1: is not a run"),
        (["FILE", "--scheduler", "tcp://127.0.0.1:1"], "--scheduler belongs to"),
    ],
)
def test_bad_input_is_refused_before_anything_is_played(
    file: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    (tmp_path / "other.yaml").write_text(TEXT)
    door = TEXT + "acts: [{when: {door: {nth: 3}}, kill_manager: {}}]\n"
    (tmp_path / "door.yaml").write_text(door)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "runs.jsonl").write_text("{}\n")
    names = {
        "FILE": file,
        "OTHER": str(tmp_path / "other.yaml"),
        "DOOR": str(tmp_path / "door.yaml"),
        "RUNS": str(tmp_path / "kept"),
    }
    where = ["--report", str(tmp_path / "out")] if "--report" not in words else []
    assert main(["fidelity", *(names.get(word, word) for word in words), *where]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("levels", ["code", "model,guess", "", "code,code"])
def test_two_levels_at_least_are_compared(levels: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["fidelity", "--levels", levels])
    assert caught.value.code == 2
