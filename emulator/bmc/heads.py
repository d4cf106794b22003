"""Requests that are read at once: the plain ones that make up nearly all of what a BMC is asked.

A client sends the same header fields again and again, so what they mean is remembered. Whatever is
not quite plain is left to aiohttp's parser: tests hold the two against each other.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KEPT = 20_000
"""Sets of fields remembered, of a few hundred bytes each: two for each of ten thousand BMCs."""
LONGEST = 2048
"""Bytes of a head that is read here."""
LONGEST_BODY = 16_384
"""Bytes of a body that is waited for here."""
# Segments that begin with a dot, escapes and queries are for a parser of URLs.
_SEGMENT = rb"[A-Za-z0-9_$~-][A-Za-z0-9_.$~-]*"
# One way to match each text: a client must not be able to make it try many.
_PATH = rb"/(?:" + _SEGMENT + rb"(?:/" + _SEGMENT + rb")*/?)?"
_FIRST = re.compile(rb"(GET|POST|PATCH) (" + _PATH + rb") HTTP/1\.1")
_FIELD = re.compile(rb"([A-Za-z0-9-]+): ?([!-~](?:[ -~]*[!-~])?)")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,4}")
_NOT_PLAIN = frozenset(
    ("transfer-encoding", "upgrade", "expect", "te", "trailer", "content-encoding")
)


class Fields:
    """Header fields by name, whatever its case."""

    __slots__ = ("_fields", "close", "length")

    def __init__(self, fields: dict[str, str], length: int | None) -> None:
        self._fields = fields
        self.close = fields.get("connection", "").lower() == "close"
        """The client wants the connection closed after the answer."""
        self.length = length
        """Bytes of the body; None where the client says nothing of one."""

    def get(self, key: str, /) -> str | None:
        return self._fields.get(key.lower())


class Head(NamedTuple):
    method: str
    path: str
    fields: Fields
    end: int
    """Where the request ends, body and all, in what it was read from."""
    begin: int
    """Where its body begins."""


class Heads:
    """Reads heads, and remembers their fields."""

    def __init__(self) -> None:
        self._known: dict[bytes, Fields] = {}

    def read(self, data: bytes) -> Head | None:
        """What ``data`` asks for; None unless it is one plain request, or the begin of one.

        The head is all there; of the body there may be less, but not more.
        """
        begin = data.find(b"\r\n\r\n", 0, LONGEST) + 4
        split = data.find(b"\r\n") + 2
        if begin <= split or (first := _FIRST.fullmatch(data, 0, split - 2)) is None:
            return None
        block = data[split:begin]
        fields = self._known.get(block)
        if fields is None:
            fields = parse(block)
            if fields is None:
                return None
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[block] = fields
        end = begin + (fields.length or 0)
        reads = first[1] == b"GET"
        if len(data) > end or (reads and fields.length is not None):
            return None
        return Head(first[1].decode(), first[2].decode(), fields, end, begin)


def parse(block: bytes) -> Fields | None:
    """The fields of a head, the blank line included; None where they are not plain."""
    fields: dict[str, str] = {}
    for line in block[:-4].split(b"\r\n"):
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
    length = fields.get("content-length")
    if length is None:
        return Fields(fields, None)
    if not _LENGTH.fullmatch(length) or int(length) > LONGEST_BODY:
        return None
    return Fields(fields, int(length))
