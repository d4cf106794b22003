"""Thresholds in a file, and whether a test's findings keep them.

time-to-claim.p95: {max: 5}          # seconds
time-to-provisioned.count: {min: 50}
conflict-ratio: {max: 0.3}
outcomes.late: {max: 0}
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 64 << 10
STATISTICS = ("count", "failed", "mean", "p50", "p95", "p99", "max")
RATIO = "conflict-ratio"
"""Conflicts by all attempts to claim a host, as the managers count them."""
OUTCOMES = "outcomes."


class ThresholdError(Exception):
    """What is wrong with the file, and where; meant for the person who named it."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """``low`` and ``high`` include themselves."""

    name: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def of_speed(self) -> bool:
        """Whether a harness that was itself too slow would spoil it."""
        return self.name.partition(".")[2] in ("mean", "p50", "p95", "p99", "max")

    @property
    def bound(self) -> str:
        parts = [f">= {self.low:g}"] if self.low > -math.inf else []
        return " and ".join(parts + ([f"<= {self.high:g}"] if self.high < math.inf else []))


@dataclass(frozen=True, slots=True)
class Judged:
    """``outcome``: passed, failed, or ``not judged`` where the harness was the bottleneck."""

    threshold: Threshold
    value: float | None
    outcome: str

    def to_json(self) -> dict[str, Any]:
        return {
            "measure": self.threshold.name,
            "bound": self.threshold.bound,
            "value": self.value,
            "outcome": self.outcome,
        }


def load(path: Path) -> list[Threshold]:
    """Read a file. Raises ThresholdError."""
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ThresholdError(f"{path}: {error.strerror}") from None
    if len(text) > MAX_BYTES:
        raise ThresholdError(f"{path}: larger than {MAX_BYTES} bytes")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ThresholdError(
            f"{path}:{f' line {mark.line + 1}:' if mark else ''} not YAML"
        ) from None
    try:
        return parse(document)
    except ThresholdError as error:
        raise ThresholdError(f"{path}: {error}") from None


def parse(document: Any) -> list[Threshold]:
    """The thresholds of a document. Raises ThresholdError."""
    if not isinstance(document, dict) or not document:
        raise ThresholdError(
            "not thresholds: write a measure and its bounds, as in time-to-claim.p95: {max: 5}"
        )
    return [_threshold(str(name), bounds) for name, bounds in document.items()]


def _threshold(name: str, bounds: Any) -> Threshold:
    measure, _, statistic = name.rpartition(".")
    if (
        name != RATIO
        and not name.startswith(OUTCOMES)
        and (not measure or statistic not in STATISTICS)
    ):
        known = ", ".join(STATISTICS)
        raise ThresholdError(
            f"{name}: is not a measure and a statistic ({known}), {RATIO} or {OUTCOMES}NAME"
        )
    if not isinstance(bounds, dict) or not bounds or set(bounds) - {"min", "max"}:
        raise ThresholdError(f"{name}: give min, max or both, as in {{max: 5}}")
    limits = {}
    for side, value in bounds.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
            raise ThresholdError(f"{name}.{side}: {value!r} is not a number")
        limits[side] = float(value)
    return Threshold(name, limits.get("min", -math.inf), limits.get("max", math.inf))


def judge(
    thresholds: Iterable[Threshold], found: Mapping[str, Any], *, saturated: bool
) -> list[Judged]:
    """Hold the findings (:func:`loadtest.report.summary`) against each. What is not there fails."""
    judged = []
    for threshold in thresholds:
        value = _value(threshold.name, found)
        held = value is not None and threshold.low <= value <= threshold.high
        outcome = "passed" if held else "failed"
        if saturated and threshold.of_speed:
            outcome = "not judged"
        judged.append(Judged(threshold, value, outcome))
    return judged


def _value(name: str, found: Mapping[str, Any]) -> float | None:
    if name == RATIO:
        attempts = found["claim_attempts"] or {}
        total = sum(attempts.values())
        return attempts.get("conflict", 0) / total if total else None
    if name.startswith(OUTCOMES):
        return float(found["outcomes"].get(name.removeprefix(OUTCOMES), 0))
    measure, _, statistic = name.rpartition(".")
    value = found["measures"].get(measure, {}).get(statistic)
    if value is None and statistic in ("count", "failed"):
        return 0.0
    return None if value is None else float(value)
