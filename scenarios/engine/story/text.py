"""``timeline.txt``: how each promise came to be broken, for terminals and the logs of CI."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from scenarios.engine.invariants import Violation
from scenarios.engine.story.chapters import (
    Chapter,
    Gap,
    Told,
    chapters,
    cited,
    situation,
    tell,
    tell_whole,
)
from scenarios.engine.story.entries import Entry
from scenarios.engine.story.recording import Recording, meaning

MAX_CHAPTERS = 50
SHOWN_VIOLATIONS = 4
"""Told in full at a chapter's head; all are in its lines."""
WIDTH = 160
"""Columns at most: what is longer is cut."""
LEGEND = (
    ">>> a promise is broken   * the verdict refers to it   ! it failed, or a fault hit it\n"
    "w r e: numbers in writes.jsonl.gz, bmc-requests.jsonl.gz, bmc-events.jsonl.gz"
)


def story(
    recording: Recording,
    logged: Sequence[Entry],
    limit: int | None = None,
    around: float | None = None,
) -> str:
    """All chapters, ending in a newline; ``limit`` lines at most, whole chapters where possible.

    ``around``: all within so many seconds of each violation, instead of a number of lines.
    """
    head = heading(recording)
    found = chapters(recording)
    if not found:
        return "\n".join([*head, "", "No invariant was violated.", *_acts(recording, logged), ""])
    head += LEGEND.splitlines()
    lines = head
    for number, chapter in enumerate(found):
        text = ["", *chapter_lines(recording, chapter, tell(chapter, logged, around))]
        rest = len(found) - number
        full = limit is not None and len(lines) + len(text) + 1 > limit
        if number and (full or number == MAX_CHAPTERS):
            lines += ["", f"... and violations on {rest} more hosts or machines"]
            break
        lines += text
    if limit is not None and len(lines) > limit:
        lines = [*lines[: limit - 1], f"... {len(lines) - limit + 1} more lines"]
    return "\n".join(lines) + "\n"


def biography(
    recording: Recording, logged: Sequence[Entry], chapter: Chapter, around: float | None = None
) -> str:
    """What happened to a chapter's host and machine: all of it, or that around its violations."""
    told = tell_whole(chapter, logged) if around is None else tell(chapter, logged, around)
    lines = [*heading(recording), *LEGEND.splitlines(), ""]
    return "\n".join([*lines, *chapter_lines(recording, chapter, told)]) + "\n"


def heading(recording: Recording) -> list[str]:
    return [
        f"{recording.scenario}, {recording.clock} clock, seed {recording.seed}: "
        f"{recording.verdict}",
        "Times are seconds since the load's start.",
    ]


def _acts(recording: Recording, logged: Sequence[Entry]) -> list[str]:
    return ["", *table([entry for entry in logged if entry.source == "act"], recording)]


def chapter_lines(recording: Recording, chapter: Chapter, told: Sequence[Told]) -> list[str]:
    """The head says what was promised, what happened and how things stood; then the lines."""
    count = len(chapter.violations)
    lines = [f"=== {chapter.title}: {count or 'no'} violation{'s' if count != 1 else ''} ==="]
    promised: set[str] = set()
    for violation in chapter.violations[:SHOWN_VIOLATIONS]:
        if violation.invariant not in promised:
            promised.add(violation.invariant)
            lines += _wrapped("Promise", f"{violation.invariant}: {meaning(violation.invariant)}")
        lines += _wrapped(
            "Broken", f"at {recording.since(violation.time):.3f} s {_said(violation)}"
        )
    if count > SHOWN_VIOLATIONS:
        lines += _wrapped("", f"and {count - SHOWN_VIOLATIONS} more, see below")
    first = chapter.violations[0].time if chapter.violations else recording.ended
    when = "State" if chapter.violations else "End"
    lines += _wrapped(when, "; ".join(situation(recording, chapter, first)))
    return [*lines, "", *table(told, recording, cited(chapter.violations))]


def _said(violation: Violation) -> str:
    where = ", ".join(part for part in (violation.host, violation.machine) if part)
    refs = ", ".join(sorted(cited([violation]), key=lambda ref: (ref[0], int(ref[1:]))))
    return f"{where}: {violation.detail}" + (f" [{refs}]" if refs else "")


def _wrapped(label: str, text: str) -> list[str]:
    indent = " " * 9
    return textwrap.wrap(
        text,
        110,
        initial_indent=f"{label:<9}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


Row = tuple[str, str, str, str, str, str, str]
HEADER: Row = ("", "time", "who", "log", "did", "result", "what came of it")


def table(
    told: Iterable[Told | Entry], recording: Recording, refs: frozenset[str] = frozenset()
) -> list[str]:
    """Aligned columns; a violation and a gap take a line of their own."""
    rows: list[Row | str] = [HEADER]
    for item in told:
        match item:
            case Gap(count, seconds):
                rows.append(f"        ... {count} left out, {seconds:.3f} s")
            case Violation():
                at = recording.since(item.time)
                rows += textwrap.wrap(
                    f"{item.invariant}: {_said(item)}",
                    WIDTH,
                    initial_indent=f">>> {at:9.3f}  ",
                    subsequent_indent=" " * 15,
                    break_on_hyphens=False,
                )
            case Entry():
                rows.append(_row(item, item.end, 1, recording, refs))
            case _:
                rows.append(_row(item.entry, item.end, item.count, recording, refs))
    cells = [row for row in rows if not isinstance(row, str)]
    widths = [max(len(row[column]) for row in cells) for column in range(2, 6)]
    return [_clip(row if isinstance(row, str) else _aligned(row, widths)) for row in rows]


def _row(entry: Entry, end: float, count: int, recording: Recording, refs: frozenset[str]) -> Row:
    mark = "*" if entry.ref in refs else "!" if entry.bad or entry.fault else ""
    note = entry.note + (f"  << fault {entry.fault}" if entry.fault else "")
    did, result = entry.did, entry.result
    if count > 1:
        did, result = f"{count} reads", f"until {recording.since(end):.3f}"
    at = f"{recording.since(entry.time):9.3f}"
    return (mark, at, entry.who[:24], entry.ref, did[:48], result[:24], note)


def _aligned(row: Row, widths: Sequence[int]) -> str:
    middle = "  ".join(f"{cell:<{width}}" for cell, width in zip(row[2:6], widths, strict=True))
    return f"{row[0]:>3} {row[1]:>9}  {middle}  {row[6]}".rstrip()


def _clip(line: str) -> str:
    # What a log brought along must not steer the terminal that shows it.
    clean = "".join(char if char.isprintable() else "?" for char in line)
    return clean if len(clean) <= WIDTH else clean[: WIDTH - 3] + "..."
