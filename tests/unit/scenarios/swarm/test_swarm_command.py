"""``beskar7 swarm`` and ``shrink``: arguments, what is said and written, and exit codes."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scenarios.swarm import command, shrinkcommand
from scenarios.swarm.draw import draw
from scenarios.swarm.records import MAX_FILES_BYTES, Record, Task, pack, unpack
from scenarios.swarm.sound import unsound
from scenarios.swarm.tally import Tally
from scenarios.swarm.ways import kind_of

pytestmark = pytest.mark.unit

Player = Callable[[Task], Record]


def outcome(task: Task) -> Record:
    """Seeds that end in 3 are unsafe, in 7 stuck, in 9 broken; all others hold."""
    ways = {3: ("single-owner",), 7: ("timeout", "terminal"), 9: ("crash ValueError",)}
    found = ways.get(task.seed % 10, ())
    files = pack({"scenario.yaml": b"name: x\n", "verdict.txt": b"why\n"}) if found else {}
    return Record(task.seed, found, f"said of {task.seed}", f"h{task.seed}", 360.0, 0.1, 1, files)


@pytest.fixture
def swarm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """Runs the command with seeds that are not played but judged by ``play``."""

    def go(*argv: str, play: Player = outcome, stop_at: int = -1) -> int:
        def play_all(_: Any, tasks: Iterator[Task], *__: Any, **___: Any) -> Iterator[Record]:
            for task in tasks:
                if task.seed == stop_at:
                    raise KeyboardInterrupt
                yield play(task)

        monkeypatch.setattr(command, "play_all", play_all)
        parser = argparse.ArgumentParser()
        command.register(parser.add_subparsers())
        args = parser.parse_args(["swarm", "--report", str(tmp_path / "out"), *argv])
        return int(args.run(args))

    return go


def test_all_held(swarm: Any, capsys: Any) -> None:
    assert swarm("--seeds", "10..12") == 0
    out, _ = capsys.readouterr()
    assert "3 seeds, 0.3 virtual hours" in out
    assert "0 failures" in out
    assert "seeds 10..12" in out


def test_a_failure_leaves_its_files_and_the_command_that_replays_it(
    swarm: Any, capsys: Any, tmp_path: Path
) -> None:
    assert swarm("--seeds", "1..10") == 1
    out, err = capsys.readouterr()
    path = tmp_path / "out" / "seed-3" / "scenario.yaml"
    assert path.read_bytes() == b"name: x\n"
    assert (path.parent / "verdict.txt").exists()
    assert f"beskar7 run {path} --clock virtual --seed 3" in out
    assert "1 safety, 1 liveness, 1 harness" in out
    assert "seed 7: liveness: said of 7" in err
    assert not (tmp_path / "out" / "seed-1").exists()


def test_json_tells_everything_by_seed(swarm: Any, capsys: Any) -> None:
    assert swarm("--seeds", "2..3", "--output", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert [run["seed"] for run in found["runs"]] == [2, 3]
    assert found["failures"][0]["kind"] == "safety"
    assert found["failures"][0]["trace_hash"] == "h3"
    assert not found["passed"]


def test_an_interruption_tells_what_was_done(swarm: Any, capsys: Any) -> None:
    assert swarm("--seeds", "1..1000", stop_at=4) == 130
    assert "interrupted after" in (out := capsys.readouterr().out)
    assert "seeds 1..3" in out


def test_minutes_end_a_swarm_without_end(swarm: Any, capsys: Any) -> None:
    assert swarm("--seeds", "1..", "--minutes", "0.01", play=lambda t: Record(t.seed)) == 0
    assert "0 failures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--seeds", "5..1"], "write the smaller seed first"),
        (["--seeds", "x"], "is not A..B"),
        (["--seeds", "1..99999999999999999999"], "is not A..B"),
        (["--jobs", "0"], "from 1 to 256"),
        (["--minutes", "nan"], "is not a number"),
        (["--minutes", "-1"], "is not a number"),
    ],
)
def test_bad_arguments(swarm: Any, capsys: Any, argv: list[str], said: str) -> None:
    with pytest.raises(SystemExit) as caught:
        swarm(*argv)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--seeds", "5.."], "add --minutes"),
        (["no-such-scenario"], "no scenario of this name"),
    ],
)
def test_bad_input_exits_2(swarm: Any, capsys: Any, argv: list[str], said: str) -> None:
    assert swarm(*argv) == 2
    assert said in capsys.readouterr().err


def test_ways_of_failing_are_told_apart() -> None:
    assert kind_of("bmc-cooldown") == "safety"
    assert kind_of("an-invariant-of-tomorrow") == "safety"
    assert kind_of("timeout") == kind_of("no-orphans") == "liveness"
    for way in ("hung", "crash ValueError", "inconclusive terminal", "check released", "failed"):
        assert kind_of(way) == "harness"


def test_the_digest_depends_on_the_runs_and_not_on_their_order() -> None:
    records = [Record(seed, trace_hash=f"h{seed}") for seed in range(5)]
    tallies = [Tally(0.0), Tally(0.0), Tally(0.0)]
    for record in records:
        tallies[0].add(record)
    for record in reversed(records):
        tallies[1].add(record)
    for record in [*records[:4], Record(4, trace_hash="other")]:
        tallies[2].add(record)
    assert tallies[0].digest == tallies[1].digest != tallies[2].digest


def test_files_come_back_as_they_went_and_are_bounded() -> None:
    files = {"a": b"first", "b": os.urandom(100_000), "c": b""}
    assert unpack(pack(files)) == files
    large = {"a": b"first", "b": os.urandom(MAX_FILES_BYTES), "c": b"last"}
    assert [*pack(large)] == ["a"]


# --- shrink -------------------------------------------------------------------------------------


@pytest.fixture
def shrink(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    def go(*argv: str, play: Player) -> int:
        monkeypatch.setattr(shrinkcommand, "run_task", play)
        parser = argparse.ArgumentParser()
        shrinkcommand.register(parser.add_subparsers())
        args = parser.parse_args(["shrink", *argv])
        return int(args.run(args))

    return go


def test_a_seed_is_shrunk_into_a_file_that_is_still_sound(
    shrink: Any, tmp_path: Path, capsys: Any
) -> None:
    seed = next(s for s in range(500) if any(f["id"] == "api-hang" for f in draw(s)["faults"]))

    def play(task: Task) -> Record:
        held = any(f["id"] == "api-hang" for f in (task.document or {}).get("faults", []))
        return Record(task.seed, ("bmc-cooldown",) if held else (), "why")

    target = tmp_path / f"found-{seed}.yaml"
    assert shrink(str(seed), "--to", str(target), play=play) == 0
    text = target.read_text(encoding="utf-8")
    assert text.startswith("# bmc-cooldown\n# why\n")
    document = yaml.safe_load(text)
    assert [fault["id"] for fault in document["faults"]] == ["api-hang"]
    assert document["world"]["hosts"] == {"count": 1}
    assert not unsound(document)
    assert f"beskar7 run {target} --clock virtual --seed {seed}" in capsys.readouterr().err
    # The file's name says the seed, so that nothing else need be given.
    assert shrink(str(target), "--to", str(target), play=play) == 0


def test_another_failure_is_not_taken_for_the_same(shrink: Any, tmp_path: Path) -> None:
    def play(task: Task) -> Record:
        hosts = (task.document or {})["world"]["hosts"]["count"]
        return Record(task.seed, ("bmc-cooldown",) if hosts > 1 else ("terminal",), "why")

    seed = next(s for s in range(500) if draw(s)["world"]["hosts"]["count"] > 3)
    target = tmp_path / "found.yaml"
    assert shrink(str(seed), "--to", str(target), play=play) == 0
    assert yaml.safe_load(target.read_text())["world"]["hosts"]["count"] == 2


def test_what_holds_cannot_be_shrunk(shrink: Any, capsys: Any) -> None:
    assert shrink("5", play=lambda task: Record(task.seed)) == 2
    assert "nothing to shrink" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"faults": [{"id": "a", "kind": "hang"}]}, "the fault a never ends"),
        ({"acts": [{"at": "1s", "kill_manager": {}}]}, "no manager lives in the end"),
        ({"world": {"hosts": {"count": 1}, "config": {"x": "y"}}}, "x: unknown"),
        (
            {
                "world": {
                    "hosts": {"count": 1},
                    "config": {"provisioning.maxConcurrentOps": "0"},
                }
            },
            "drained",
        ),
        ({"load": {}}, "load.machines"),
        (
            {
                "world": {
                    "hosts": {"count": 1},
                    "managers": {"replicas": 2, "args": {"leader-elect": "false"}},
                }
            },
            "no leader election",
        ),
    ],
)
def test_what_is_not_promised_is_not_sound(change: dict, said: str) -> None:
    document = {"name": "a", "world": {"hosts": {"count": 1}}, "load": {"machines": 1}}
    assert not unsound(document)
    assert said in unsound(document | change)
