"""Writes ``docs/better-than-upstream.md``: each defect of the earlier implementation, and the tests
that show it absent here. ``--check`` only says whether the page is up to date and complete.

The marks are read from the source: to let pytest collect all tests takes twenty seconds.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import yaml
from wholepage import only_check, settled, stale

ROOT = Path(__file__).resolve().parents[1]
DEFECTS = ROOT / "ci" / "upstream_defects.yaml"
TARGET = ROOT / "docs" / "better-than-upstream.md"
HEAD = """\
# Better than the earlier implementation

Written by `python ci/better_than_upstream.py`; do not edit. Each row is a defect of the earlier Go
implementation, found by reading or running it, and the tests that would fail if it were here. All
of them run in CI.

| | the earlier behaviour | shown absent by |
|---|---|---|
"""


class MarkError(Exception):
    """A mark that this script cannot count, with its file and line."""


def marked(text: str, name: str) -> Iterator[tuple[str, str]]:
    """(number, test) for each mark ``upstream`` in the source of a test file.

    Raises:
        MarkError: a mark elsewhere than above a test function, or one whose numbers are no
            strings: it would be missed silently.
    """
    tree = ast.parse(text)
    above: set[ast.AST] = set()
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        for mark in node.decorator_list:
            if not (isinstance(mark, ast.Call) and _is_mark(mark.func)):
                continue
            above.add(mark.func)
            for argument in mark.args:
                number = argument.value if isinstance(argument, ast.Constant) else None
                if not isinstance(number, str):
                    raise MarkError(f"{name}:{mark.lineno}: write the number as a string, 'U9'")
                yield number, f"{name}::{node.name}"
    for found in ast.walk(tree):
        if _is_mark(found) and found not in above:
            line = getattr(found, "lineno", 0)
            raise MarkError(f"{name}:{line}: the mark belongs directly above a test function")


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.upstream"


def collect(tests: Path) -> dict[str, set[str]]:
    """The tests by number. Raises MarkError."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(tests.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "upstream" in text:
            for number, test in marked(text, path.relative_to(tests).as_posix()):
                found[number].add(test)
    return found


def page(defects: dict[str, str], tests: dict[str, set[str]]) -> str:
    rows = []
    for number, text in defects.items():
        shown = "<br>".join(f"`{name}`" for name in sorted(tests.get(number, ())))
        rows.append(f"| {number} | {text} | {shown or '-'} |\n")
    return HEAD + "".join(rows)


def shortcomings(defects: dict[str, str], tests: dict[str, set[str]]) -> list[str]:
    unknown = sorted(set(tests) - set(defects))
    missing = [number for number in defects if number not in tests]
    return [f"{number}: no such defect in {DEFECTS.name}" for number in unknown] + [
        f"{number}: no test shows it absent" for number in missing
    ]


def main(arguments: list[str] | None = None) -> int:
    check = only_check(__doc__, arguments)
    defects: dict[str, str] = yaml.safe_load(DEFECTS.read_text(encoding="utf-8"))
    try:
        tests = collect(ROOT / "tests")
    except MarkError as error:
        print(error)
        return 1
    wrong = shortcomings(defects, tests)
    if not settled(TARGET, page(defects, tests), check=check):
        wrong.append(stale(TARGET, __file__))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    shown = sum(number in tests for number in defects)
    print(f"{shown} of {len(defects)} defects are shown absent by tests")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
