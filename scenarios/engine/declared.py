"""What a reader of a file says of each field while it reads it: its form, bounds and default.

A :class:`Survey` in place of :class:`beskar7.api.problems.Problems` hears it, so that the JSON
Schema of a file (:mod:`scenarios.fileschema`) is what the reader checks, and not written twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from beskar7.api.problems import Problems

REQUIRED: Any = object()
"""In place of a default."""

Form = Literal[
    "asked",
    "text-too",
    "mapping",
    "list",
    "text",
    "choice",
    "integer",
    "number",
    "rate",
    "duration",
    "flag",
    "scalars",
]
"""``asked``: the reader looked whether the field is there, no more. ``text-too``: it takes a text
beside what else is declared. ``scalars``: a mapping of any names to texts, numbers, booleans."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A field, or with a path that ends in ``[]`` the elements of a list.

    ``low`` and ``high`` are of the value (seconds, events per second), of a text its fewest
    characters; ``limit`` is the most characters, elements or entries, ``least`` the fewest
    elements, ``length`` the most characters of an entry.
    """

    form: Form
    default: Any = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    pattern: str | None = None
    example: str = ""
    known: tuple[str, ...] | None = None
    limit: int | None = None
    least: int = 0
    length: int | None = None

    @property
    def typed(self) -> bool:
        """Whether it says what the field holds."""
        return self.form not in ("asked", "text-too")


@dataclass(slots=True)
class Survey(Problems):
    """``declared`` is by the field's path, as problems have it, in the order of the reading."""

    declared: dict[str, list[Declared]] = field(default_factory=dict)

    def declare(self, path: str, what: Declared) -> None:
        self.declared.setdefault(path, []).append(what)
