"""The pages' templates. What they are given is escaped, unless it is markup already."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template


@cache
def template(name: str) -> Template:
    """The template of this file name; a name that it lacks is an error, not an empty text."""
    environment = Environment(
        loader=PackageLoader("scenarios.engine", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)
