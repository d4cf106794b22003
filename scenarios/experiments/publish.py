"""An experiment's page in ``docs/experiments``, in Markdown, and the index of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenarios.engine.measure_names import MEASURES
from scenarios.experiments.answer import Answer, command, seeds_text
from scenarios.experiments.files import Experiment, experiments, load
from scenarios.experiments.held import HELD_TITLE, Held
from scenarios.pages.content import Cell, Table, Value
from scenarios.pages.export import save
from scenarios.pages.units import said, span
from scenarios.sweep.design import Design

FOLDER = Path("docs/experiments")
INDEX = "README.md"
ANSWER = "**Answer.** "
"""Begins the line of a page from which the index takes it."""
BEGIN, END = "<!-- experiments -->", "<!-- /experiments -->"
"""Around the index's table; the rest of that file is written by hand."""


def publish(
    experiment: Experiment, design: Design, found: Answer, folder: Path, held: Held | None = None
) -> list[Path]:
    """Writes page and pictures, and brings the index up to date. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for plot in found.plots:
        path = folder / f"{experiment.name}-{_slug(plot.title)}.svg"
        save(plot, path)
        pictures.append((plot.title, path.name))
    page = folder / f"{experiment.name}.md"
    page.write_text(markdown(experiment, design, found, pictures, held), encoding="utf-8")
    return [page, *_index(folder)]


def markdown(
    experiment: Experiment,
    design: Design,
    found: Answer,
    pictures: Sequence[tuple[str, str]],
    held: Held | None = None,
) -> str:
    """The page. It holds nothing that another run with the same seeds would write differently."""
    meanings = [f"- `{name}`: {MEASURES[name].meaning}" for name in experiment.measures]
    lines = [
        f"# {experiment.question}",
        "",
        f"Written by `{command(experiment, design)} --publish`; do not edit.",
        "",
        ANSWER + found.text,
        "",
        *[f"![{title}]({name})" for title, name in pictures],
        "",
        "## How",
        "",
        f"{_line(experiment.setting)} {_line(experiment.level)}",
        "",
        f"{design.count} runs at the level `{design.fidelity}`: seeds {seeds_text(design)} at each "
        "of the points below, so that they are compared on the same luck"
        + (f"; **{found.lost} of them fell short**" if found.lost else "")
        + f". File: `scenarios/experiments/{experiment.name}.yaml`.",
        "",
        *meanings,
        "",
        *_table(found.table),
        "",
        found.table.note,
    ]
    if held is not None:
        lines += ["", f"## {HELD_TITLE}", "", held.text, "", *_table(held.table)]
    return "\n".join(lines) + "\n"


def _table(table: Table) -> list[str]:
    head = [_escaped(each) for each in table.head]
    rows = [[_cell(cell) for cell in row] for row in table.rows]
    rule = ["---"] * len(head)
    return [f"| {' | '.join(cells)} |" for cells in (head, rule, *rows)]


def _cell(cell: Cell) -> str:
    if isinstance(cell, Value):
        within = span(cell.low, cell.high, cell.unit)
        return said(cell.value, cell.unit) + (f" ({within})" if within else "")
    if cell is None:
        return said(None, "number")
    return _escaped(str(cell))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _line(text: str) -> str:
    return " ".join(text.split())


def _slug(title: str) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in title.lower())
    return "-".join(words.split())


def _index(folder: Path) -> list[Path]:
    """The table of ``README.md``: every experiment that has a page there, with its answer."""
    path = folder / INDEX
    if not path.exists():
        return []
    rows = ["| question | answer |", "|---|---|"]
    for name in experiments():
        page = folder / f"{name}.md"
        if page.exists():
            told = next(
                line.removeprefix(ANSWER)
                for line in page.read_text(encoding="utf-8").splitlines()
                if line.startswith(ANSWER)
            )
            rows.append(
                f"| [{_escaped(_line(load(name).question))}]({name}.md) | {_escaped(told)} |"
            )
    before, rest = path.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    path.write_text("\n".join([before + BEGIN, *rows, END + after]), encoding="utf-8")
    return [path]
