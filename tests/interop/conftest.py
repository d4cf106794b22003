"""Real kubectls, the system's and others, and an API server for each module and kubectl.

A test is run with the system's. With the others too, if it is marked ``every_kubectl``: where it is
about what kubectl itself does, and not only about what the server answers.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

REPOSITORY = Path(__file__).parents[2]
START = 60.0
"""Seconds for the server's ready line on a busy machine."""
OTHERS = ("1.27", "1.37")
"""What ci/older_kubectl.py installs: older and newer than the kubectl that systems have today."""


@dataclass(frozen=True)
class KubectlLab:
    """Where kubectl is, its version 1.``minor``, a home for its cache, and whom it talks to."""

    program: str
    minor: int
    home: Path
    kubeconfig: Path
    directory: Path


def absent(what: str) -> NoReturn:
    """Skips; where CI must test with it, fails."""
    if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
        pytest.fail(f"{what} is missing, and CI must test with it")
    pytest.skip(f"{what} is not installed; ci/interop-tools brings it")


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a program that ci/interop-tools brings."""
    return lambda name: shutil.which(name) or absent(name)


def kubectl_program(which: str) -> str:
    """The path of ``system``'s kubectl, or of one of :data:`OTHERS`. Skips; in CI, fails."""
    if which == "system":
        found = shutil.which("kubectl")
    else:
        found = shutil.which("kubectl", path=Path(sys.prefix) / "share" / "kubectl" / which)
    return found or absent(f"kubectl ({which})")


def minor_version(program: str) -> int:
    done = subprocess.run(
        [program, "version", "--client", "-o", "json"], capture_output=True, text=True, check=True
    )
    return int(json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kubectl_lab" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_kubectl") is not None
        which = ["system", *OTHERS] if every else ["system"]
        metafunc.parametrize("kubectl_lab", which, indirect=True, scope="module")


@pytest.fixture(scope="module")
def kubectl_lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KubectlLab]:
    program = kubectl_program(request.param)
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
    home = tmp_path_factory.mktemp("home")
    yield KubectlLab(program, minor_version(program), home, kubeconfig, directory)
    _, errors = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in errors, errors
