"""docs/guide-on-trial.md and .html say what the results and the expectations say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from guidetrial import page
from guidetrial.kept import Results

pytestmark = pytest.mark.unit
ROOT = Path(__file__).parents[3]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "ci_guide_on_trial", ROOT / "ci" / "guide_on_trial.py"
    )
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_what_the_script_writes(capsys: pytest.CaptureFixture[str]) -> None:
    status = script().main(["--check"])
    assert status == 0, capsys.readouterr().out


def test_a_page_that_was_changed_by_hand_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MARKDOWN", "HTML"):
        monkeypatch.setattr(page, name, tmp_path / getattr(page, name).name)
    results = Results()
    assert len(page.stale(results)) == 2
    page.write(results)
    assert page.stale(results) == []
    changed = tmp_path / "guide-on-trial.html"
    changed.write_text(changed.read_text(encoding="utf-8") + "by hand\n", encoding="utf-8")
    assert page.stale(results) == [
        "guide-on-trial.html: not up to date; run python ci/guide_on_trial.py"
    ]


def test_figures_that_turn_a_verdict_make_its_text_stale(tmp_path: Path) -> None:
    """Nothing is written of a claim that its figures no longer say."""
    told = json.loads(page.ROOT.joinpath("docs/guide-on-trial.json").read_text(encoding="utf-8"))
    for figures in told["experiments"]["shortage-standard"]["seeds"].values():
        figures["claimed"] = 19
    changed = tmp_path / "results.json"
    changed.write_text(json.dumps(told), encoding="utf-8")
    found = page.stale(Results(changed))
    assert any("stress-bound: is conditional" in line for line in found), found


def test_a_block_that_was_not_run_or_fell_short_is_named(tmp_path: Path) -> None:
    told = json.loads(page.ROOT.joinpath("docs/guide-on-trial.json").read_text(encoding="utf-8"))
    del told["blocks"]["3"]
    told["blocks"]["5"]["shortfalls"] = ["exit code 1, expected 0"]
    told["blocks"]["7"]["digest"] = "0" * 16
    changed = tmp_path / "results.json"
    changed.write_text(json.dumps(told), encoding="utf-8")
    found = "\n".join(page.stale(Results(changed)))
    assert "block 3 was not run" in found
    assert "block 5: exit code 1, expected 0" in found
    assert "block 7: another text was run" in found


@pytest.mark.parametrize("flags", [["--claims"], ["--blocks", "guide.md"]])
def test_what_does_not_exist_is_said_in_a_line(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if "guide.md" in flags:
        flags = ["--blocks", str(tmp_path / "guide.md")]
    assert script().main([*flags, "--only", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "nothing" in said or "No such file" in said
    assert "Traceback" not in said


def test_the_html_page_needs_nothing_from_elsewhere() -> None:
    text = page.HTML.read_text(encoding="utf-8")
    assert "src=" not in text
    assert "<link" not in text
    assert "http" not in text.partition("<style>")[2].partition("</style>")[0]
