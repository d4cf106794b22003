"""A sweep in worker processes: the same runs as here, and Ctrl-C loses none and leaves nobody."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from beskar7.cli import main

pytestmark = pytest.mark.e2e

SCENARIO = """
name: small
world:
  hosts: {count: 4, scale: {boot: 0.05, latency: 0.2}}
load: {machines: 4}
"""
COMMAND = "import sys; from beskar7.cli import main; sys.exit(main())"


def measured(folder: Path) -> list[dict[str, str]]:
    with (folder / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: row[name] for name in row if name != "wall_seconds"} for row in rows]


def ctrl_c(child: subprocess.Popen[str]) -> None:
    """As a terminal does it: to the workers, too."""
    os.killpg(child.pid, signal.SIGINT)


def sigterm(child: subprocess.Popen[str]) -> None:
    child.terminate()


@pytest.mark.parametrize("end", [ctrl_c, sigterm])
def test_it_is_broken_off(
    end: Callable[[subprocess.Popen[str]], None],
    tmp_path: Path,
    group_ends: Callable[[int, float], bool],
) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SCENARIO)
    sweep = ["sweep", str(path), "--grid", "provisioning.workerCount=1,4"]
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    line = [*sweep, "--seeds", "1..20000", "--jobs", "2", "--report", str(stopped)]
    with subprocess.Popen(
        [sys.executable, "-c", COMMAND, *line],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stderr is not None
        said = []
        for text in child.stderr:
            said.append(text)
            if "of 40000 runs" in text:
                end(child)
                break
        said += list(child.stderr)
        assert child.wait(60) == 130, "".join(said)
    assert "Traceback" not in "".join(said)
    assert group_ends(child.pid, 20.0), "a process of it is left"
    # What was played there is kept; the rest is played here.
    few = [*sweep, "--seeds", "1..3", "--jobs", "1"]
    before = measured(stopped)
    assert before
    assert main([*few, "--report", str(stopped), "--resume"]) == 0
    assert main([*few, "--report", str(whole)]) == 0
    assert measured(stopped) == measured(whole)
    assert [row for row in measured(whole) if row in before], "some of them were played there"
