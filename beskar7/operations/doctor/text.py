"""A diagnosis for people: a line for each section, then the findings, the worst first."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from beskar7.api.meta import rfc3339
from beskar7.operations.doctor.diagnosis import Diagnosis, Severity

STYLES = {
    Severity.OK: "green",
    Severity.NOTICE: "cyan",
    Severity.WARNING: "yellow",
    Severity.CRITICAL: "bold red",
}
SHOWN = 5
"""Objects of a finding that are named; ``--output json`` has them all."""


def rendered(
    diagnosis: Diagnosis, changed: Collection[str] = (), gone: Sequence[str] = ()
) -> RenderableType:
    """``changed``: what is marked, sections by name and findings by id; ``gone``: ids."""
    head = Text.assemble(
        ("Beskar7 in ", "bold"),
        (diagnosis.namespace, "bold"),
        ": ",
        (headline(diagnosis), STYLES[diagnosis.severity]),
        f"   {rfc3339(diagnosis.at)}, rates {_over(diagnosis.window)}",
    )
    parts: list[RenderableType] = [head, Text(), _sections(diagnosis, changed)]
    if diagnosis.findings:
        parts += [Text(), _findings(diagnosis, changed)]
    if gone:
        parts += [Text(), Text(f"no longer: {', '.join(gone)}", "green")]
    return Group(*parts)


def headline(diagnosis: Diagnosis) -> str:
    """One line: the verdict, and of what it consists."""
    ids = [each.id for each in diagnosis.findings if each.severity == diagnosis.severity]
    if diagnosis.severity == Severity.OK:
        return "healthy"
    named = ", ".join(dict.fromkeys(ids))
    return f"{'healthy, ' if diagnosis.healthy else ''}{diagnosis.severity.word}: {named}"


def _over(window: str) -> str:
    return window if window.startswith("since") else f"over {window}"


def _sections(diagnosis: Diagnosis, changed: Collection[str]) -> Table:
    table = _table()
    for section in diagnosis.sections:
        table.add_row(
            _mark(section.name in changed),
            Text(section.severity.word, STYLES[section.severity]),
            Text(section.name, "bold"),
            Text(section.line),
        )
    return table


def _findings(diagnosis: Diagnosis, changed: Collection[str]) -> Table:
    table = _table()
    for each in diagnosis.findings:
        told = Text(each.message)
        for about in each.about[:SHOWN]:
            told.append(f"\n- {about}", "dim")
        if len(each.about) > SHOWN:
            told.append(f"\n- and {len(each.about) - SHOWN} more", "dim")
        told.append(f"\n> {each.action}", "italic")
        table.add_row(
            _mark(each.id in changed),
            Text(each.severity.word, STYLES[each.severity]),
            Text(each.id, "bold"),
            told,
        )
    return table


def _mark(changed: bool) -> Text:
    return Text("*" if changed else " ", "bold magenta")


def _table() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for wide in (False, False, False, True):
        table.add_column(no_wrap=not wide, overflow="fold")
    return table
