"""Drawn worlds on the real controller: replayed byte for byte, and a defect that is caught."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from beskar7.coordination.queue import ProvisioningQueue
from scenarios.engine.loader import load
from scenarios.engine.trial import play
from scenarios.swarm import shrinkcommand
from scenarios.swarm.draw import draw
from scenarios.swarm.files import read_document
from scenarios.swarm.records import Task, unpack
from scenarios.swarm.seedtrial import SCENARIO, VERDICT, play_task

pytestmark = pytest.mark.sim


@pytest.mark.parametrize("seed", [3, 12, 77])
def test_a_seed_holds_and_its_file_replays_it(seed: int, tmp_path: Path) -> None:
    record = play_task(Task(seed))
    assert record.passed, record.said
    path = tmp_path / SCENARIO
    path.write_text(yaml.safe_dump(draw(seed)), encoding="utf-8")
    again = play(load(str(path)), seed)
    assert again.evidence.trace_hash == record.trace_hash


def test_another_hash_seed_changes_nothing() -> None:
    code = (
        "from scenarios.swarm.seedtrial import play_task; from scenarios.swarm.records import Task;"
        "print(play_task(Task(12)).trace_hash)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    assert found.stdout.strip() == play_task(Task(12)).trace_hash


def test_a_scenario_is_played_with_random_trouble() -> None:
    base = read_document("smoke")
    records = [play_task(Task(seed, base=base)) for seed in (1, 2)]
    assert all(record.passed for record in records), [record.said for record in records]
    assert records[0].trace_hash != records[1].trace_hash


def test_a_planted_defect_is_found_and_shrunk(monkeypatch: Any, tmp_path: Path) -> None:
    """BMCs get no rest: a handful of seeds shows it, and little of the world is needed for it."""
    monkeypatch.setattr(ProvisioningQueue, "_rest_until", lambda queue, operation: 0.0)
    found = next(
        record
        for seed in range(20)
        if "bmc-cooldown" in (record := play_task(Task(seed, keep=True))).ways
    )
    files = unpack(found.files)
    assert {SCENARIO, VERDICT, "result.json"} <= set(files)
    assert b"bmc-cooldown at " in files[VERDICT]

    monkeypatch.setattr(shrinkcommand, "run_task", play_task)
    source, target = tmp_path / SCENARIO, tmp_path / f"cooldown-{found.seed}.yaml"
    source.write_bytes(files[SCENARIO])
    args = {"what": str(source), "seed": found.seed, "runs": 40, "to": target}
    assert shrinkcommand.run(type("Arguments", (), args)) == 0  # type: ignore[arg-type] # as parsed
    small = read_document(str(target))
    assert len(small.get("faults", [])) + len(small.get("acts", [])) <= 2
    assert small["world"]["hosts"]["count"] <= 2
    assert not play(load(str(target)), found.seed).passed
    monkeypatch.undo()
    assert play(load(str(target)), found.seed).passed, "without the defect it holds"
