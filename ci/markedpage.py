"""A page of docs/ of which the part between two marks is written by a script."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def main(name: str, begin: str, end: str, written: Callable[[], str]) -> int:
    """Write the part of the page ``name``, or with ``--check`` say whether it is old; exit code.

    ``begin`` and ``end`` are the marks, each a line; the script is the one that runs.
    """
    page = DOCS / name
    old = page.read_text("utf-8")
    before, rest = old.split(begin)
    new = f"{before}{begin}\n{written()}\n{end}{rest.split(end)[1]}"
    if "--check" not in sys.argv[1:]:
        page.write_text(new, "utf-8")
    elif new != old:
        script = Path(sys.argv[0]).name
        print(f"{page}: it is old; run python ci/{script}", file=sys.stderr)
        return 1
    return 0
