"""Real Prometheus: its promtool, and the program itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Promtool = Callable[..., subprocess.CompletedProcess[str]]


def program(name: str) -> str:
    """Its path. Skips when it is not installed; in CI, fails."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
            pytest.fail(f"{name} is missing, and CI must test with it")
        pytest.skip(f"{name} is not installed; ci/interop-tools brings it")
    return found


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    return program("prometheus")


@pytest.fixture(scope="session")
def promtool() -> Promtool:
    path = program("promtool")

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [path, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.fixture
def write_yaml(tmp_path: Path) -> Callable[[str, Any], Path]:
    def write(name: str, value: Any) -> Path:
        path = tmp_path / name
        path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
        return path

    return write
