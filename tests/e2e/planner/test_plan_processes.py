"""A plan in worker processes: the same plan as in one, and SIGTERM leaves nobody and nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from beskar7.api.documents import parse
from beskar7.runtime import LiveRuntime
from scenarios.engine.objectives import parse_objective
from scenarios.parallel.jobs import Workers, crew
from scenarios.planner.costs import weights
from scenarios.planner.plan import Wish, make_plan

pytestmark = pytest.mark.e2e

TEXT = """
name: planned
world:
  hosts: {count: 5, vendors: {dell: 1}, scale: {boot: 0.02, latency: 0.2}}
load: {machines: 4}
limits: {timeout: 30m}
"""
RANGES = (
    *("replicas=2", "reconciles=10", "mode=claims", "algorithm=deterministic", "queue=50"),
    *("ops=5", "looks=1m,5s,1s", "cooldown=x1,x2"),
)
COMMAND = "import sys; from beskar7.cli import main; sys.exit(main())"
PATIENCE = 60.0
"""Seconds, for whatever has to come sooner or later."""


def _appears(path: Path) -> bool:
    runtime = LiveRuntime()
    deadline = runtime.now() + PATIENCE
    while not path.exists() and runtime.now() < deadline:
        runtime.sleep(0.01)
    return path.exists()


def test_a_round_goes_on_beside_the_next_ones(tmp_path: Path) -> None:
    """The first one ends only when the second one has been played."""
    signal_file = tmp_path / "second"
    with crew(Workers(2)) as workers:
        finish = workers.begin(_appears, [signal_file])
        assert workers.round(Path.touch, [signal_file]) == [None]
        assert finish() == [True]


def test_the_plan_does_not_depend_on_the_workers() -> None:
    asked = Wish(
        document=parse(TEXT, "planned.yaml"),
        overrides=(),
        objectives=(parse_objective("p99(time_to_provisioned)<20s"),),
        weights=weights([]),
        ranges=RANGES,
    )
    alone, shared = (make_plan(replace(asked, workers=Workers(jobs))) for jobs in (1, 2))
    assert alone.ending == shared.ending == "held"
    assert alone.values == shared.values
    assert alone.figures == shared.figures
    assert alone.steps == shared.steps
    assert alone.stresses == shared.stresses
    assert (alone.runs, alone.candidates) == (shared.runs, shared.candidates)
    one, other = alone.verifications[-1], shared.verifications[-1]
    assert [each.values for each in one.outcomes] == [each.values for each in other.outcomes]


def test_sigterm_ends_workers_and_their_files(
    tmp_path: Path, group_ends: Callable[[int, float], bool]
) -> None:
    path, files = tmp_path / "planned.yaml", tmp_path / "files"
    path.write_text(TEXT.replace("boot: 0.02", "boot: 1"))
    files.mkdir()
    words = ["plan", str(path), "--slo", "p99(time_to_provisioned)<1h", "--jobs", "2"]
    words += ["--runs", "999"]  # longer than anybody waits
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "JOBLIB_TEMP_FOLDER": str(files), "TMPDIR": str(files)},
        start_new_session=True,
    ) as child:
        try:
            assert child.stderr is not None
            first = child.stderr.readline()
            assert "runs of 1 candidates" in first, first
            child.terminate()
            said, heard = child.communicate(timeout=PATIENCE)
            assert "Traceback" not in heard + said
            assert child.returncode == 130
            assert group_ends(child.pid, PATIENCE)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
    assert not list(files.iterdir())
