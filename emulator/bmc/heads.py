"""Requests without a body, read at once: the plain GETs that make up most of what a BMC is asked.

A client sends the same bytes again and again, so what they mean is remembered. Whatever is not
quite plain is left to aiohttp's parser: tests hold the two against each other.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KEPT = 20_000
"""Heads remembered, of a few hundred bytes each: two for each of ten thousand BMCs."""
LONGEST = 2048
"""Bytes of a head that is read here."""
# Segments that begin with a dot, escapes and queries are for a parser of URLs.
_SEGMENT = rb"[A-Za-z0-9_$~-][A-Za-z0-9_.$~-]*"
# One way to match each text: a client must not be able to make it try many.
_PATH = rb"/(?:" + _SEGMENT + rb"(?:/" + _SEGMENT + rb")*/?)?"
_GET = re.compile(rb"GET (" + _PATH + rb") HTTP/1\.1")
_FIELD = re.compile(rb"([A-Za-z0-9-]+): ?([!-~](?:[ -~]*[!-~])?)")
_NOT_PLAIN = frozenset(
    (
        *("content-length", "transfer-encoding", "upgrade", "expect", "te", "trailer"),
        "content-encoding",
    )
)


class Fields:
    """Header fields by name, whatever its case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields

    def get(self, key: str, /) -> str | None:
        return self._fields.get(key.lower())


class Head(NamedTuple):
    path: str
    fields: Fields
    close: bool
    """The client wants the connection closed after the answer."""


class Heads:
    """Reads heads, and remembers them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Head] = {}

    def read(self, data: bytes) -> Head | None:
        """What ``data`` asks for; None where it is not exactly one plain GET."""
        known = self._known.get(data)
        if known is None and len(data) <= LONGEST:
            known = parse(data)
            if known is not None:
                if len(self._known) >= KEPT:
                    self._known.clear()
                self._known[data] = known
        return known


def parse(data: bytes) -> Head | None:
    """None where ``data`` is not exactly one plain GET."""
    if not data.endswith(b"\r\n\r\n"):
        return None
    first, *lines = data[:-4].split(b"\r\n")
    asked = _GET.fullmatch(first)
    if asked is None:
        return None
    fields: dict[str, str] = {}
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name = field[1].decode().lower()
        if name in fields or name in _NOT_PLAIN:
            return None
        fields[name] = field[2].decode()
    connection = fields.get("connection", "keep-alive").lower()
    if connection not in ("keep-alive", "close") or "host" not in fields:
        return None
    return Head(asked[1].decode(), Fields(fields), connection == "close")
