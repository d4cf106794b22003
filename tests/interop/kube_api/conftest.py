"""kubectl, with a home and a server of its own."""

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

REPOSITORY = Path(__file__).parents[3]
START = 30.0  # seconds
ONE_COMMAND = 60.0  # seconds


@dataclass
class Kubectl:
    """Calls kubectl; its discovery cache lives in ``home``, not in the user's."""

    program: str
    home: Path
    kubeconfig: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        return {**kept, "HOME": str(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=ONE_COMMAND,
            env=self.environment,
        )

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        """The output of a command that must succeed."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def fails(self, *arguments: str, stdin: str = "") -> str:
        """What a command says that must be refused."""
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode != 0, f"kubectl {' '.join(arguments)}: {done.stdout}"
        return done.stderr

    def start(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment or self.environment,
        )


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
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
    yield Kubectl(program, tmp_path_factory.mktemp("home"), kubeconfig)
    _, errors = server.communicate(timeout=20)
    assert server.returncode == 0
    assert "Traceback" not in errors
