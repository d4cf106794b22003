"""A container's log: lines with their times in two bounded files, and what ``logs`` shows of them.

A line is kept as container runtimes keep it: ``TIME STREAM TAG TEXT``, tag P for a part of a long
line and F for its end. A file that is full becomes the older one, whose predecessor goes.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from emulator.kube.tables.ages import parse_time

MAX_FILE = 5 * 1024 * 1024  # bytes; a log keeps at most twice that
MAX_LINE = 16 * 1024  # bytes; longer lines are cut into parts
_CHUNK = 256 * 1024


def stamp(wall: float) -> str:
    """RFC 3339 with nine digits, as the kubelet writes them; microseconds are what we know."""
    moment = datetime.fromtimestamp(wall, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


class ContainerLog:
    """One life of a container. Written by one event loop; readable after the end."""

    def __init__(self, path: Path, max_file: int = MAX_FILE) -> None:
        self._path = path
        self._older = path.with_suffix(".older")
        self._max = max_file
        self._followers: set[asyncio.Event] = set()
        self._written = 0
        self._base = 0  # the offset, of all that was written, at which the file begins
        self._older_base = 0
        self.closed = False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)

    def append(self, wall: float, stream: str, text: bytes, *, part: bool = False) -> None:
        """``text`` without its line feed; ``stream`` is stdout or stderr."""
        if self.closed:
            return
        line = b"%s %s %s %s\n" % (
            stamp(wall).encode(),
            stream.encode(),
            b"P" if part else b"F",
            text.replace(b"\n", b" "),
        )
        try:
            if self._written - self._base + len(line) > self._max:
                self._rotate()
            os.write(self._file, line)
        except OSError:
            return  # a full disk costs the log, not the pod
        self._written += len(line)
        self._wake()

    def _rotate(self) -> None:
        os.close(self._file)
        self._path.replace(self._older)
        self._older_base, self._base = self._base, self._written
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._file)
            self._wake()

    def remove(self) -> None:
        self.close()
        for path in (self._path, self._older):
            path.unlink(missing_ok=True)

    def _wake(self) -> None:
        for event in self._followers:
            event.set()

    def follow(self) -> asyncio.Event:
        """An event that is set with every line and at the end; give it back to :meth:`leave`."""
        event = asyncio.Event()
        self._followers.add(event)
        return event

    def leave(self, event: asyncio.Event) -> None:
        self._followers.discard(event)

    def read(self, offset: int = 0) -> tuple[bytes, int]:
        """Whole raw lines from ``offset`` on, and where to read on; b"" when there are no more."""
        if offset >= self._written:
            return b"", offset
        older = offset < self._base
        path, base = (self._older, self._older_base) if older else (self._path, self._base)
        offset = max(offset, base)
        try:
            with path.open("rb") as file:
                file.seek(offset - base)
                data = file.read(_CHUNK)
                if data and not data.endswith(b"\n"):
                    data += file.readline()
        except OSError:
            data = b""
        if not data:
            return self.read(self._base) if older else (b"", self._written)
        return data, offset + len(data)

    def raw_lines(self) -> tuple[list[bytes], int]:
        """All lines that are kept, and the offset after them."""
        lines: list[bytes] = []
        offset = 0
        while True:
            data, offset = self.read(offset)
            if not data:
                return lines, offset
            lines += data.splitlines()

    def tail(self, count: int) -> list[str]:
        """The texts of the last lines."""
        shown = select(self.raw_lines()[0], Wanted(tail=count))
        return b"".join(shown).decode(errors="replace").splitlines()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a log is asked for. ``since`` is wall time in seconds; None: no bound."""

    since: float | None = None
    tail: int | None = None
    timestamps: bool = False
    limit: int | None = None  # bytes

    def accepts(self, line: bytes) -> bool:
        if self.since is None:
            return True
        moment = parse_time(line.partition(b" ")[0].decode(errors="replace"))
        return moment is None or moment >= self.since

    def show(self, line: bytes) -> bytes:
        """A kept line as the client sees it."""
        time, _, rest = line.partition(b" ")
        _, _, rest = rest.partition(b" ")
        tag, _, text = rest.partition(b" ")
        end = b"" if tag == b"P" else b"\n"
        return (time + b" " if self.timestamps else b"") + text + end


def select(lines: Iterable[bytes], wanted: Wanted) -> list[bytes]:
    """The last ``tail`` of the lines that are young enough, as they are shown."""
    young = [line for line in lines if wanted.accepts(line)]
    if wanted.tail is not None:
        young = young[-wanted.tail :] if wanted.tail else []
    return [wanted.show(line) for line in young]


def bounded(chunks: Iterable[bytes], limit: int | None) -> Iterator[bytes]:
    """The chunks up to ``limit`` bytes in all."""
    left = limit
    for chunk in chunks:
        if left is None:
            yield chunk
            continue
        if left <= 0:
            return
        yield chunk[:left]
        left -= len(chunk)


class Splitter:
    """Lines out of a pipe's chunks; a line that grows too long is given out in parts."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Lines without their line feeds, and whether each is but a part."""
        self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            yield from _parts(line)
        while len(self._rest) > MAX_LINE:
            yield self._rest[:MAX_LINE], True
            self._rest = self._rest[MAX_LINE:]

    def end(self) -> Iterator[tuple[bytes, bool]]:
        if self._rest:
            yield self._rest, False
            self._rest = b""


def _parts(line: bytes) -> Iterator[tuple[bytes, bool]]:
    while len(line) > MAX_LINE:
        yield line[:MAX_LINE], True
        line = line[MAX_LINE:]
    yield line, False
