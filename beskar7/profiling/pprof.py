"""Profiles in the format of ``pprof`` (google/pprof, ``proto/profile.proto``), gzipped.

The format is protobuf of five small messages; the numbers below are the fields' numbers there.
"""

from __future__ import annotations

import functools
import gzip
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

MAX_DEPTH = 64
"""Calls of a stack that are kept, innermost first."""


@dataclass(frozen=True, slots=True)
class Call:
    """One line that runs: function, file, line."""

    function: str
    file: str
    line: int

    @property
    def where(self) -> str:
        """``file:line`` for people, the file as it would be imported."""
        return f"{short(self.file)}:{self.line}"


Stack = tuple[Call, ...]
"""Innermost first."""


@functools.cache
def short(file: str) -> str:
    """A file's path without the directory that its package was imported from."""
    roots = (*sys.path, str(Path(__file__).parents[2]))
    prefixes = [f"{root}/" for root in roots if root and file.startswith(f"{root}/")]
    return file[len(max(prefixes, key=len)) :] if prefixes else file


def stack_of(frame: FrameType | None) -> Stack:
    """The calls from ``frame`` outwards."""
    calls: list[Call] = []
    while frame is not None and len(calls) < MAX_DEPTH:
        code = frame.f_code
        calls.append(Call(code.co_qualname, code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(calls)


def encode(
    samples: Mapping[Stack, Sequence[int]],
    units: Sequence[tuple[str, str]],
    *,
    wall: float,
    duration: float = 0.0,
) -> bytes:
    """``units`` names the values of each sample: (type, unit), e.g. ("cpu", "nanoseconds").

    ``wall``: UTC seconds at which it was taken; ``duration``: seconds that it covers.
    """
    strings: dict[str, int] = {"": 0}
    calls: dict[Call, int] = {}
    functions: dict[tuple[str, str], int] = {}

    def text(value: str) -> int:
        return strings.setdefault(value, len(strings))

    def number(call: Call) -> int:
        functions.setdefault((call.function, call.file), len(functions) + 1)
        return calls.setdefault(call, len(calls) + 1)

    body = b"".join(
        _message(1, _integer(1, text(kind)) + _integer(2, text(unit))) for kind, unit in units
    )
    for stack, values in samples.items():
        body += _message(2, _packed(1, [number(call) for call in stack]) + _packed(2, values))
    for call, identity in calls.items():
        line = _integer(1, functions[call.function, call.file]) + _integer(2, call.line)
        body += _message(4, _integer(1, identity) + _message(4, line))
    for (name, file), identity in functions.items():
        body += _message(
            5,
            _integer(1, identity)
            + _integer(2, text(name))
            + _integer(3, text(name))
            + _integer(4, text(file)),
        )
    body += b"".join(_message(6, value.encode()) for value in strings)
    body += _integer(9, round(wall * 1e9)) + _integer(10, round(duration * 1e9))
    return gzip.compress(body)


def folded(samples: Mapping[Stack, Sequence[int]]) -> str:
    """A line a stack, outermost call first, as flame-graph tools read it; the first value."""
    lines = (
        f"{';'.join(f'{call.function} ({call.where})' for call in reversed(stack))} {values[0]}"
        for stack, values in sorted(samples.items(), key=lambda item: -item[1][0])
    )
    return "".join(f"{line}\n" for line in lines)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _packed(field: int, values: Sequence[int]) -> bytes:
    return _message(field, b"".join(_varint(value) for value in values))
