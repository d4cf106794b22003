"""docs/tutorial.md: every command in it is run, in order, and prints what the page has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(660)
def test_the_tutorial_holds_command_by_command(program: Callable[[str], str]) -> None:
    program("kubectl")
    done = subprocess.run(
        [sys.executable, "ci/doc_commands.py", "docs/tutorial.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=640,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "docs/tutorial.md: 12 commands hold\n"
