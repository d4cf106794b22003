"""A plot's picture: its series in a frame of ticks, names and marks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from markupsafe import Markup, escape

from scenarios.pages import grids, shapes
from scenarios.pages.content import Axis, Plot, measured
from scenarios.pages.scales import FULL, Scale, fit, scale_ticks
from scenarios.pages.units import label

HEIGHT = 240.0
"""Pixels, of plots whose content asks for no other."""
BESIDE = 1.15
"""A bar's length leaves so much room for its value at its end."""
LETTER = 6.6
"""Pixels: an average letter of the ticks' size."""
NAMED = 5
"""Ticks with a name on an axis: more touch each other on a phone."""
BOTTOM, RIGHT = 42.0, 16.0
TOP, MARKED_TOP = 26.0, 52.0
"""Pixels around the series for names; more above them where upright marks have theirs there."""


@dataclass(frozen=True, slots=True)
class Picture:
    """``svg`` is to be ``height`` pixels high, with room of ``left`` and ``top`` beside it.

    ``zoom``: whether its range in x can be narrowed.
    """

    svg: Markup
    left: float
    top: float
    height: float
    zoom: bool


def draw(plot: Plot) -> Picture:
    """The picture of any plot. Places are in percent, so that text keeps its size in any width."""
    if plot.kind == "heat":
        return _heat(plot)
    if plot.kind == "bars":
        return _bars(plot)
    sampled = plot.kind in ("ecdf", "distribution")
    marked = [mark.at for mark in plot.marks if mark.axis == "x"]
    numbers = [float(x) for series in plot.series for x in series.xs]
    x = fit(plot.x, [*numbers, *marked], round_up=plot.kind == "distribution", air=0.02)
    axis = Axis("share of samples", "ratio") if sampled else plot.y
    heights = [0.0, 1.0] if sampled else _heights(plot)
    y = fit(axis, heights, round_up=True)
    xs, ys = scale_ticks(x, plot.x.unit, NAMED), scale_ticks(y, axis.unit, NAMED)
    left = 12 + LETTER * max((len(label(tick, axis.unit)) for tick in ys), default=0)
    content = "".join(shapes.DRAW[plot.kind](plot, x, y))
    top = MARKED_TOP if marked else TOP
    frame = [*_across(axis, y, ys), *_along(plot.x, x, xs), *_marks(plot, x, y)]
    frame.append(_name_of_y(axis, top))
    kind = "log" if x.log else "linear"
    about = f'data-scale="{kind}" data-low="{x.low!r}" data-high="{x.high!r}" '
    about += f'data-unit="{plot.x.unit}"'
    return Picture(_plane(plot, about, frame, content, []), left, top, HEIGHT, zoom=True)


def _heights(plot: Plot) -> list[float]:
    found = [mark.at for mark in plot.marks if mark.axis == "y"]
    for series in plot.series:
        for values in (series.ys, series.low, series.high):
            found += [float(value) for value in values if value is not None and measured(value)]
    return found


def _bars(plot: Plot) -> Picture:
    heights = _heights(plot)
    scale = fit(plot.y, [*heights, BESIDE * max(heights, default=0.0)], round_up=True)
    height = grids.bars_height(plot)
    frame = [*_along(plot.y, scale, scale_ticks(scale, plot.y.unit, NAMED))]
    frame += _marks(plot, scale, scale, along="y")
    content = "".join(grids.bars(plot, scale))
    svg = _plane(plot, "", frame, content, grids.bar_texts(plot, scale))
    return Picture(svg, 12, MARKED_TOP - TOP if plot.marks else 6, height, zoom=False)


def _heat(plot: Plot) -> Picture:
    assert plot.value is not None
    scale = fit(plot.value, _heights(plot), round_up=False)
    left = 14 + LETTER * max((len(series.name) for series in plot.series), default=0)
    content = "".join(grids.heat(plot, scale))
    texts = [*grids.heat_texts(plot, scale), _name_of_y(plot.y, TOP), _name_of_x(plot.x)]
    svg = _plane(plot, "", [], content, texts)
    return Picture(svg, left, TOP, grids.heat_height(plot), zoom=False)


def _plane(
    plot: Plot, about: str, frame: list[str], content: str, texts: Iterator[str] | list[str]
) -> Markup:
    """Grid beneath, the stretched content, then what is written over it."""
    said = [*texts]
    if "data-x" not in content:
        said.append('<text class="nothing" x="50%" y="50%" text-anchor="middle">')
        said.append("nothing was measured</text>")
    return Markup(  # noqa: S704 - names are escaped where they are put in
        f'<svg class="plane of-{plot.kind}" role="img" aria-label="{escape(plot.title)}" {about}>'
        f'<g class="beneath">{"".join(frame)}</g>'
        f'<svg class="content" width="100%" height="100%" viewBox="0 0 {FULL:g} {FULL:g}" '
        f'preserveAspectRatio="none">{content}</svg>'
        f'<g class="texts">{"".join(said)}</g></svg>'
    )


def _name_of_y(axis: Axis, top: float) -> str:
    above = f'x="0" y="0" dx="-6" dy="{14 - top:g}"'
    return f'<text class="axis-name" {above}>{escape(axis.label)}</text>'


def _name_of_x(axis: Axis) -> str:
    return (
        f'<text class="axis-name" x="100%" y="100%" dy="34" text-anchor="end">'
        f"{escape(axis.label)}</text>"
    )


def _across(axis: Axis, scale: Scale, ticks: list[float]) -> Iterator[str]:
    for tick in ticks:
        y = shapes.up(scale, tick) / 10
        css = "axis" if tick == 0 and scale.low < 0 else "grid"
        yield f'<line class="{css}" x1="0" x2="100%" y1="{y:g}%" y2="{y:g}%"/>'
        yield f'<text class="tick" x="0" dx="-7" y="{y:g}%" dy="4" text-anchor="end">'
        yield f"{label(tick, axis.unit)}</text>"


def _along(axis: Axis, scale: Scale, ticks: list[float]) -> Iterator[str]:
    yield '<g class="along">'
    for tick in ticks:
        x = scale.place(tick) / 10
        css = "axis" if tick == 0 and scale.low < 0 else "grid up"
        yield f'<line class="{css}" x1="{x:g}%" x2="{x:g}%" y1="0" y2="100%"/>'
        yield f'<text class="tick" x="{x:g}%" y="100%" dy="18" text-anchor="middle">'
        yield f"{label(tick, axis.unit)}</text>"
    yield '</g><line class="axis" x1="0" x2="100%" y1="100%" y2="100%"/>'
    yield _name_of_x(axis)


def _marks(plot: Plot, x: Scale, y: Scale, along: str = "x") -> Iterator[str]:
    """``along``: which axis lies; marks on it stand upright. Names that would touch go higher."""
    taken = -math.inf
    for mark in sorted(plot.marks, key=lambda each: each.at):
        if mark.axis == along:
            at = x.place(mark.at) / 10
            line = 0 if at - taken > LETTER * len(mark.text) / 3 else 1
            taken = at
            anchor = "end" if at > 80 else "start" if at < 10 else "middle"
            yield f'<g class="mark {mark.tone}" data-x="{at * 10:g}">'
            yield f'<line x1="{at:g}%" x2="{at:g}%" y1="0" y2="100%"/>'
            yield f'<text x="{at:g}%" y="0" dy="{-5 - 12 * line}" text-anchor="{anchor}">'
        else:
            at = shapes.up(y, mark.at) / 10
            yield f'<g class="mark {mark.tone}">'
            yield f'<line x1="0" x2="100%" y1="{at:g}%" y2="{at:g}%"/>'
            yield f'<text x="100%" y="{at:g}%" dy="-5" text-anchor="end">'
        yield f"{escape(mark.text)}</text></g>"
