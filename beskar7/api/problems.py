"""What is wrong with a file that a user wrote, and where: the only errors that it can cause."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_SHOWN = 20
"""Problems printed for one file; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Where:
    """The place of a value: a file with a line (from 1), or the ``--set`` that gave it (line 0)."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True, slots=True)
class Problem:
    """``path`` is the dotted field, empty for the document; ``message`` also says what is right."""

    where: Where
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.where}: {self.path}" if self.path else str(self.where)
        return f"{place}: {self.message}"


class DocumentError(Exception):
    """The document cannot be used as it was given. ``problems`` holds every mistake found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        shown = [str(problem) for problem in problems[:MAX_SHOWN]]
        if len(problems) > MAX_SHOWN:
            shown.append(f"... and {len(problems) - MAX_SHOWN} more")
        super().__init__("\n".join(shown))


def closest(word: str, known: Iterable[str]) -> str:
    """``did you mean "x"?`` when a known name is near, otherwise the list of known names."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{near[0]}"?'
    return "known: " + ", ".join(names) if names else "nothing is known here"


@dataclass(slots=True)
class Problems:
    """Collects mistakes, so that a reader sees all of them at once."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: Where, path: str, message: str) -> None:
        self.found.append(Problem(where, path, message))

    def in_order(self) -> list[Problem]:
        """What was found, in the file's order; what stands in no line comes last."""
        return sorted(self.found, key=lambda p: (p.where.line == 0, p.where.line))

    def raise_if_any(self) -> None:
        """Raises :class:`DocumentError` with everything that was found."""
        if self.found:
            raise DocumentError(self.in_order())
