"""An operator's command starts without the simulator, the fleet and the experiments."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.unit

LOADED = """
import sys
from beskar7.cli import main
try:
    main([{command!r}, "--help"])
except SystemExit:
    pass
upper = {{"emulator", "scenarios", "flask", "kubernetes"}}
print("loaded", sorted(upper & {{name.partition(".")[0] for name in sys.modules}}))
"""


@pytest.mark.parametrize("command", ["doctor", "manager"])
def test_a_command_loads_what_it_needs(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(command=command)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert said[0].startswith(f"usage: beskar7 {command}")
    assert said[-1] == "loaded []"
