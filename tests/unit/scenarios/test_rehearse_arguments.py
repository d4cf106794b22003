"""What ``beskar7 rehearse`` says of arguments that it cannot use."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from scenarios import rehearse
from scenarios.engine.loader import catalog, load
from scenarios.runall import unfit_for_live
from scenarios.sieve import command as sieve_command

pytestmark = pytest.mark.unit


def call(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    rehearse.register(parser.add_subparsers())
    args = parser.parse_args(["rehearse", *argv])
    return int(args.run(args))


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["smoke"], "smoke: has no rehearsal; "),
        (["nonesuch"], "no scenario of this name"),
        (["smoke", "--set", "load.machines=x"], "load.machines"),
    ],
)
def test_a_scenario_that_cannot_be_rehearsed_exits_2(
    capsys: Any, argv: list[str], said: str
) -> None:
    assert call(*argv) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--timeout", "2"], "--timeout"),
        (["--timeout", "25h"], "has to be from 1s to 24h"),
        (["--hints", "many"], "not a whole number from 0 to 10"),
        (["--seed", "-1"], "--seed"),
    ],
)
def test_an_option_that_makes_no_sense_exits_2(capsys: Any, argv: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        call("smoke", *argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_what_only_virtual_time_can_do_nobody_can_repair(capsys: Any, tmp_path: Path) -> None:
    path = tmp_path / "door.yaml"
    path.write_text(
        "name: door\nworld: {hosts: {count: 1}, managers: {replicas: 2}}\nload: {machines: 1}\n"
        "rehearsal:\n  cause: [{when: {door: {nth: 3}}, kill_manager: {}}]\n"
        "  symptom: [{hosts: Error, within: 5s}]\n  remedy: [{recover: queue}]\n"
        "  recovery: [{hosts: Available, within: 5s}]\n"
    )
    assert call(str(path)) == 2
    assert "rehearsal.cause.0.when.door: only in virtual time" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(capsys: Any, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    path = tmp_path / "plain.yaml"
    path.write_text(
        "name: plain\nworld: {hosts: {count: 1}}\nload: {machines: 1}\n"
        "rehearsal:\n  cause: [{at: 0s, start_manager: {}}]\n"
        "  symptom: [{hosts: Error, within: 5s}]\n  remedy: [{recover: queue}]\n"
        "  recovery: [{hosts: Available, within: 5s}]\n"
    )
    assert call(str(path), "--dir", str(tmp_path / "taken")) == 2
    assert f"--dir {tmp_path / 'taken'}: " in capsys.readouterr().err


def test_a_rehearsal_is_nothing_for_the_sieve(capsys: Any) -> None:
    parser = argparse.ArgumentParser()
    sieve_command.register(parser.add_subparsers())
    args = parser.parse_args(["sieve", "queue-overload"])
    assert args.run(args) == 2
    assert "give a scenario without one" in capsys.readouterr().err


@pytest.mark.parametrize("name", [n for n in catalog() if load(n).rehearsal is not None])
def test_each_rehearsal_of_the_catalog_names_its_heading_and_helps(name: str) -> None:
    """With hints for whoever is lost, and quick enough to be played among all others."""
    scenario = load(name)
    script = scenario.rehearsal
    assert script is not None
    assert scenario.guide
    assert len(script.hints) >= 2
    assert unfit_for_live(scenario) == ""
