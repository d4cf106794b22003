"""What a page says, as plain data. :mod:`page` makes one file of it, :mod:`export` a picture.

Units are those of :mod:`scenarios.engine.measure_names`; what they look like is told by
:mod:`units`. A value that is None or NaN was not measured, and is shown as a dash or a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self

from scenarios.engine.measure_names import Unit

Kind = Literal["line", "step", "points", "bars", "ecdf", "distribution", "heat"]
Tone = Literal["good", "bad", "warn", "plain"]


class Estimated(Protocol):
    """As :class:`scenarios.models.estimates.Estimate`: a mean, its interval, and of how many."""

    @property
    def mean(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def count(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Axis:
    """``low`` and ``high`` widen the range beyond what the values need.

    A linear range of values begins at 0 unless ``low`` says otherwise, so that heights compare.
    """

    label: str
    unit: Unit = "number"
    scale: Literal["linear", "log"] = "linear"
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Values over places, with intervals if ``low`` and ``high`` are given.

    ``xs`` are numbers, or names (``bars`` and the columns of ``heat``). For ``ecdf`` and
    ``distribution`` they are the samples, and there is nothing else. ``counts``: how many runs
    are behind each value. Raises ValueError when the lengths differ.
    """

    name: str
    xs: Sequence[float | str]
    ys: Sequence[float | None] = ()
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()
    counts: Sequence[int] = ()

    def __post_init__(self) -> None:
        lengths = {len(part) for part in (self.ys, self.low, self.high, self.counts) if part}
        if lengths - {len(self.xs)} or bool(self.low) != bool(self.high):
            raise ValueError(f"series {self.name!r}: as many ys, lows, highs and counts as xs")

    @classmethod
    def of(cls, name: str, xs: Sequence[float | str], estimates: Sequence[Estimated]) -> Self:
        """A series of means with their intervals."""
        return cls(
            name,
            xs,
            [each.mean for each in estimates],
            [each.low for each in estimates],
            [each.high for each in estimates],
            [each.count for each in estimates],
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across the plot at a value of ``axis`` (an objective, a kill), with a word on it."""

    at: float
    text: str
    axis: Literal["x", "y"] = "y"
    tone: Tone = "bad"


@dataclass(frozen=True, slots=True)
class Plot:
    """``x`` and ``y`` as the kinds read them.

    - ``line``, ``step``, ``points``: values ``y`` over ``x``; at most eight series.
    - ``bars``: groups of bars, a group for each name in ``xs``; ``y`` measures their lengths.
    - ``ecdf``: the share of samples within ``x``; ``y`` is made by the plot.
    - ``distribution``: the same of one series, over the shares of equal spans.
    - ``heat``: a row for each series, a column for each of ``xs``; ``value`` measures the cells.

    ``marks`` do not go with ``heat``. Raises ValueError for what a kind cannot show.
    """

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    kind: Kind = "line"
    value: Axis | None = None
    marks: Sequence[Mark] = ()
    note: str = ""

    def __post_init__(self) -> None:
        if (self.kind == "heat") != (self.value is not None):
            raise ValueError(f"plot {self.title!r}: a value axis is for heat, and heat needs one")
        if self.kind == "distribution" and len(self.series) != 1:
            raise ValueError(f"plot {self.title!r}: a distribution is of one series")
        if self.kind != "heat" and len(self.series) > SERIES:
            raise ValueError(f"plot {self.title!r}: more than {SERIES} series cannot be told apart")
        if self.kind == "heat" and len({tuple(each.xs) for each in self.series}) > 1:
            raise ValueError(f"plot {self.title!r}: each row of heat has the same columns")


SERIES = 8
"""As many colours as can be told apart, also by those who see fewer (:mod:`palette`)."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number in a table's cell, with its interval if it has one."""

    value: float | None
    unit: Unit = "number"
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, estimate: Estimated, unit: Unit = "number") -> Self:
        return cls(estimate.mean, unit, estimate.low, estimate.high)


Cell = str | int | float | Value | None


@dataclass(frozen=True, slots=True)
class Table:
    """Columns are sorted by a press on their head. Raises ValueError for a row of other length."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.head):
                raise ValueError(f"table {self.title!r}: {len(self.head)} cells, not {len(row)}")


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that is worth a tile: with its interval, its seeds, and the way to get it again.

    No interval (``low`` and ``high`` None) needs a ``note`` that says why: ``exact``, ``one run``.
    Raises ValueError without either.
    """

    label: str
    value: float | None
    seed: str
    command: str
    unit: Unit = "number"
    low: float | None = None
    high: float | None = None
    note: str = ""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if not (self.note or interval(self.low, self.high)):
            raise ValueError(f"figure {self.label!r}: give its interval, or say why there is none")

    @classmethod
    def of(
        cls, label: str, estimate: Estimated, seed: str, command: str, unit: Unit = "number"
    ) -> Self:
        note = "" if interval(estimate.low, estimate.high) else "one run: its error is not known"
        mean, low, high = estimate.mean, estimate.low, estimate.high
        return cls(label, mean, seed, command, unit, low, high, note)


@dataclass(frozen=True, slots=True)
class Code:
    """Text to copy: a ConfigMap, flags, a command."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """``text``: paragraphs between empty lines; what stands between backticks is code."""

    title: str
    text: str = ""
    plots: Sequence[Plot] = ()
    tables: Sequence[Table] = ()
    figures: Sequence[Figure] = ()
    codes: Sequence[Code] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A word or two, and whether they are good news."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Page:
    """``title`` is the kind of page (``Plan``), ``made`` when and on what, in words.

    ``question``, ``answer``, ``verdict`` and ``figures`` make the first screen; four figures fit
    on a phone's. ``links`` lead to files beside the page.
    """

    title: str
    question: str
    answer: str
    verdict: Verdict
    seed: str
    command: str
    sections: Sequence[Section] = ()
    figures: Sequence[Figure] = ()
    made: str = ""
    links: Sequence[tuple[str, Path]] = ()


def measured(value: float | None) -> bool:
    """Whether there is a finite value."""
    return value is not None and math.isfinite(value)


def interval(low: float | None, high: float | None) -> bool:
    """Whether there is an interval; that of a single run is infinite, and none."""
    return measured(low) and measured(high)
