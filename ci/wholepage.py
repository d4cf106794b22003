"""A file of which all is written by a script."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path


def settled(target: Path, text: str, *, check: bool) -> bool:
    """Write the text, but where it is only to be checked; whether it is what the file holds."""
    if not check:
        target.write_text(text, encoding="utf-8")
    return target.exists() and target.read_text(encoding="utf-8") == text


def stale(target: Path, script: str) -> str:
    """What is said of a file that its script would write differently; ``script`` is its path."""
    return f"{target.name}: not up to date; run python ci/{Path(script).name}"


def only_check(about: str | None, arguments: Sequence[str] | None) -> bool:
    """Whether the script that is ``about`` this is asked by ``--check`` to write nothing."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--check", action="store_true")
    return bool(parser.parse_args(arguments).check)


def main(
    target: Path,
    page: Callable[[], str],
    script: str,
    about: str | None,
    arguments: Sequence[str] | None,
) -> int:
    """Write the page, or with ``--check`` say whether it is old; exit code."""
    check = only_check(about, arguments)
    if settled(target, page(), check=check):
        return 0
    print(stale(target, script))
    return 1
