"""What a run has to achieve: ``p99(time_to_provisioned)<15m``, ``rejections<1``, and the like."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

from beskar7.api.durations import format_duration, parse_duration
from beskar7.api.problems import closest
from scenarios.engine.measure_names import STATISTICS, Unit

Comparison = Literal["<", "<=", ">", ">="]
COMPARISONS: tuple[Comparison, ...] = ("<", "<=", ">", ">=")

TIMES = {
    "time_to_claim": "total_claim_seconds",
    "time_to_provisioned": "total_ready_seconds",
    "time_to_boot": "provision_seconds",
    "time_in_queue": "queue_seconds",
    "time_to_release": "release_seconds",
}
"""What is a time of each machine -> the measure's name before its statistic."""
NUMBERS: dict[str, tuple[str, Unit]] = {
    "unserved": ("unserved", "count"),
    "waiting": ("waiting", "count"),
    "rejections": ("rejections", "count"),
    "conflicts": ("conflicts", "count"),
    "conflict_ratio": ("conflict_ratio", "ratio"),
    "utilisation": ("utilisation", "ratio"),
    "max(queue)": ("queue_max", "count"),
}
"""What is one number of a run -> the measure's name, and its unit."""
EXAMPLE = "p99(time_to_provisioned)<15m"
MAX_LENGTH = 200
"""Characters of one objective."""
_FORM = re.compile(r"\s*([a-z0-9_]+)\s*(?:(\()\s*([a-z_]*)\s*(\)?)\s*)?(<=|>=|<|>|)\s*(.*?)\s*")
_PERCENT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*%")


class ObjectiveError(Exception):
    """An objective cannot be read: ``message`` says what would be right at position ``at``."""

    def __init__(self, text: str, at: int, message: str) -> None:
        super().__init__(f"{text}\n{' ' * at}^\n{message}")
        self.text = text
        self.at = at
        self.message = message

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.message} (at character {self.at + 1})"


@dataclass(frozen=True, slots=True)
class Objective:
    """``name``: as it was written, up to the comparison. ``metric``: the measure of a run.

    ``bound`` in ``unit``. A run that has no such measure does not keep it.
    """

    name: str
    metric: str
    comparison: Comparison
    bound: float
    unit: Unit

    @property
    def upward(self) -> bool:
        """Whether more is better."""
        return self.comparison in (">", ">=")

    def holds(self, value: float | None) -> bool:
        if value is None or math.isnan(value):
            return False
        match self.comparison:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
        return value >= self.bound

    def margin(self, value: float) -> float:
        """What is left up to the bound, in the unit; below 0 where it is missed."""
        return value - self.bound if self.upward else self.bound - value

    def scaled(self, factor: float) -> Objective:
        """With so many times the bound."""
        return replace(self, bound=self.bound * factor)

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{_written(self.bound, self.unit)}"


def parse_objective(text: str) -> Objective:
    """Read one. Raises :class:`ObjectiveError`."""
    if len(text) > MAX_LENGTH:
        said = f"an objective of {len(text)} characters; the limit is {MAX_LENGTH}"
        raise ObjectiveError(text[:40], 0, said)
    found = _FORM.fullmatch(text)
    if found is None:
        _wrong(text, 0, f"begin with a measure, as in {EXAMPLE}")
    word, opening, inner, closing, sign, bound = found.groups()
    if opening and not closing:
        _wrong(text, found.start(4), 'a ")" is missing')
    name, metric, unit = _measure(text, found, word, inner if opening else None)
    comparison = next((each for each in COMPARISONS if each == sign), None)
    if comparison is None:
        _wrong(text, found.start(6), f"a comparison is missing: < and a bound, as in {EXAMPLE}")
    return Objective(name, metric, comparison, _bound(text, found.start(6), bound, unit), unit)


def _measure(
    text: str, found: re.Match[str], word: str, inner: str | None
) -> tuple[str, str, Unit]:
    known = [*TIMES, *NUMBERS]
    at = found.start(1)
    if inner in TIMES:
        if word in STATISTICS:
            return f"{word}({inner})", f"{TIMES[inner]}.{word}", "seconds"
        message = f'no statistic "{word}"; {closest(word, STATISTICS)}'
    elif inner is None and word in NUMBERS:
        return word, *NUMBERS[word]
    elif inner is None and word in TIMES:
        message = f"of which machine? Write p99({word})"
    elif "queue" in (inner, word):
        if (word, inner) == ("max", "queue"):
            return "max(queue)", *NUMBERS["max(queue)"]
        message = "its length is known by its maximum: write max(queue)"
    elif inner in NUMBERS:
        message = f"a run has one number of it: write {inner} alone"
    else:
        at = at if inner is None else found.start(3)
        name = word if inner is None else inner
        message = f'no measure "{name}"; {closest(name, known)}'
    raise ObjectiveError(text, at, message)


def _bound(text: str, at: int, bound: str, unit: Unit) -> float:
    if not bound:
        _wrong(text, at, f"a bound is missing, as in {EXAMPLE}")
    if unit == "seconds":
        try:
            seconds = parse_duration(bound)
        except ValueError as error:
            _wrong(text, at, str(error))
        if not math.isfinite(seconds):
            _wrong(text, at, "is too large")
        return seconds
    if unit == "ratio" and (share := _PERCENT.fullmatch(bound)):
        return float(share[1]) / 100.0
    example = "5% or 0.05" if unit == "ratio" else "10"
    try:
        number = float(bound)
    except ValueError:
        _wrong(text, at, f"{bound!r} is not a number; write for example {example}")
    if not math.isfinite(number) or number < 0:
        _wrong(text, at, f"{bound!r} cannot be reached; write for example {example}")
    return number


def _written(bound: float, unit: Unit) -> str:
    """Such that it is read again as the same number."""
    if unit == "seconds":
        short = format_duration(bound)
        return short if parse_duration(short) == bound else f"{bound:.17f}".rstrip("0") + "s"
    return repr(bound).removesuffix(".0")


def _wrong(text: str, at: int, message: str) -> NoReturn:
    raise ObjectiveError(text, at, message)


def values_of(
    objectives: tuple[Objective, ...], metrics: Mapping[str, float | None]
) -> tuple[float, ...]:
    """What a run says of each objective. NaN: nothing.

    Where machines were left unserved, their times are not over: what counts all machines' times
    is infinite then, however well the others did.
    """
    unserved = bool(metrics.get("unserved"))
    found = []
    for objective in objectives:
        value = metrics.get(objective.metric)
        if unserved and objective.metric.startswith("total_"):
            value = math.inf
        found.append(math.nan if value is None else value)
    return tuple(found)


MOST = 20
"""Objectives of one scenario."""
SERVED = Objective("unserved", "unserved", "<", 1.0, "count")
"""Part of every plan that says nothing else of it: no machine is left without its host."""


def with_served(objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
    """These, and :data:`SERVED` unless they name their own."""
    if any(objective.metric == SERVED.metric for objective in objectives):
        return objectives
    return (*objectives, SERVED)
