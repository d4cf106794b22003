"""Seeds in real processes: equal to those here, and failures with a number when they are lost."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from beskar7.runtime import LiveRuntime
from scenarios.parallel.jobs import BackendError, Workers, play_all
from scenarios.swarm import worker
from scenarios.swarm.records import Task
from scenarios.swarm.seedtrial import play_task
from scenarios.swarm.tally import Tally

pytestmark = pytest.mark.e2e

SMALL: dict[str, Any] = {
    "name": "small",
    "world": {"hosts": {"count": 1, "scale": {"boot": 0.005, "latency": 0.05}}},
    "load": {"machines": 1},
}
LARGE = SMALL | {"world": {"hosts": {"count": 3000}}, "load": {"machines": 3000}}
"""Takes minutes: what it is given here ends before it does."""
SEEDS = (1, 2, 4)


@pytest.fixture(autouse=True)
def _no_players_are_left() -> Any:
    yield
    worker.close_players()


def played(tasks: list[Task], workers: Workers) -> Tally:
    tally = Tally(0.0)
    for record in play_all(worker.run_task, tasks, workers, after=worker.close_players):
        tally.add(record)
    return tally


def test_the_number_of_jobs_changes_no_run() -> None:
    here = Tally(0.0)
    for seed in SEEDS:
        here.add(play_task(Task(seed)))
    assert all(hash for hash, _ in here.runs.values())
    tasks = [Task(seed) for seed in SEEDS]
    beside = played(tasks, Workers(2))
    alone = played(tasks[::-1], Workers(1))
    assert beside.runs == alone.runs == here.runs
    assert beside.digest == here.digest


def test_a_run_that_hangs_or_ends_its_process_is_a_failure_with_its_number() -> None:
    hung = worker.run_task(Task(71, document=LARGE, limit=1.0))
    assert hung.ways == ("hung",)
    assert "seed 71: no verdict within 1 s" in hung.said
    assert "File " in hung.said, "faulthandler tells where it was"

    player = worker.Player()
    runtime = LiveRuntime()
    killer = runtime.timer(1.0, os.kill, player._child.pid, signal.SIGKILL, name="killer")
    killed = player.play(Task(72, document=LARGE))
    killer.cancel()
    assert killed.ways == ("crash process",)
    assert "seed 72: the player of seeds ended with code -9" in killed.said

    broken = worker.run_task(Task(73, document={"name": "x"}))
    assert broken.ways == ("crash DocumentError",)
    assert worker.run_task(Task(1, document=SMALL)).passed, "and the next one is played"


def test_players_are_replaced_and_end_with_whoever_gave_the_tasks(monkeypatch: Any) -> None:
    monkeypatch.setattr(worker, "MAX_SEEDS", 1)
    assert worker.run_task(Task(1, document=SMALL)).passed
    assert not worker._idle
    monkeypatch.setattr(worker, "MAX_SEEDS", 2)
    assert worker.run_task(Task(1, document=SMALL)).passed
    (player,) = worker._idle
    process = player._child._process
    # As when this process dies: the pipe ends.
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
    with contextlib.suppress(ProcessLookupError):
        assert not Path(f"/proc/{process.pid}/task").exists()


def test_a_backend_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(BackendError, match="pip install ray"):
        played([Task(1)], Workers(1, "ray"))
    with pytest.raises(BackendError, match="belongs to --backend dask or ray"):
        played([Task(1)], Workers(2, "loky", "tcp://127.0.0.1:1"))
