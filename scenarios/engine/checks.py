"""A scenario's thresholds against what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from beskar7.api.durations import format_duration
from scenarios.engine.measure_names import MEASURES
from scenarios.engine.schema import Check

BUSY = 0.9
"""Share of a core above which a process of the harness counts as the bottleneck."""
SUSTAINED = 2
"""So many saturation samples (about a second each) in a row make it more than a burst."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """``value`` None: there was nothing to measure."""

    check: Check
    outcome: Literal["passed", "failed", "not judged"]
    value: float | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        bound, limit = bound_of(self.check)
        return {
            "measure": self.check.measure,
            "unit": self.check.unit,
            bound: limit,
            "value": self.value,
            "outcome": self.outcome,
            **({"reason": self.reason} if self.reason else {}),
        }


def bound_of(check: Check) -> tuple[str, float]:
    """Which bound a check has, by its name in scenario files, and the bound itself."""
    if check.maximum is not None:
        return "max", check.maximum
    if check.minimum is not None:
        return "min", check.minimum
    return "equals", check.equals or 0.0


def format_value(value: float | None, unit: str) -> str:
    """For people: seconds as a duration, a ratio as a percentage."""
    if value is None:
        return "-"
    if unit == "seconds":
        return format_duration(round(value, 3 if value < 10 else 1))
    if unit == "ratio":
        return f"{value * 100:.3g} %"
    return f"{value:.6g}"


def saturated(samples: Mapping[str, Sequence[float]]) -> str:
    """Which process of the harness was the bottleneck, in words; empty for none."""
    said = []
    for process, shares in sorted(samples.items()):
        run = longest = 0
        for share in shares:
            run = run + 1 if share >= BUSY else 0
            longest = max(longest, run)
        if longest >= SUSTAINED:
            limit = f"its limit ({BUSY:.0%} busy, or late)"
            said.append(f"{process} was at {limit} for {longest} samples in a row")
    return "; ".join(said)


def judge_checks(
    checks: Sequence[Check],
    metrics: Mapping[str, float | None],
    bottleneck: str = "",
    unfinished: str = "",
) -> list[CheckResult]:
    """``bottleneck`` (see :func:`saturated`) takes the verdict from every check on speed.

    ``unfinished``, in words, takes it from all: a run that was broken off has measured nothing.
    """
    return [_judge(c, metrics.get(c.measure), bottleneck, unfinished) for c in checks]


def _judge(check: Check, value: float | None, bottleneck: str, unfinished: str) -> CheckResult:
    if unfinished:
        return CheckResult(check, "not judged", value, unfinished)
    if bottleneck and MEASURES[check.measure].speed:
        reason = f"the harness was the bottleneck: {bottleneck}"
        return CheckResult(check, "not judged", value, reason)
    if value is None:
        return CheckResult(check, "failed", None, "there was nothing to measure")
    bound, limit = bound_of(check)
    held = {"max": value <= limit, "min": value >= limit, "equals": value == limit}[bound]
    return CheckResult(check, "passed" if held else "failed", value)
