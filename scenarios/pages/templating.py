"""The pages' templates. What they are given is escaped, unless it is markup already."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from scenarios.pages.palette import COLOURS, HEAT_STEPS

ROOMS = ("scenarios.pages", "scenarios.engine")


@cache
def environment() -> Environment:
    """All pages', so that they share the style sheet."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(room, "templates") for room in ROOMS]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"colours": COLOURS, "heat_steps": HEAT_STEPS}
    return made


def template(name: str) -> Template:
    """The template of this file name; a name that it lacks is an error, not an empty text."""
    return environment().get_template(name)


def embedded(data: Any) -> Markup:
    """JSON that may stand in a script element whatever is in it.

    No ``<`` is left, so that no text can end the element or begin a comment in it.
    """
    text = orjson.dumps(data).decode()
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return Markup(text)  # noqa: S704 - escaped above
