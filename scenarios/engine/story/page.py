"""``timeline.html``: the story of a run to look around in; one file, no network, no server."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.engine.report import STATES
from scenarios.engine.story.chapters import chapters, tell
from scenarios.engine.story.entries import Entry
from scenarios.engine.story.lanes import MAX_BYTES, build
from scenarios.engine.story.recording import Recording, meaning
from scenarios.engine.story.text import LEGEND, MAX_CHAPTERS, chapter_lines
from scenarios.pages.templating import embedded, template

KEYS = (
    ("n p", "next and previous violation"),
    ("\u2190 \u2192", "pan"),
    ("+ -", "zoom"),
    ("0", "the whole run"),
    ("\u2191 \u2193", "next lane"),
    (", .", "previous and next entry of the lane"),
    ("/", "search"),
)


def render(recording: Recording, logged: Sequence[Entry], limit: int = MAX_BYTES) -> str:
    """The page; equal recordings give equal pages. ``limit``: see :func:`lanes.build`."""
    found = chapters(recording)
    told = [
        (chapter, "\n".join(chapter_lines(recording, chapter, tell(chapter, logged))))
        for chapter in found[:MAX_CHAPTERS]
    ]
    names = [violation.invariant for violation in recording.violations]
    return template("timeline.html.j2").render(
        recording=recording,
        chapters=told,
        hidden_chapters=len(found) - len(told),
        chapter_of=[
            next(i for i, chapter in enumerate(found) if violation in chapter.violations)
            for violation in recording.violations
        ],
        promises={name: meaning(name) for name in names},
        legend=LEGEND,
        states=STATES,
        keys=KEYS,
        data=embedded(build(recording, logged, limit)),
    )
