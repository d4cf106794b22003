"""Writes ``docs/better-than-upstream.md``: each defect of the earlier implementation, and the tests
that show it absent here. ``--check`` only says whether the page is up to date and complete.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
DEFECTS = ROOT / "ci" / "upstream_defects.yaml"
TARGET = ROOT / "docs" / "better-than-upstream.md"


class Collector:
    """Notes the tests that carry the mark; nothing is run."""

    def __init__(self) -> None:
        self.tests: defaultdict[str, set[str]] = defaultdict(set)
        self.errors: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("upstream"):
                for number in mark.args:
                    self.tests[number].add(item.nodeid.partition("[")[0])

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.errors.append(str(report.longrepr))


def collect() -> Collector:
    collector = Collector()
    arguments = ["--collect-only", "-q", "-p", "no:cacheprovider", str(ROOT / "tests")]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(arguments, plugins=[collector])
    return collector


def page(defects: dict[str, str], tests: dict[str, set[str]]) -> str:
    lines = [
        "# Better than the earlier implementation",
        "",
        "Written by `python ci/better_than_upstream.py`; do not edit. Each row is a defect of the",
        "earlier Go implementation, found by reading or running it, and the tests that would fail",
        "if it were here. All of them run in CI.",
        "",
        "| | the earlier behaviour | shown absent by |",
        "|---|---|---|",
    ]
    for number, text in defects.items():
        shown = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(tests[number]))
        lines.append(f"| {number} | {text} | {shown or '-'} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    defects: dict[str, str] = yaml.safe_load(DEFECTS.read_text())
    found = collect()
    if found.errors:
        print(f"{len(found.errors)} test files cannot be collected:\n{found.errors[0]}")
        return 1
    unknown = sorted(set(found.tests) - set(defects))
    missing = [number for number in defects if not found.tests[number]]
    text = page(defects, found.tests)
    if not args.check:
        TARGET.write_text(text)
        print(f"written: {TARGET.relative_to(ROOT)}")
    stale = not TARGET.exists() or TARGET.read_text() != text
    for number in unknown:
        print(f"{number}: no such defect in {DEFECTS.name}")
    for number in missing:
        print(f"{number}: no test shows it absent")
    if stale:
        print(f"{TARGET.relative_to(ROOT)}: not up to date; run python ci/better_than_upstream.py")
    print(f"{len(defects) - len(missing)} of {len(defects)} defects are shown absent by tests")
    return 1 if unknown or missing or stale else 0


if __name__ == "__main__":
    sys.exit(main())
