"""docs/pytest-plugin.md: its tutorial runs as it stands there, and its tables are complete."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from beskar7_harness import plugin
from beskar7_harness.faults import Faults
from beskar7_harness.fleet import Fleet
from beskar7_harness.handles import Host, Machine
from beskar7_harness.lab import Lab
from beskar7_harness.managers import Managers
from beskar7_harness.settings import OWN, PATHS

pytestmark = pytest.mark.sim
MANUAL = (Path(__file__).parents[3] / "docs" / "pytest-plugin.md").read_text(encoding="utf-8")
INTERNAL = {"mark", "check", "close", "is_open", "enrol", "settings", "kind", "name"}
"""Public for the plugin itself."""


def test_the_tutorial_passes(pytester: pytest.Pytester) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", MANUAL, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    (pytester.path / "test_metal.py").write_text("\n\n".join(blocks))
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:locust")
    result.assert_outcomes(passed=2)
    (pytester.path / "test_metal.py").write_text(
        "\n\n".join(blocks).replace("timeout=600", "timeout=1")
    )
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-p", "no:locust", "-k", "hangs"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*NotReached: after 1s: not: *", "again: pytest *", "*timeline of machine*"]
    )


def rows(heading: str) -> set[str]:
    part = MANUAL.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return {
        name for row in re.findall(r"^\| `.*?\|", part, re.M) for name in re.findall(r"`(\w+)", row)
    }


def test_every_field_of_the_mark_has_a_row_and_every_row_a_field() -> None:
    assert rows("The mark") == {*PATHS, *OWN}


def test_every_option_is_there() -> None:
    options = re.findall(r'"(--beskar7-\w+)"', inspect.getsource(plugin))
    assert len(set(options)) == 3
    assert all(f"| `{option} " in MANUAL for option in options)


@pytest.mark.parametrize("of", [Lab, Host, Machine, Managers, Faults, Fleet])
def test_what_is_public_is_in_the_manual(of: type) -> None:
    public = {name for name, _ in inspect.getmembers(of) if not name.startswith("_")} - INTERNAL
    assert public
    missing = {name for name in public if not re.search(rf"`{name}\b|\b{name}\(", MANUAL)}
    assert not missing
