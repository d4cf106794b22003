"""The example repository as a stranger uses it: its workflows' own commands, and what fails."""

from __future__ import annotations

import importlib.util
import json
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
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""Our python first, as in a job's environment."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Somewhere else: nothing of this repository's own settings is above it."""
    folder = tmp_path / "metal-tests"
    shutil.copytree(
        EXAMPLES, folder, ignore=shutil.ignore_patterns("out", "__pycache__", ".*cache")
    )
    return folder


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a runner's shell, with nothing from the network."""
    unset = ("PYTEST_ADDOPTS", "PYTHONPATH", "GITHUB_STEP_SUMMARY")
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in unset and not name.startswith(("PYTEST_", "COV_"))
    }
    environment |= {
        "PATH": PATH,
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


def document_text(name: str) -> str:
    return (EXAMPLES / name).read_text(encoding="utf-8")


def document(name: str) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(document_text(name))
    return found


def githubs() -> dict[str, list[dict[str, Any]]]:
    """The steps of each job."""
    workflow = document(".github/workflows/tests.yml")
    assert workflow["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key "on" as true.
    assert set(workflow[True]) == {"push", "pull_request"}
    return {name: job["steps"] for name, job in workflow["jobs"].items()}


def commands(job: str) -> list[str]:
    return [step["run"] for step in githubs()[job] if "run" in step]


def test_both_services_run_the_same_commands_and_keep_the_same_things() -> None:
    gitlab = document(".gitlab-ci.yml")
    install = gitlab.pop("default")["before_script"]
    steps = githubs()
    assert list(gitlab) == list(steps) == ["tests", "load", "plan"]
    for name, job in gitlab.items():
        assert install + job["script"] == commands(name), name
        upload = next(step for step in steps[name] if "upload-artifact" in step.get("uses", ""))
        # Labs are kept by the tests that failed; a report tells as much of what held.
        assert upload["if"] == ("failure()" if name == "tests" else "always()")
        assert [upload["with"]["path"]] == job["artifacts"]["paths"]
        assert job["artifacts"]["when"] == "always"
        for line in commands(name):
            assert shutil.which(shlex.split(line)[0], path=PATH), line
    junit = gitlab["tests"]["artifacts"]["reports"]["junit"]
    assert junit in shlex.split(commands("tests")[-1])[-1]
    shown = document_text("README.md").replace("\\\n", "")
    for name in ("load", "plan"):
        assert commands(name)[-1] in " ".join(shown.split()), name


def follow(job: str, folder: Path, **variables: str) -> None:
    """All commands of a job, of which each has to succeed."""
    for line in commands(job):
        done = shell(line, folder, **variables)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(600)
def test_the_workflows_own_tests_are_green(copy: Path) -> None:
    summary = copy.parent / "summary.md"
    follow("tests", copy, GITHUB_STEP_SUMMARY=str(summary))
    cases = {case.get("name"): case for case in ET.parse(copy / "out/junit.xml").iter("testcase")}
    assert len(cases) == 3
    assert not list(ET.parse(copy / "out/junit.xml").iter("skipped"))
    clocks = [item.get("value") for item in ET.parse(copy / "out/junit.xml").iter("property")]
    assert {"live", "virtual"} <= set(clocks)
    # Nothing failed, so nothing of a lab is kept.
    assert [path.name for path in (copy / "out").iterdir()] == ["junit.xml"]
    assert "3 tests in labs, 0 not passed" in summary.read_text(encoding="utf-8")


@pytest.mark.timeout(600)
@pytest.mark.skipif(
    importlib.util.find_spec("locust") is None, reason="the extra `load` is not installed"
)
def test_the_workflows_load_is_kept_with_what_its_clients_saw(copy: Path) -> None:
    follow("load", copy)
    found = json.loads((copy / "out/load/result.json").read_bytes())
    assert found["passed"] is True
    assert found["metrics"]["provisioned"] == 6
    # On a machine that is too busy, none is judged by speed; the others are always.
    judged = {row["measure"]: row["outcome"] for row in found["client"]["thresholds"]}
    assert set(judged) == set(document("load/thresholds.yaml"))
    assert judged["time-to-provisioned.count"] == judged["conflict-ratio"] == "passed"
    for name in ("report.html", "locust.html"):
        assert (copy / "out/load" / name).stat().st_size > 0, name


@pytest.mark.timeout(600)
def test_the_workflows_plan_answers_its_question(copy: Path) -> None:
    follow("plan", copy)
    plan = json.loads((copy / "out/plan/plan.json").read_bytes())
    assert plan["ending"] == "held", "found, and verified by the controller"
    # Four machines at once ask for four hosts, and the question offers six.
    assert plan["chosen"]["hosts"] == "4"
    assert plan["objectives"][0]["limit"] < 180.0
    config = yaml.safe_load((copy / "out/plan/beskar7-config.yaml").read_text(encoding="utf-8"))
    assert config["metadata"]["name"] == "beskar7-config"
    assert (copy / "out/plan/plan.html").is_file()


@pytest.mark.timeout(600)
def test_the_broken_one_shows_a_stranger_the_cause(copy: Path) -> None:
    done = shell("python -m pytest broken", copy)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    said = done.stdout
    for clue in (
        "after 1m: not: machine-001 is Provisioned: it is Provisioning",
        "Ready, InfrastructureReady=False PhysicalHostError: Host host-002",
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
