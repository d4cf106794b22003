"""docs/operations.md has every finding of doctor, as its catalogue has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit
SCRIPT = Path(__file__).parents[3] / "ci" / "findings_table.py"


def test_the_table_is_that_of_the_catalogue() -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
