"""Writes the table of doctor's findings in docs/operations.md, or says that it is old.

Usage: python ci/findings_table.py [--check]
"""

from __future__ import annotations

import sys

from markedpage import main

from beskar7.operations.doctor.diagnosis import catalogue

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


if __name__ == "__main__":
    sys.exit(main("operations.md", BEGIN, END, table))
