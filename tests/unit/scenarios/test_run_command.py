"""``beskar7 run``: exit codes, messages without tracebacks, and what is written where."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beskar7.runtime import VirtualRuntime
from scenarios import command
from scenarios.command import STORY_LINES
from scenarios.engine.story.text import LEGEND
from scenarios.engine.world import World

pytestmark = pytest.mark.unit

TEXT = """
name: fake
world: {hosts: {count: 3}}
load: {machines: 3}
limits: {timeout: 5s}
checks: [{measure: provisioned, equals: 3}]
"""


@pytest.fixture
def run(fake_world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command on a scenario, in a fake world with ``habits``."""

    def go(*argv: str, text: str = TEXT, habits: tuple[str, ...] = (), stop_at: int = -1) -> int:
        def run_on(clock: str, scenario: Any, seed: int, body: Callable[[World], Any]) -> Any:
            runtime = VirtualRuntime(seed)
            world = fake_world(scenario, runtime, *habits)
            polls = iter(range(100_000))

            def poll() -> None:
                if next(polls) == stop_at:
                    raise KeyboardInterrupt

            world.on_write_poll = poll
            return runtime.run(body, world)

        monkeypatch.setattr(command, "run_on", run_on)
        path = tmp_path / "fake.yaml"
        path.write_text(text)
        parser = argparse.ArgumentParser()
        command.register(parser.add_subparsers())
        args = parser.parse_args(["run", *(str(path) if a == "FILE" else a for a in argv)])
        return int(args.run(args))

    return go


def test_what_holds_exits_0_with_a_verdict_line(run: Any, capsys: Any) -> None:
    assert run("FILE", "--clock", "virtual", "--seed", "9") == 0
    out, err = capsys.readouterr()
    assert "fake: HELD (virtual clock, seed 9" in out
    (idle,) = (line for line in out.splitlines() if line.startswith(" nothing to judge: "))
    assert "requirements-met" in idle
    assert "single-owner" not in idle
    assert "single-owner" in out
    assert "trace hash" in out
    assert "all 3 hosts are Available" in err, "progress is on the other stream"


@pytest.mark.parametrize(
    ("options", "habits", "says"),
    [
        (["--set", "checks.provisioned.equals=4"], (), "provisioned fell short"),
        ([], ("idle",), "ended timeout"),
        (["--set", "load.machines=4", "--set", "checks=[]"], ("thief",), "single-owner violated"),
    ],
)
def test_what_falls_short_exits_1_and_says_what(
    run: Any, capsys: Any, options: list[str], habits: tuple[str, ...], says: str
) -> None:
    assert run("FILE", *options, habits=habits) == 1
    assert says in capsys.readouterr().out.splitlines()[-2]


def test_a_violation_is_told_with_what_led_to_it(run: Any, capsys: Any, tmp_path: Path) -> None:
    more = ("--set", "load.machines=4", "--set", "checks=[]")
    assert run("FILE", *more, "--report", str(tmp_path / "r"), habits=("thief",)) == 1
    out, err = capsys.readouterr()
    lines = out.splitlines()
    story = lines[lines.index(LEGEND.splitlines()[0]) :]
    assert any(line.startswith(">>>") and "single-owner" in line for line in story[1:])
    assert any("owner machine-001 -> machine-004" in line for line in story)
    assert len(story) < STORY_LINES + 5
    assert f"written: {tmp_path / 'r' / 'timeline.html'}" in err
    assert run("FILE", "--report", str(tmp_path / "q")) == 0
    out, err = capsys.readouterr()
    assert ">>>" not in out
    assert "timeline" not in err, "there is nothing to look for"
    assert (tmp_path / "q" / "timeline.html").exists()


def test_bad_input_exits_2_with_file_line_and_field(run: Any, capsys: Any) -> None:
    assert run("FILE", text=TEXT.replace("count", "cout")) == 2
    err = capsys.readouterr().err
    assert 'fake.yaml:3: world.hosts.cout: unknown field; did you mean "count"?' in err
    assert "Traceback" not in err
    for argv in (["nonesuch"], ["FILE", "--set", "load.machines=x"], []):
        assert run(*argv) == 2
    with pytest.raises(SystemExit) as caught:
        run("FILE", "--seed", "-1")
    assert caught.value.code == 2
    assert "not a whole number" in capsys.readouterr().err


def test_a_report_directory_that_is_a_file_is_found_out_before_the_run(
    run: Any, capsys: Any, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    assert run("FILE", "--report", str(tmp_path / "taken")) == 2
    assert "is a file" in capsys.readouterr().err


def test_json_output_is_the_result_and_nothing_else(run: Any, capsys: Any, tmp_path: Path) -> None:
    assert run("FILE", "--output", "json", "--report", str(tmp_path / "r")) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is True
    assert told == json.loads((tmp_path / "r" / "result.json").read_text())
    assert (tmp_path / "r" / "report.html").read_text().startswith("<!doctype html>")


def test_ctrl_c_exits_130_says_what_is_kept_and_reports(
    run: Any, capsys: Any, tmp_path: Path
) -> None:
    assert run("FILE", "--report", str(tmp_path / "r"), stop_at=4) == 130
    err = capsys.readouterr().err
    assert "Interrupted: the world is down" in err
    assert "kept in the report" in err
    assert "Traceback" not in err
    told = json.loads((tmp_path / "r" / "result.json").read_text())
    assert (told["passed"], told["ending"]) == (False, "interrupted")


def test_the_list_names_every_scenario(run: Any, capsys: Any) -> None:
    assert run("--list") == 0
    out = capsys.readouterr().out
    assert "claim-storm\n    50 hosts" in out
    assert "smoke" in out
