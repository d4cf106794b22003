"""The four acts for people: a table for the terminal, a time line for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from beskar7.api.durations import format_duration
from scenarios.engine.rehearsal.record import Part, Step

STYLES = {
    "done": "green",
    "came": "green",
    "missed": "bold red",
    "failed": "bold red",
    "not judged": "yellow",
    "open": "yellow",
}
LEAST = 1.5
"""Per cent of the line that an act gets at least, so that a short one can be seen."""


def rounded(seconds: float) -> str:
    """For people: tenths of a second below a minute."""
    return format_duration(round(seconds, 1 if seconds < 60 else 0))


def acts_table(parts: Sequence[Part]) -> Table:
    """Act, what was done or awaited, within which time, after which it came, and how it went."""
    table = Table("act", "what", "within", "after", "outcome", box=None, header_style="bold")
    for part in parts:
        for number, step in enumerate(part.steps):
            table.add_row(
                part.name if number == 0 else "",
                Text(step.what),
                "" if step.within is None else format_duration(step.within),
                "-" if step.at is None else rounded(step.at - part.began),
                Text(_said(step), style=STYLES[step.outcome]),
            )
    return table


def _said(step: Step) -> str:
    """The outcome, with what was seen where it did not come as awaited."""
    told = step.outcome in ("missed", "failed", "not judged") and step.seen
    return f"{step.outcome}: {step.seen}" if told else step.outcome


@dataclass(frozen=True, slots=True)
class Mark:
    """A step on the line, at ``x`` per cent."""

    x: float
    css: str
    title: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """An act on the line from ``x`` on, ``width`` wide, both in per cent."""

    part: Part
    x: float
    width: float
    marks: tuple[Mark, ...]
    after: Sequence[str]
    """For each step, when it came."""


def stretches(parts: Sequence[Part], ended: float) -> list[Stretch]:
    """The acts side by side, in proportion to their times as far as a short one allows."""
    if not parts:
        return []
    spans = [(part.ended if part.ended is not None else ended) - part.began for part in parts]
    whole = sum(spans) or 1.0
    shares = [max(100.0 * span / whole, LEAST) for span in spans]
    scale = 100.0 / sum(shares)
    found: list[Stretch] = []
    x = 0.0
    for part, span, share in zip(parts, spans, shares, strict=True):
        width = share * scale
        marks = tuple(
            Mark(
                round(x + width * min(1.0, (step.at - part.began) / (span or 1.0)), 3),
                step.outcome.replace(" ", "-"),
                f"{step.what}, after {rounded(step.at - part.began)}",
            )
            for step in part.steps
            if step.at is not None
        )
        after = ["-" if step.at is None else rounded(step.at - part.began) for step in part.steps]
        found.append(Stretch(part, round(x, 3), round(width, 3), marks, after))
        x += width
    return found
