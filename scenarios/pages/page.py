"""One file that holds all it shows: readable offline, on a phone, on paper, without script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from scenarios.pages.content import Cell, Page, Plot, Table, Value
from scenarios.pages.numbers import table
from scenarios.pages.plane import draw
from scenarios.pages.templating import environment, template
from scenarios.pages.units import label, said, span


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell: ``key`` sorts it, ``more`` is its interval."""

    text: str
    key: str
    more: str = ""


def render(page: Page) -> str:
    """The page's HTML. Equal pages give equal text; what comes from outside is escaped."""
    return template("page.html.j2").render(
        page=page, said=said, span=span, rich=rich, draw=draw, numbers=table
    )


def save(page: Page, path: Path) -> None:
    """Writes the page, and the directories above it. Raises OSError where that fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(page), encoding="utf-8")


def figure(plot: Plot) -> Markup:
    """One plot for a page of another kind, which includes ``pages.css`` and ``plots.js``."""
    macro = template("plot.html.j2").module.plot  # type: ignore[attr-defined]  # a macro
    made: Markup = macro(plot, draw(plot), table(plot))
    return made


def align(found: Table) -> list[str]:
    """The columns' classes: those of numbers alone are set to the right."""
    return [
        "n" if column and not any(isinstance(row[column], str) for row in found.rows) else ""
        for column in range(len(found.head))
    ]


def shown(cell: Cell) -> Shown:
    if cell is None:
        return Shown(said(None, "number"), "")
    if isinstance(cell, str):
        return Shown(cell, cell)
    if isinstance(cell, Value):
        text, key = said(cell.value, cell.unit), "" if cell.value is None else repr(cell.value)
        return Shown(text, key, more=span(cell.low, cell.high, cell.unit))
    return Shown(label(float(cell), "number"), repr(cell))


def rich(text: str) -> Markup:
    """Paragraphs between empty lines; what stands between backticks is code."""
    paragraphs = [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
    made = [re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(part))) for part in paragraphs]
    return Markup("".join(f"<p>{part}</p>" for part in made))  # noqa: S704 - escaped above


environment().globals |= {"shown": shown, "align": align}
