"""The example repository as a stranger uses it: its workflows' own commands, and what fails."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.e2e
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Somewhere else: nothing of this repository's own settings is above it."""
    folder = tmp_path / "metal-tests"
    shutil.copytree(
        EXAMPLES, folder, ignore=shutil.ignore_patterns("out", "__pycache__", ".*cache")
    )
    return folder


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner's shell: our python first on PATH, and nothing from the network."""
    unset = ("PYTEST_ADDOPTS", "PYTHONPATH", "GITHUB_STEP_SUMMARY")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in unset and not name.startswith(("PYTEST_", "COV_"))
    }
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_INDEX": "1",
        **variables,
    }
    return subprocess.run(
        ["/bin/sh", "-ec", line],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def document(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))
    return found


def githubs() -> list[dict[str, Any]]:
    workflow = document(".github/workflows/tests.yml")
    assert workflow["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key "on" as true.
    assert set(workflow[True]) == {"push", "pull_request"}
    steps: list[dict[str, Any]] = workflow["jobs"]["tests"]["steps"]
    return steps


def test_both_services_run_the_same_commands_and_keep_the_same_things() -> None:
    steps = githubs()
    commands = [step["run"] for step in steps if "run" in step]
    job = document(".gitlab-ci.yml")["tests"]
    assert job["script"] == commands
    upload = next(step for step in steps if "upload-artifact" in step.get("uses", ""))
    assert upload["if"] == "failure()"
    assert [upload["with"]["path"]] == job["artifacts"]["paths"] == ["out"]
    assert job["artifacts"]["reports"]["junit"] in shlex.split(commands[-1])[-1]
    for line in commands:
        assert shutil.which(shlex.split(line)[0])


@pytest.mark.timeout(600)
def test_the_workflows_own_commands_are_green(copy: Path) -> None:
    summary = copy.parent / "summary.md"
    for line in (step["run"] for step in githubs() if "run" in step):
        done = shell(line, copy, GITHUB_STEP_SUMMARY=str(summary))
        assert done.returncode == 0, done.stdout + done.stderr
    cases = {case.get("name"): case for case in ET.parse(copy / "out/junit.xml").iter("testcase")}
    assert len(cases) == 3
    assert not list(ET.parse(copy / "out/junit.xml").iter("skipped"))
    clocks = [item.get("value") for item in ET.parse(copy / "out/junit.xml").iter("property")]
    assert {"live", "virtual"} <= set(clocks)
    # Nothing failed, so nothing of a lab is kept.
    assert [path.name for path in (copy / "out").iterdir()] == ["junit.xml"]
    assert "3 tests in labs, 0 not passed" in summary.read_text(encoding="utf-8")


@pytest.mark.timeout(300)
def test_the_broken_one_shows_a_stranger_the_cause(copy: Path) -> None:
    done = shell("python -m pytest broken", copy)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    said = done.stdout
    for clue in (
        "host-002: http://127.10.0.2:8000: HTTP 401: the BMC refused the credentials",
        "hosts: 1 Error, 1 Provisioned",
        "faults in force:",
        "fault-1 (error)",
        "<< fault fault-1 (error)",
        "state Provisioning -> Error",
        "again: pytest broken/test_broken.py::test_both_machines_get_a_host --beskar7-seed 4",
    ):
        assert clue in said, clue
    assert "beskar7_harness/" not in said
    kept = copy / "out/labs/broken_test_broken.py__test_both_machines_get_a_host"
    assert (kept / "report.html").is_file()
    assert "seed        4" in (kept / "replay.txt").read_text(encoding="utf-8")
