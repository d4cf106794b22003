"""How a rehearsal went: each of its four acts, and all that was done or awaited in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PartName = Literal["cause", "symptom", "remedy", "recovery"]
Outcome = Literal["open", "done", "came", "missed", "failed", "not judged"]
PARTS: tuple[PartName, ...] = ("cause", "symptom", "remedy", "recovery")


@dataclass(slots=True)
class Step:
    """Something that was done (``within`` None) or awaited within so many seconds.

    ``at`` is when it was done, or when it came: ``runtime.now()``. ``seen`` is what there was at
    the last look, in words.
    """

    what: str
    within: float | None = None
    at: float | None = None
    outcome: Outcome = "open"
    seen: str = ""


@dataclass(slots=True)
class Part:
    """One act from its begin to its end (``runtime.now()``); ``ended`` None: it did not."""

    name: PartName
    began: float
    ended: float | None = None
    steps: list[Step] = field(default_factory=list)

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.began

    def to_json(self, origin: float) -> dict[str, Any]:
        """Times are seconds since ``origin``; ``after`` since the act's own begin."""
        return {
            "act": self.name,
            "began": round(self.began - origin, 6),
            "seconds": None if self.seconds is None else round(self.seconds, 6),
            "steps": [
                {
                    "what": step.what,
                    "within": step.within,
                    "after": None if step.at is None else round(step.at - self.began, 6),
                    "outcome": step.outcome,
                    **({"seen": step.seen} if step.seen else {}),
                }
                for step in self.steps
            ],
        }


def seconds_of(parts: list[Part], name: PartName) -> float | None:
    """How long an act took; None when it did not come to its end."""
    return next((part.seconds for part in parts if part.name == name), None)
