"""A command starts without what only others need: an operator's without any upper package."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

pytestmark = pytest.mark.unit

LOADED = """
import sys
from beskar7.cli import main
try:
    main([{command!r}, "--help"])
except SystemExit:
    pass
print("loaded", sorted({others} & {{name.partition(".")[0] for name in sys.modules}}))
"""


UPPER = {"emulator", "scenarios", "flask", "kubernetes"}
EXPERIMENTS = {"scipy", "numpy", "joblib", "flask"}


@pytest.mark.parametrize(
    ("command", "others"),
    [("doctor", UPPER), ("manager", UPPER), ("run", EXPERIMENTS), ("up", EXPERIMENTS)],
)
def test_a_command_loads_what_it_needs(command: str, others: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(command=command, others=others)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert said[0].startswith(f"usage: beskar7 {command}")
    assert said[-1] == "loaded []"


def test_a_command_that_is_not_there_is_told_which_are() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "beskar7", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    commands = {entry.name for entry in entry_points(group="beskar7.commands")}
    listed = set(re.findall(r"'([a-z-]+)'", done.stderr))
    assert listed > (commands - {"operations"}) | {"doctor", "manager"}
