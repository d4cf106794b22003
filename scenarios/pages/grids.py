"""What has names on an axis: grouped bars, and the cells of a heat map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import escape

from scenarios.pages.content import Plot, interval, measured
from scenarios.pages.palette import HEAT_STEPS
from scenarios.pages.scales import FULL, Scale
from scenarios.pages.shapes import group, spot, words
from scenarios.pages.units import named, said

NAME, BAR, GAP = 20.0, 16.0, 10.0
"""Pixels: a group's name above its bars, a bar, and what parts two groups."""
CELL = 34.0
"""Pixels: the height of a row of cells."""


def names(plot: Plot) -> list[str]:
    """The names on the axis, of all series, in their order."""
    found: dict[str, None] = {}
    for series in plot.series:
        for x in series.xs:
            found[named(x, plot.x.unit)] = None
    return list(found)


def bars_height(plot: Plot) -> float:
    """Pixels."""
    return len(names(plot)) * (NAME + BAR * len(plot.series) + GAP)


def bars(plot: Plot, scale: Scale) -> Iterator[str]:
    """Lying bars, as names need no turning then, and a phone has more length than width."""
    height = bars_height(plot) or 1.0
    own = names(plot)
    zero = scale.place(0.0) if not scale.log else 0.0
    for index, series in enumerate(plot.series):
        parts = []
        for number, x in enumerate(series.xs):
            name = named(x, plot.x.unit)
            value = series.ys[number]
            if value is None or not measured(value):
                continue
            pixels = own.index(name) * (NAME + BAR * len(plot.series) + GAP) + NAME + BAR * index
            y, thick = FULL * (pixels + 1) / height, FULL * (BAR - 3) / height
            end = scale.place(value)
            shape = f'<rect class="bar" x="{min(zero, end):g}" width="{abs(end - zero):g}" '
            shape += f'y="{y:.2f}" height="{thick:.2f}"'
            middle = round(y + thick / 2, 2)
            parts.append(spot(end, middle, words(plot, series, number, name, value), shape))
            parts.append("</rect>")
            if series.low and interval(series.low[number], series.high[number]):
                low, high = (scale.place(e[number] or 0.0) for e in (series.low, series.high))
                parts.append(f'<path class="error" d="M{low:g} {middle:g}H{high:g}"/>')
        yield group(index, series, parts)


def bar_texts(plot: Plot, scale: Scale) -> Iterator[str]:
    """The names of the groups, and each bar's value at its end. Places in percent and pixels."""
    height = len(plot.series) * BAR + NAME + GAP
    for row, name in enumerate(names(plot)):
        yield f'<text class="name" x="0" y="{row * height + NAME - 5:g}">{escape(name)}</text>'
    own = names(plot)
    for index, series in enumerate(plot.series):
        for number, x in enumerate(series.xs):
            value = series.ys[number]
            if value is None or not measured(value):
                continue
            name = named(x, plot.x.unit)
            y = own.index(name) * height + NAME + BAR * index + BAR - 4
            high = series.high[number] if series.high else None
            # Beside a bar to the left of 0 there is its name's room, and the axis' begin.
            end = max(value, 0.0, high if high is not None and measured(high) else value)
            yield (
                f'<text class="bar-value" data-series="{index}" x="{scale.place(end) / 10:g}%" '
                f'dx="6" y="{y:g}">{said(value, plot.y.unit)}</text>'
            )


def heat_height(plot: Plot) -> float:
    """Pixels."""
    return CELL * len(plot.series)


def heat(plot: Plot, scale: Scale) -> Iterator[str]:
    """Cells; a value's colour by its place on ``scale``."""
    columns, rows = len(names(plot)) or 1, len(plot.series) or 1
    wide, high = FULL / columns, FULL / rows
    for row, series in enumerate(plot.series):
        parts = []
        for column, x in enumerate(series.xs):
            value = series.ys[column]
            css = "none" if value is None or not measured(value) else f"h{step(scale, value)}"
            name = named(x, plot.x.unit)
            where = f"{plot.x.label} {name}"
            shape = f'<rect class="cell {css}" x="{column * wide + 1.5:.2f}" '
            shape += f'width="{wide - 3:.2f}" y="{row * high + 3:.2f}" height="{high - 6:.2f}"'
            at = ((column + 0.5) * wide, (row + 0.5) * high)
            text = f"{plot.y.label} {words(plot, series, column, where, value)}"
            parts.append(spot(round(at[0], 2), round(at[1], 2), text, shape) + "</rect>")
        yield group(row, series, parts)


def step(scale: Scale, value: float) -> int:
    """Which of the heat's colours."""
    return min(HEAT_STEPS - 1, int(scale.place(value) / FULL * HEAT_STEPS))


def heat_texts(plot: Plot, scale: Scale) -> Iterator[str]:
    """Rows' and columns' names, and the cells' values."""
    assert plot.value is not None
    own = names(plot)
    wide, high = 100 / (len(own) or 1), 100 / (len(plot.series) or 1)
    for column, name in enumerate(own):
        x = (column + 0.5) * wide
        yield f'<text class="tick" x="{x:.2f}%" y="100%" dy="18" text-anchor="middle">'
        yield f"{escape(name)}</text>"
    texts = [[said(value, plot.value.unit) for value in series.ys] for series in plot.series]
    css = "cell-value many" if crowded(texts) else "cell-value"
    for row, series in enumerate(plot.series):
        y = (row + 0.5) * high
        yield f'<text class="tick" x="0" dx="-8" y="{y:.2f}%" dy="4" text-anchor="end">'
        yield f"{escape(series.name)}</text>"
        for column, value in enumerate(series.ys):
            if value is None or not measured(value):
                continue
            yield f'<text class="{css} hi{step(scale, value)}" x="{(column + 0.5) * wide:.2f}%" '
            yield f'y="{y:.2f}%" dy="4" text-anchor="middle">{texts[row][column]}</text>'


def crowded(texts: Sequence[Sequence[str]]) -> bool:
    """Whether the values would touch on a phone: seven pixels a letter, 260 of them."""
    longest = max((len(text) + 1 for row in texts for text in row), default=0)
    return longest * 7 * max((len(row) for row in texts), default=0) > 260
