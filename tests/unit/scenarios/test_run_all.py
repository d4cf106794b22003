"""``beskar7 run --all``: every scenario, one table, one page; Ctrl-C leaves what was done."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beskar7.runtime import VirtualRuntime
from scenarios import command, runall
from scenarios.engine.loader import load
from scenarios.engine.world import World

pytestmark = pytest.mark.unit
TEXT = """
name: NAME
guide: 4. Performance Degradation
world: {hosts: {count: 3}}
load: {machines: 3}
limits: {timeout: 5s}
checks: [{measure: provisioned, equals: 3}]
"""


@pytest.fixture
def run_all(fake_world: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command on a catalog of three; ``texts`` replaces one's text."""

    def go(*argv: str, idle: str = "", stop: str = "", **texts: str) -> int:
        def run_on(clock: str, scenario: Any, seed: int, body: Callable[[World], Any]) -> Any:
            runtime = VirtualRuntime(seed)
            world = fake_world(scenario, runtime, *(("idle",) if scenario.name == idle else ()))

            def poll() -> None:
                if scenario.name == stop:
                    raise KeyboardInterrupt

            world.on_write_poll = poll
            return runtime.run(body, world)

        paths = {}
        for name in ("first", "second", "third"):
            paths[name] = tmp_path / f"{name}.yaml"
            paths[name].write_text(texts.get(name, TEXT).replace("NAME", name))
        monkeypatch.setattr(command, "run_on", run_on)
        monkeypatch.setattr(runall, "catalog", lambda: paths)
        monkeypatch.setattr(runall, "load", lambda name, more: load(str(paths[name]), more))
        parser = argparse.ArgumentParser()
        command.register(parser.add_subparsers())
        args = parser.parse_args(["run", "--all", "--clock", "virtual", *argv])
        return int(args.run(args))

    return go


def test_all_are_run_and_a_page_leads_to_the_reports(
    run_all: Any, capsys: Any, tmp_path: Path
) -> None:
    assert run_all("--report", str(tmp_path / "out")) == 0
    out, err = capsys.readouterr()
    assert "3 of 3 scenarios held (virtual clock, seed 1" in out.splitlines()[-1]
    assert "second (2 of 3)" in err
    assert "4. Performance" in out
    page = (tmp_path / "out" / "index.html").read_text()
    for name in ("first", "second", "third"):
        assert f'href="{name}/report.html"' in page
        assert (tmp_path / "out" / name / "report.html").exists()
        assert (tmp_path / "out" / name / "result.json").exists()


def test_one_that_falls_short_is_told_and_the_others_are_run(run_all: Any, capsys: Any) -> None:
    assert run_all("--output", "json", idle="second") == 1
    out, err = capsys.readouterr()
    rows = json.loads(out)["scenarios"]
    assert [row["verdict"] for row in rows] == ["held", "not held", "held"]
    assert "the run ended timeout" in rows[1]["reason"]
    assert "second: not held: the run ended timeout" in err


def test_ctrl_c_leaves_what_was_done(run_all: Any, capsys: Any, tmp_path: Path) -> None:
    assert run_all("--report", str(tmp_path / "out"), stop="second") == 130
    out, err = capsys.readouterr()
    assert "Interrupted: 2 of 3 scenarios were run" in err
    assert "Traceback" not in err
    assert "first" in out
    page = (tmp_path / "out" / "index.html").read_text()
    assert 'href="first/report.html"' in page
    assert "third" not in page


def test_what_wall_time_cannot_hold_is_left_out_and_told(run_all: Any, capsys: Any) -> None:
    slow = TEXT.replace("timeout: 5s", "timeout: 20h")
    door = TEXT + "acts: [{when: {door: {nth: 1}}, kill_manager: {}}]\n"
    door = door.replace("count: 3}", "count: 3}, managers: {replicas: 1}")
    assert run_all("--clock", "live", "--output", "json", first=slow, third=door) == 0
    rows = json.loads(capsys.readouterr().out)["scenarios"]
    assert [row["verdict"] for row in rows] == ["left out", "held", "left out"]
    assert "may take 20 hours; run it by its name" in rows[0]["reason"]
    assert "acts.0.when.door: only in virtual time" in rows[2]["reason"]


def test_bad_input_exits_2(run_all: Any, capsys: Any) -> None:
    assert run_all("smoke") == 2
    assert "give --all or smoke, not both" in capsys.readouterr().err
    assert run_all("--set", "load.machines=x") == 2
    assert "load.machines" in capsys.readouterr().err
