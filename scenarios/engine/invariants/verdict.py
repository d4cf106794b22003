"""What an invariant's judge gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from beskar7.api.states import LEGAL_EDGES

MAX_VIOLATIONS = 50
"""Violations kept of one invariant; the first ones tell the story."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach. ``time`` is ``runtime.now()``; the rest are sequence numbers of the evidence."""

    invariant: str
    host: str
    machine: str
    time: float
    detail: str
    writes: tuple[int, ...] = ()
    requests: tuple[int, ...] = ()
    events: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """``cases`` is how many situations were looked at: held over none of them says little.

    ``doubt`` says why no verdict is possible, whatever was found.
    """

    violations: list[Violation] = field(default_factory=list)
    cases: int = 0
    doubt: str = ""


@dataclass(frozen=True, slots=True)
class InvariantResult:
    name: str
    verdict: Literal["held", "violated", "inconclusive"]
    cases: int
    reason: str = ""
    violations: tuple[Violation, ...] = ()

    @property
    def idle(self) -> bool:
        """Held, and nothing ever came up that it could have judged."""
        return self.verdict == "held" and not (self.cases or self.reason)

    def to_json(self) -> dict[str, Any]:
        return {
            "verdict": self.verdict,
            "cases": self.cases,
            "violations": len(self.violations),
            **({"reason": self.reason} if self.reason else {}),
        }


@dataclass(frozen=True, slots=True)
class Rules:
    """What the judges have to know besides the logs.

    ``cooldowns``: seconds owed to the BMC of each host. ``leader_election``: whether the managers
    elect a leader, so that all others have to keep still.
    """

    cooldowns: Mapping[str, float] = field(default_factory=dict)
    legal_edges: frozenset[tuple[str, str]] = LEGAL_EDGES
    leader_election: bool = True
