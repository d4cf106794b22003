"""Writes the table of doctor's findings in docs/operations.md, or says that it is old.

Usage: python ci/findings_table.py [--check]
"""

from __future__ import annotations

import sys
from pathlib import Path

from beskar7.operations.doctor.diagnosis import catalogue

PAGE = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN, END = "<!-- table: ci/findings_table.py -->\n", "<!-- end of table -->\n"


def table() -> str:
    """A row for each kind of finding, in the order of the sections."""
    rows = "".join(
        f"| `{name}` | {kind.severity.word} | {kind.meaning} | {_action(kind.action)} |\n"
        for name, kind in catalogue().items()
    )
    return f"| finding | severity | meaning | what to do |\n|---|---|---|---|\n{rows}"


def _action(text: str) -> str:
    """As doctor says it, with NAMESPACE where it names the controller's."""
    return text.format(namespace="NAMESPACE").replace("|", "\\|")


def page(old: str) -> str:
    """The page with a new table."""
    before, rest = old.split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


def main() -> int:
    old = PAGE.read_text("utf-8")
    new = page(old)
    if "--check" in sys.argv[1:]:
        if new != old:
            print(f"{PAGE}: the table is old; run python ci/findings_table.py", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(new, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
