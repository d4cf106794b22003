"""A swarm on a Dask cluster: two worker processes behind a scheduler, over TCP on loopback."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import pytest

from scenarios.parallel.jobs import BackendError, Workers, play_all
from scenarios.swarm.records import Task
from scenarios.swarm.seedtrial import play_task
from scenarios.swarm.tally import Tally
from scenarios.swarm.worker import run_task

pytestmark = pytest.mark.interop

SEEDS = (1, 2, 4)


@pytest.fixture
def scheduler() -> Any:
    """The address of a cluster's scheduler."""
    if find_spec("distributed") is None:
        if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
            pytest.fail("distributed is missing, and CI must test with it")
        pytest.skip("distributed is not installed; pip install 'beskar7-harness[dask]'")
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        protocol="tcp://",
        dashboard_address=None,
    ) as cluster:
        assert len(cluster.workers) == 2
        yield cluster.scheduler_address


def test_a_cluster_plays_the_same_runs(scheduler: str) -> None:
    assert scheduler.startswith("tcp://127.0.0.1:")
    here, there = Tally(0.0), Tally(0.0)
    tasks = [Task(seed) for seed in SEEDS]
    for record in play_all(run_task, tasks, Workers(-1, "dask", scheduler)):
        there.add(record)
    for task in tasks:
        here.add(play_task(task))
    assert there.runs == here.runs
    assert all(hash for hash, _ in there.runs.values())


def test_a_scheduler_that_is_not_there(monkeypatch: Any) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("scenarios.parallel.jobs.START_SECONDS", 0.5)
    with pytest.raises(BackendError, match=r"--scheduler tcp://127\.0\.0\.1:9"):
        list(play_all(run_task, [Task(1)], Workers(-1, "dask", "tcp://127.0.0.1:9")))
