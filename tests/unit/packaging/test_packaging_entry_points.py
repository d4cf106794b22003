"""The commands that the documents promise are the commands that exist."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
TARGETS = [
    *("demo", "test", "swarm", "lint", "types", "contracts", "docs", "bench", "mutants", "load"),
    *("lock", "clean", "help"),
]
SCRIPTS = [
    *("setup", "lint", "types", "contracts", "docs", "test", "demo", "swarm", "interop-tools"),
    "lock",
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def make(*arguments: str, **variables: str) -> str:
    """What make prints. A make above us must not lend us its flags."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments, *(f"{k}={v}" for k, v in variables.items())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_readme_and_the_contributing_page_name_the_two_commands() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        assert "make demo" in text(name), name
        assert "make test" in text(name), name


def test_make_alone_lists_every_target() -> None:
    listed = re.findall(r"^make (\w+)", make(), re.MULTILINE)
    assert sorted([*listed, "help"]) == sorted(TARGETS)


def test_every_target_that_a_document_names_exists() -> None:
    documents = ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/dependencies.md"]
    for name in documents:
        for command in re.findall(r"`make ([a-z]+)|^make ([a-z]+)", text(name), re.MULTILINE):
            assert (command[0] or command[1]) in TARGETS, (name, command)


def test_make_demo_sets_the_environment_up_and_runs_the_storm() -> None:
    plan = make("-n", "demo", VENV="/nowhere/venv")
    assert 'VENV="/nowhere/venv" sh ci/setup' in plan
    assert '"/nowhere/venv/bin/beskar7" run claim-storm --report "out/demo"' in plan


def test_make_test_sets_the_environment_up_and_runs_in_parallel() -> None:
    plan = make("-n", "test", JOBS="2")
    assert re.search(r"ci/setup test\b", plan)
    assert "-m pytest -n 2" in plan


@pytest.mark.parametrize("name", [*(f"ci/{script}" for script in SCRIPTS), ".ci/run"])
def test_ci_scripts_can_be_run_and_stop_at_the_first_error(name: str) -> None:
    script = ROOT / name
    assert os.access(script, os.X_OK)
    first, *rest = script.read_text(encoding="utf-8").splitlines()
    assert first in ("#!/bin/sh", "#!/usr/bin/env bash")
    assert rest[0].startswith("# ")
    if name == ".ci/run":
        assert "set -uo pipefail" in rest
        assert "failed+=" in "\n".join(rest)
    else:
        assert any(line.startswith("set -eu") for line in rest)


def test_ci_calls_every_step_and_the_tests_last() -> None:
    steps = re.findall(r"^step \S+ \d+ (ci/[a-z-]+)", text(".ci/run"), re.MULTILINE)
    assert set(steps) == {f"ci/{name}" for name in SCRIPTS if name != "lock"}
    assert steps[0] == "ci/setup"
    assert steps[-1] == "ci/test"


def test_the_workflow_runs_the_same_script_on_the_oldest_python() -> None:
    workflow = yaml.safe_load(text(".github/workflows/ci.yml"))
    job = workflow["jobs"]["ci"]
    assert ".ci/run" in [step.get("run") for step in job["steps"]]
    project = tomllib.loads(text("pyproject.toml"))["project"]
    assert project["requires-python"] == f">={job['strategy']['matrix']['python'][0]}"
    assert workflow["permissions"] == {"contents": "read"}


def test_the_license_is_whole() -> None:
    assert tomllib.loads(text("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    words = text("LICENSE")
    assert "Version 2.0, January 2004" in words
    assert "END OF TERMS AND CONDITIONS" in words
    assert len(words) > 10_000
