"""Every dependency is explained, pinned, and nothing of one machine is in the lock."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
TABLE = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def name_of(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement)
    assert found, requirement
    return normal(found.group())


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> dict[str, set[str]]:
    """Section of docs/dependencies.md -> names that pyproject.toml declares for it."""
    settings = project()
    extras = settings["project"]["optional-dependencies"]
    return {
        "Runtime": {name_of(item) for item in settings["project"]["dependencies"]},
        "Build": {name_of(item) for item in settings["build-system"]["requires"]},
        **{f"Extra `{name}`": {name_of(i) for i in items} for name, items in extras.items()},
    }


def explained() -> dict[str, list[list[str]]]:
    """Section -> rows of its table, as cells."""
    sections: dict[str, list[list[str]]] = {}
    heading = ""
    for line in TABLE.splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
        elif line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            sections.setdefault(heading, []).append(cells)
    return sections


def pinned() -> dict[str, str]:
    """Name -> version in the lock."""
    pins = re.findall(r"^([A-Za-z0-9][\w.-]*)==(\S+)", LOCK, re.MULTILINE)
    return {normal(name): version for name, version in pins}


def test_every_dependency_has_a_row_in_its_section_and_every_row_a_dependency() -> None:
    rows = {
        section: {normal(cells[0].strip("`")) for cells in table}
        for section, table in explained().items()
    }
    assert rows == declared()


def test_every_row_says_why_what_it_replaces_and_what_would_be_lost() -> None:
    for section, table in explained().items():
        for cells in table:
            assert len(cells) == 4, (section, cells)
            assert all(cells), (section, cells)
            assert len(cells[1]) > 10, (section, cells)
            assert len(cells[3]) > 10, (section, cells)


def test_rows_are_sorted_and_unique() -> None:
    for section, table in explained().items():
        names = [cells[0].strip("`") for cells in table]
        assert names == sorted(set(names)), section


def test_the_lock_pins_every_dependency_exactly() -> None:
    wanted = set().union(*declared().values())
    assert wanted <= set(pinned())


def test_the_lock_fits_the_lower_bounds() -> None:
    def release(version: str) -> tuple[int, ...]:
        return tuple(int(part) for part in re.findall(r"\d+", version)[:3])

    settings = project()
    extras = settings["project"]["optional-dependencies"]
    requirements = [*settings["project"]["dependencies"], *settings["build-system"]["requires"]]
    requirements += [item for items in extras.values() for item in items]
    bounds = [item for item in requirements if ">=" in item]
    assert len(bounds) > 15
    for item in bounds:
        lower = re.search(r">=\s*([\d.]+)", item)
        assert lower
        assert release(pinned()[name_of(item)]) >= release(lower.group(1)), item


def test_the_lock_is_exact_and_speaks_of_no_machine() -> None:
    for line in LOCK.splitlines():
        bare = line.split("#")[0].strip()
        assert not bare or re.fullmatch(r"[\w.-]+==[\w.!+-]+( ; .+)?", bare), line
        assert not re.search(r"://|--|file:/|\s/\w", line), line
