"""Small SVG charts: a latency distribution, and counts over time. Text is escaped by Markup."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from beskar7.api.durations import format_duration
from scenarios.engine.measures import percentile

WIDTH, HEIGHT = 640, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 44, 26, 34
BINS = 24
FAR = 3.0
"""A bound beyond so many times the largest sample is not drawn to scale."""


def nice_ticks(high: float, count: int = 5) -> list[float]:
    """Round numbers from 0 to at least ``high``; steps are 1, 2 or 5 times a power of ten."""
    if high <= 0 or not math.isfinite(high):
        return [0.0, 1.0]
    rough = high / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


class _Plane:
    """The coordinates of a chart: ``x`` and ``y`` from 0 to their maxima."""

    def __init__(self, x_max: float, y_max: float) -> None:
        self.x_max, self.y_max = x_max or 1.0, y_max or 1.0

    def x(self, value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(value / self.x_max, 1.0), 2)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value / self.y_max, 1.0), 2)


def _open(label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}" preserveAspectRatio="xMidYMid meet">'
    )


def _axes(plane: _Plane, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> list[str]:
    parts = []
    for tick in y_ticks:
        y = plane.y(tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="tick" x="{LEFT - 7}" y="{y + 4}" text-anchor="end">{tick:g}</text>'
        )
    for tick in x_ticks:
        label = format_duration(round(tick, 6))
        parts.append(
            f'<text class="tick" x="{plane.x(tick)}" y="{HEIGHT - BOTTOM + 18}" '
            f'text-anchor="middle">{label}</text>'
        )
    base = HEIGHT - BOTTOM
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{base}" y2="{base}"/>')
    return parts


def distribution(samples: Sequence[float], label: str, limit: float | None = None) -> Markup:
    """Histogram (bars, left axis) and ECDF (line, right axis) of seconds; ``limit`` is a bound."""
    if not samples:
        return Markup("")
    highest = max(*samples, 1e-6)
    # A bound far off would squeeze the samples against the axis; it is then only named.
    near = limit is not None and limit <= FAR * highest
    x_ticks = nice_ticks(max(highest, limit if near and limit else 0.0))
    high = x_ticks[-1]
    counts = [0] * BINS
    for sample in samples:
        counts[min(BINS - 1, int(sample / high * BINS))] += 1
    y_ticks = [tick for tick in nice_ticks(max(counts), 4) if tick == int(tick)]
    plane, shares = _Plane(high, y_ticks[-1]), _Plane(high, 1.0)
    parts = [_open(label), *_axes(plane, x_ticks, y_ticks)]
    for index, count in enumerate(counts):
        if not count:
            continue
        left, right = plane.x(high * index / BINS), plane.x(high * (index + 1) / BINS)
        top = plane.y(count)
        span = f"{format_duration(round(high * index / BINS, 4))} to "
        span += format_duration(round(high * (index + 1) / BINS, 4))
        parts.append(
            f'<rect class="bar" x="{left + 1:.2f}" y="{top}" width="{right - left - 2:.2f}" '
            f'height="{HEIGHT - BOTTOM - top:.2f}" rx="1.5">'
            f"<title>{count} from {span}</title></rect>"
        )
    parts.append(_ecdf(sorted(samples), shares))
    for share in (0.0, 0.5, 1.0):
        parts.append(
            f'<text class="tick ecdf-tick" x="{WIDTH - RIGHT + 7}" y="{shares.y(share) + 4}">'
            f"{share * 100:.0f}%</text>"
        )
    parts += _marks(samples, plane, limit if near else None)
    if limit is not None and not near:
        parts.append(
            f'<text class="limit-name" x="{WIDTH - RIGHT}" y="{TOP - 5}" text-anchor="end">'
            f"limit {format_duration(limit)} \u2192</text>"
        )
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - numbers, and a label escaped above


def _ecdf(ordered: Sequence[float], plane: _Plane) -> str:
    path = [f"M{plane.x(0)} {plane.y(0)}"]
    for index, sample in enumerate(ordered):
        path.append(f"H{plane.x(sample)}V{plane.y((index + 1) / len(ordered))}")
    return f'<path class="ecdf" d="{"".join(path)}H{plane.x(plane.x_max)}"/>'


def _marks(samples: Sequence[float], plane: _Plane, limit: float | None) -> list[str]:
    """P50, P95 and the bound, as upright lines with a name on top."""
    named = [("P50", percentile(samples, 0.5), "mark"), ("P95", percentile(samples, 0.95), "mark")]
    if limit is not None:
        named.append(("limit", limit, "limit"))
    parts, taken = [], -100.0
    for name, value, css in sorted(named, key=lambda item: item[1]):
        x = plane.x(value)
        parts.append(f'<line class="{css}" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        # A name that would be written over its neighbour goes a line higher.
        y = TOP - 5 if x - taken > 34 else TOP - 15
        taken = x
        said = f"{name} {format_duration(round(value, 4))}"
        parts.append(
            f'<text class="{css}-name" x="{x}" y="{y}" text-anchor="middle">{name}'
            f"<title>{said}</title></text>"
        )
    return parts


Series = tuple[str, str, Sequence[float]]
"""Name, CSS class, and the moments (seconds) at which the count rises by one."""


def cumulative(series: Sequence[Series], end: float, marks: Sequence[tuple[float, str]]) -> Markup:
    """How often each thing had happened by each second; ``marks`` are incidents."""
    total = max([1, *(len(times) for _, _, times in series)])
    x_ticks, y_ticks = nice_ticks(max(end, 1e-6), 8), nice_ticks(float(total), 4)
    plane = _Plane(x_ticks[-1], y_ticks[-1])
    parts = [_open("machines over time"), *_axes(plane, x_ticks, y_ticks)]
    for time, text in marks:
        x = plane.x(max(0.0, time))
        parts.append(
            f'<line class="incident" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
            f"<title>{escape(text)}</title></line>"
        )
    for name, css, times in series:
        path = [f"M{plane.x(0)} {plane.y(0)}"]
        for index, time in enumerate(sorted(times)):
            path.append(f"H{plane.x(max(0.0, time))}V{plane.y(index + 1)}")
        path.append(f"H{plane.x(end)}")
        parts.append(
            f'<path class="line {css}" d="{"".join(path)}"><title>{escape(name)}</title></path>'
        )
    return Markup("".join(parts) + "</svg>")  # noqa: S704 - names and texts are escaped above
