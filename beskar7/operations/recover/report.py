"""What a recovery says of itself: to people line by line, to scripts as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How the command ended."""

    DONE = "done"
    NOTHING_TO_DO = "nothing to do"
    PLANNED = "planned"
    DECLINED = "declined"
    ABORTED = "aborted"
    NOT_REACHED = "not reached"


@dataclass(slots=True)
class StepReport:
    """``outcome``: planned, done, done before, not reached. ``seconds`` from its begin."""

    name: str
    plan: str
    outcome: str = "planned"
    seconds: float = 0.0
    detail: str = ""


@dataclass(slots=True)
class Report:
    """``found``: what was seen before. ``subjects``: what became of each object that was to be
    recovered, where there are such. ``left``: what is changed and was not restored. ``advice``:
    what to do next, and what to know."""

    procedure: str
    outcome: Outcome = Outcome.PLANNED
    found: list[str] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    subjects: list[dict[str, str]] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """1: something was not reached, or nobody agreed."""
        return 1 if self.outcome in (Outcome.NOT_REACHED, Outcome.DECLINED) else 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "outcome": self.outcome.value}
