"""From the figures of several seeds to a verdict on a claim."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from scipy.stats import t

from guidetrial.model import Claim, Operator, Part, Verdict

CONFIDENCE = 0.95
COMPARE: dict[Operator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
Outcome = Literal["holds", "fails", "undecided"]


class Figures(Protocol):
    """Where figures are."""

    def of(self, name: str) -> list[float]:
        """One number a seed, by seed. Raises LookupError."""
        ...


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and half the width of its confidence interval (0 for a single number)."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half


@dataclass(frozen=True, slots=True)
class Judged:
    """``seeds``: how many numbers the left figure rests on."""

    part: Part
    outcome: Outcome
    left: Estimate
    right: Estimate
    seeds: int


def estimate(numbers: Sequence[float]) -> Estimate:
    """Student's interval of the mean."""
    count = len(numbers)
    mean = math.fsum(numbers) / count
    if count < 2:
        return Estimate(mean, 0.0)
    spread = math.sqrt(math.fsum((x - mean) ** 2 for x in numbers) / (count - 1))
    if spread < 1e-12:
        return Estimate(mean, 0.0)
    return Estimate(mean, float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * spread / math.sqrt(count))


def judge_part(part: Part, figures: Figures) -> Judged:
    """Two figures of the same seeds are compared seed by seed, on the same luck.

    Undecided: the confidence interval lies on both sides.
    """
    left = figures.of(part.left)
    if isinstance(part.right, str):
        right = figures.of(part.right)
        if len(right) == 1:
            right = right * len(left)
        gaps = [a - part.factor * b for a, b in zip(left, right, strict=True)]
        shown = estimate([part.factor * b for b in right])
    else:
        gaps = [a - part.factor * part.right for a in left]
        shown = Estimate(part.factor * part.right, 0.0)
    gap = estimate(gaps)
    ends = {COMPARE[part.op](round(end, 9), 0.0) for end in (gap.low, gap.high)}
    if part.op == "==":
        ends = {COMPARE["=="](round(each, 9), 0.0) for each in gaps}
    outcome: Outcome = "undecided"
    if len(ends) == 1:
        outcome = "holds" if ends.pop() else "fails"
    return Judged(part, outcome, estimate(left), shown, len(left))


def judge(claim: Claim, figures: Figures) -> tuple[Verdict, list[Judged]]:
    """Confirmed: every part holds. Refuted: none does. Conditional: some do, or it is open."""
    if not claim.parts:
        return "cannot be tested here", []
    judged = [judge_part(part, figures) for part in claim.parts]
    outcomes = {each.outcome for each in judged}
    if outcomes == {"holds"}:
        return "confirmed", judged
    return ("refuted" if outcomes == {"fails"} else "conditional"), judged
