"""``timeline.html``: the story of a run to look around in; one file, no network, no server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from markupsafe import Markup

from scenarios.engine.report import STATES
from scenarios.engine.story.chapters import chapters, tell
from scenarios.engine.story.entries import Entry
from scenarios.engine.story.lanes import MAX_BYTES, build
from scenarios.engine.story.recording import Recording, meaning
from scenarios.engine.story.text import LEGEND, MAX_CHAPTERS, chapter_lines
from scenarios.engine.templating import template

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


def embedded(data: Any) -> Markup:
    """JSON that may stand in a script element whatever is in it.

    No ``<`` is left, so that no text can end the element or begin a comment in it.
    """
    text = orjson.dumps(data).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - escaped above
