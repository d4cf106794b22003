"""Series as SVG: lines with bands, points with error bars, samples as steps and bars.

Places are of a square of 1000 units that is stretched to whatever room there is. So widths of
lines are in pixels (``non-scaling-stroke``), and a point is a line without length and round ends.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from markupsafe import escape

from scenarios.engine.measures import percentile
from scenarios.pages.content import Plot, Series, interval, measured
from scenarios.pages.scales import FULL, Scale
from scenarios.pages.units import said, span

SPOTS = 60
"""Points drawn of one line; of more only the line, and a point where somebody looks."""
GHOSTS = 200
"""Points of such a line that can be looked at."""
STEPS = 400
"""Steps drawn of one line of samples: more cannot be seen."""
BINS = 24


def up(scale: Scale, value: float) -> float:
    """The place of a height: SVG counts downwards."""
    return round(FULL - scale.place(value), 2)


def spot(x: float, y: float, text: str, shape: str) -> str:
    """Something that can be pointed at: ``shape`` is its element, up to the end of its name."""
    return f'{shape} data-x="{x:g}" data-y="{y:g}"><title>{escape(text)}</title>'


def dot(x: float, y: float, text: str, css: str = "dot") -> str:
    return spot(x, y, text, f'<path class="{css}" d="M{x:g} {y:g}h0"') + "</path>"


def words(plot: Plot, series: Series, index: int, x: str, value: float | None) -> str:
    """What a point says: whose, where, how much, how sure, of how many runs."""
    unit = (plot.value or plot.y).unit
    text = f"{series.name}, {x}: {said(value, unit)}"
    more = []
    if series.low:
        more.append(span(series.low[index], series.high[index], unit) or "no interval")
    if series.counts:
        runs = series.counts[index]
        more.append(f"{runs} run{'' if runs == 1 else 's'}")
    return text + (f" ({', '.join(more)})" if more else "")


def group(index: int, series: Series, parts: Sequence[str]) -> str:
    return f'<g class="series s{index}" data-name="{escape(series.name)}">{"".join(parts)}</g>'


def over(plot: Plot, x: Scale, y: Scale) -> Iterator[str]:
    """``line``, ``step`` and ``points``: values over places."""
    for index, series in enumerate(plot.series):
        places = [
            (x.place(float(at)), number)
            for number, at in enumerate(series.xs)
            if not (x.log and float(at) <= 0)
        ]
        crowded = len(places) > SPOTS and plot.kind != "points"
        parts: list[str] = []
        if plot.kind != "points":
            for run in _runs(series, places):
                parts += _path(plot.kind, series, y, run)
        for at, number in places:
            value = series.ys[number]
            if value is None or not measured(value):
                continue
            if plot.kind == "points" and series.low:
                parts += _error(series, number, at, y)
            where = f"{plot.x.label} {said(float(series.xs[number]), plot.x.unit)}"
            if crowded and number % (1 + len(places) // GHOSTS):
                continue
            css = "dot ghost" if crowded else "dot"
            text = words(plot, series, number, where, value)
            parts.append(dot(at, up(y, value), text, css))
        yield group(index, series, parts)


def _runs(series: Series, places: list[tuple[float, int]]) -> Iterator[list[tuple[float, int]]]:
    """Places without a gap between them."""
    for known, run in groupby(places, lambda place: measured(series.ys[place[1]])):
        if known:
            yield list(run)


def _path(kind: str, series: Series, y: Scale, run: list[tuple[float, int]]) -> list[str]:
    def line(values: Sequence[float | None], places: Sequence[tuple[float, int]]) -> str:
        ends = [(at, up(y, values[number] or 0.0)) for at, number in places]
        if kind == "step":
            ends = [
                corner
                for (at, height), (then, _) in zip(ends, [*ends[1:], ends[-1]], strict=True)
                for corner in ((at, height), (then, height))
            ]
        return "L".join(f"{at:g} {height:g}" for at, height in ends)

    made = []
    sure = [p for p in run if series.low and interval(series.low[p[1]], series.high[p[1]])]
    if len(sure) > 1:
        there = line(series.high, sure)
        back = "L".join(reversed(line(series.low, sure).split("L")))
        made.append(f'<path class="band" d="M{there}L{back}Z"/>')
    made.append(f'<path class="line" d="M{line(series.ys, run)}"/>')
    return made


def _error(series: Series, number: int, at: float, y: Scale) -> list[str]:
    low, high = series.low[number], series.high[number]
    if low is None or high is None or not interval(low, high):
        return []
    return [f'<path class="error" d="M{at:g} {up(y, low):g}V{up(y, high):g}"/>']


def shares(plot: Plot, x: Scale, y: Scale) -> Iterator[str]:
    """``ecdf`` and ``distribution``: samples."""
    for index, series in enumerate(plot.series):
        samples = sorted(float(each) for each in series.xs)
        parts: list[str] = []
        if plot.kind == "distribution":
            parts += _bins(plot, samples, x, y)
        parts += _steps(plot, series.name, samples, x, y)
        yield group(index, series, parts)


def _steps(plot: Plot, name: str, samples: Sequence[float], x: Scale, y: Scale) -> list[str]:
    if not samples:
        return []
    every = max(1, len(samples) // STEPS)
    chosen = [*range(every - 1, len(samples) - 1, every), len(samples) - 1]
    path = [f"M{x.place(samples[0]):g} {up(y, 0):g}"]
    path += [
        f"H{x.place(samples[number]):g}V{up(y, (number + 1) / len(samples)):g}" for number in chosen
    ]
    parts = [f'<path class="line" d="{"".join(path)}H{FULL:g}"/>']
    for share in sorted({*(n / 20 for n in range(1, 20)), 0.01, 0.99, 1.0}):
        value = percentile(samples, share)
        text = f"{name}: {share:.0%} within {said(value, plot.x.unit)} ({len(samples)} samples)"
        parts.append(dot(x.place(value), up(y, share), text, "dot ghost"))
    return parts


def _bins(plot: Plot, samples: Sequence[float], x: Scale, y: Scale) -> list[str]:
    ends = [_value(x, number / BINS) for number in range(BINS + 1)]
    parts = []
    below = 0
    for number in range(BINS):
        last = number == BINS - 1
        upto = len(samples) if last else bisect.bisect_left(samples, ends[number + 1])
        count, below = upto - below, upto
        if not count:
            continue
        left, right = FULL * number / BINS, FULL * (number + 1) / BINS
        top = up(y, count / len(samples))
        between = span(ends[number], ends[number + 1], plot.x.unit)
        shape = f'<rect class="bin" x="{left + 1.5:g}" width="{right - left - 3:g}" '
        shape += f'y="{top:g}" height="{FULL - top:g}"'
        parts.append(
            spot((left + right) / 2, top, f"{count} of {len(samples)} from {between}", shape)
            + "</rect>"
        )
    return parts


def _value(scale: Scale, share: float) -> float:
    """The value at a share of the scale's length."""
    if scale.log:
        return scale.low * math.pow(scale.high / scale.low, share)
    return scale.low + (scale.high - scale.low) * share


DRAW: dict[str, Callable[[Plot, Scale, Scale], Iterator[str]]] = {
    "line": over,
    "step": over,
    "points": over,
    "ecdf": shares,
    "distribution": shares,
}
