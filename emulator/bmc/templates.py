"""sushy-tools' templates, rendered once for each shape of what is shown.

Two BMCs in the same state differ in little more than UUIDs and a name, and Jinja needs 0.2 ms to
say so. So a template is rendered for a stand-in of each, by Jinja and from the same parameters, and
the text is kept; what differs is put in its place. Only where nothing but copying can happen to
them is that exact: tests compare every route's text with Jinja's own, for random states. What a
vendor calls all its systems or chassis alike (``1``, ``System.Embedded.1``) stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson

UUIDS = ("00000000-0000-4000-8000-be5ca7be5ca7", "00000000-0000-4000-8000-be5ca7cba551")
"""Stand for the UUIDs by which resources of a BMC may be called, the system's and the chassis'.

They are of a UUID's letters, so that nothing about them is escaped.
"""
NAME = "stand-in-of-a-name.be5ca7"
"""Stands for the BMC's name; of a host name's letters."""
KEPT = 4096
"""Texts, of about 3 KB each; a fleet in use has some dozens."""
Render = Callable[..., str]


class Skeletons:
    """Rendered templates by template and parameters, the BMC's own identity taken out."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def render(
        self,
        jinja: Render,
        template: str,
        params: Mapping[str, Any],
        uuids: tuple[str, str],
        name: str,
    ) -> str:
        """The template's text; by ``jinja(template, **params)`` where it is not known yet.

        ``uuids`` and ``name`` are the BMC's own.
        """
        shape = dict(params)
        if shape.get("name") == name:
            shape["name"] = NAME
        try:
            given = orjson.dumps(shape).decode()
        except TypeError:
            return jinja(template, **params)
        if holds_stand_in(given) or given.count(NAME) > (shape.get("name") == NAME):
            # A client's own text holds a stand-in: it would be mistaken for one.
            return jinja(template, **params)
        key = template, to_stand_ins(given, uuids)
        text = self._texts.get(key)
        if text is None:
            if len(self._texts) >= KEPT:
                self._texts.clear()
            text = self._texts[key] = jinja(template, **orjson.loads(key[1]))
        return from_stand_ins(text, uuids).replace(NAME, name)


def holds_stand_in(text: str) -> bool:
    return any(stand_in in text for stand_in in UUIDS)


def to_stand_ins(text: str, uuids: tuple[str, str]) -> str:
    for uuid, stand_in in zip(uuids, UUIDS, strict=True):
        text = text.replace(uuid, stand_in)
    return text


def from_stand_ins(text: str, uuids: tuple[str, str]) -> str:
    for uuid, stand_in in zip(uuids, UUIDS, strict=True):
        text = text.replace(stand_in, uuid)
    return text
