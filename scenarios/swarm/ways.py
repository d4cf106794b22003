"""In which way a run failed: what was violated, or how it ended."""

from __future__ import annotations

from typing import Literal

from scenarios.engine.result import Result

FailureKind = Literal["safety", "liveness", "harness"]
"""``safety``: something happened that never may. ``liveness``: something that has to happen did
not, though faults had stopped. ``harness``: no verdict, as the run itself broke or was unclear."""

LIVENESS = frozenset(
    {
        *("terminal", "no-orphans", "timeout", "not-enrolled"),
        *("claimed-promptly", "never-idle", "reference"),
    }
)
HARNESS = ("crash", "hung", "failed", "interrupted", "inconclusive", "check")
"""First words of ways that say nothing about the controller's promises."""


def ways_of(result: Result) -> list[str]:
    """All ways in which it failed, the worst first; empty where it held.

    By name: a violated invariant's own, ``timeout`` or another ending, ``inconclusive X``,
    ``check X``. ``reference`` is not found here: it takes a second run.
    """
    if result.passed:
        return []
    broken = list(dict.fromkeys(violation.invariant for violation in result.violations))
    found = [name for name in broken if name not in LIVENESS]
    ending = result.evidence.ending
    if ending != "settled":
        found.append(ending.replace(" ", "-"))
    found += [name for name in broken if name in LIVENESS]
    found += [
        f"inconclusive {item.name}" for item in result.invariants if item.verdict == "inconclusive"
    ]
    found += [f"check {item.check.measure}" for item in result.checks if item.outcome == "failed"]
    return found


def kind_of(way: str) -> FailureKind:
    if way in LIVENESS:
        return "liveness"
    return "harness" if way.split(maxsplit=1)[0].rstrip(":") in HARNESS else "safety"
