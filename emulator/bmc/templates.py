"""sushy-tools' templates, rendered once for each shape of what is shown.

Two BMCs in the same state differ in little more than a UUID and a name, and Jinja needs 0.2 ms to
say so. So a template is rendered for a stand-in of both, by Jinja and from the same parameters, and
the text is kept; what differs is put in its place. Only where nothing but copying can happen to
the two is that exact: tests compare every route's text with Jinja's own, for random states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

UUID = b"00000000-0000-4000-8000-be5ca7be5ca7"
"""Stands for the BMC's UUID; of a UUID's letters, so that nothing about it is escaped."""
NAME = "stand-in-of-a-name.be5ca7"
"""Stands for the BMC's name; of a host name's letters."""
KEPT = 4096
"""Texts, of about 3 KB each; a fleet in use has some dozens."""
Render = Callable[..., str]


class Skeletons:
    """Rendered templates by template and parameters, the BMC's own identity taken out."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, bytes], str] = {}

    def render(
        self, jinja: Render, template: str, params: Mapping[str, Any], uuid: str, name: str
    ) -> str:
        """The template's text; by ``jinja(template, **params)`` where it is not known yet."""
        shape = dict(params)
        if shape.get("name") == name:
            shape["name"] = NAME
        try:
            given = orjson.dumps(shape)
        except TypeError:
            return jinja(template, **params)
        if UUID in given or given.count(NAME.encode()) > (shape.get("name") == NAME):
            # A client's own text holds a stand-in: it would be mistaken for one.
            return jinja(template, **params)
        key = template, given.replace(uuid.encode(), UUID)
        text = self._texts.get(key)
        if text is None:
            if len(self._texts) >= KEPT:
                self._texts.clear()
            text = self._texts[key] = jinja(template, **orjson.loads(key[1]))
        return text.replace(UUID.decode(), uuid).replace(NAME, name)
