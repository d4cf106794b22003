"""Real kubectl, and an API server of its own for each module that asks."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
START = 30.0
"""Seconds for the server's ready line on a busy machine."""


@dataclass(frozen=True)
class KubectlLab:
    """Where kubectl is, a home for its cache, and whom it talks to."""

    program: str
    home: Path
    kubeconfig: Path
    directory: Path


@pytest.fixture(scope="module")
def kubectl_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubectlLab]:
    program = shutil.which("kubectl")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("kubectl is missing, and CI must test with it")
        pytest.skip("kubectl is not installed")
    directory = tmp_path_factory.mktemp("lab")
    server = subprocess.Popen(
        [sys.executable, "-m", "emulator.kube", "--dir", str(directory), "--exit-with-stdin"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    readable, _, _ = select.select([server.stdout], [], [], START)
    line = server.stdout.readline() if readable else ""
    if not line:
        server.kill()
        pytest.fail(f"the API server did not start: {server.communicate()[1]}")
    kubeconfig = Path(json.loads(line)["kubeconfig"])
    yield KubectlLab(program, tmp_path_factory.mktemp("home"), kubeconfig, directory)
    _, errors = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in errors, errors
