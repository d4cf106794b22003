"""A plot as an SVG file that stands for itself: for pages that are Markdown."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import escape

from scenarios.pages.content import Plot
from scenarios.pages.palette import resolved
from scenarios.pages.plane import BOTTOM, LETTER, RIGHT, draw
from scenarios.pages.templating import template

WIDTH = 680.0
HEAD, LINE = 34.0, 22.0
"""Pixels: the title, and one line of the legend."""


def svg(plot: Plot) -> str:
    """The picture in light colours on its own card, with title and legend."""
    picture = draw(plot)
    left = picture.left + 12
    legend, lines = _legend(plot)
    top = HEAD + LINE * lines + picture.top
    height = top + picture.height + BOTTOM + 6
    css = resolved(template("plot.css").render(), lambda pair: pair[0])
    inner = str(picture.svg).replace(
        "<svg ",
        f'<svg x="{left:g}" y="{top:g}" width="{WIDTH - left - RIGHT:g}" '
        f'height="{picture.height:g}" overflow="visible" ',
        1,
    )
    # A picture by itself has no script to show these in.
    inner = re.sub(r'<path class="dot ghost".*?</path>', "", inner)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="{WIDTH:g}" height="{height:g}" role="img" class="alone">'
        f"<title>{escape(plot.title)}</title><style>{css}</style>"
        f'<rect class="paper" width="{WIDTH:g}" height="{height:g}" rx="10"/>'
        f'<text class="title" x="14" y="24">{escape(plot.title)}</text>{legend}{inner}</svg>\n'
    )


def save(plot: Plot, path: Path) -> None:
    """Writes the picture, and the directories above it. Raises OSError where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(plot), encoding="utf-8")


def _legend(plot: Plot) -> tuple[str, int]:
    """The names with their colours, and how many lines they take."""
    if plot.kind == "heat" or len(plot.series) < 2:
        return "", 0
    parts = []
    x, line = 14.0, 0
    for index, series in enumerate(plot.series):
        wide = 40 + LETTER * len(series.name)
        if x > 14 and x + wide > WIDTH - 14:
            x, line = 14.0, line + 1
        y = HEAD + LINE * line + 8
        parts.append(
            f'<g class="key s{index}"><path class="line" d="M{x:g} {y:g}h22"/>'
            f'<text x="{x + 28:g}" y="{y + 4:g}">{escape(series.name)}</text></g>'
        )
        x += wide + 12
    return "".join(parts), line + 1
