"""An append-only log of what the store holds, checked by sums, that survives a kill at any byte.

Why a log of our own and not SQLite: an answer waits for its commit, on the one thread that serves
everybody. A frame appended to a file costs one ``write`` (a few microseconds); a SQLite
transaction in WAL mode costs several times that, and would index what is held in memory anyway.
Nothing is ever read back but the whole, at the start.

**Form.** A file ``state-N.log`` is a row of frames: magic, CRC-32, length, payload. A payload is a
row of operations: all that one call of a client changed, with its consequences (a namespace and
what was in it), is one frame, so it is there whole or not at all. A file begins with a header and
the state at its creation, closed by a mark; it came under its name by ``rename`` after ``fsync``,
so this part is whole. When the log has grown to a multiple of the state, file ``N + 1`` takes over.

**What survives.** Policy ``os`` (the default): a frame is handed to the system before the client
gets its answer, so what was acknowledged survives SIGKILL of the server at any moment; a crash of
the machine may take the last seconds. Policy ``always``: the frame is on disk (``fdatasync``)
before the answer; at best a few hundred writes a second. Either way a torn last frame is cut off
at the next start. Damage before the last frame is not a crash's doing: the start is refused.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Fsync = Literal["os", "always"]
POLICIES: tuple[Fsync, ...] = ("os", "always")
FORMAT = 1
_MAGIC = b"\xb7K7\n"
_HEAD = struct.Struct("<4sII")  # magic, CRC-32 of the payload, its length
_OPERATION = struct.Struct("<cQHI")  # which, resourceVersion, length of the key, of the body
_MAX_FRAME = 1 << 30
_NAME = re.compile(r"state-(\d{8})\.log")
_BATCH = 1 << 20  # bytes of a frame in the state that a file begins with

PUT, DELETE, FLOOR, HEADER, MARK = b"P", b"D", b"F", b"H", b"M"


class JournalError(Exception):
    """The directory cannot be used; ``args[0]`` is for the user."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``which``: PUT (key, object), DELETE (key), FLOOR (no version below was ever handed out)."""

    which: bytes
    version: int
    key: bytes = b""
    body: bytes = b""

    def encoded(self) -> bytes:
        head = _OPERATION.pack(self.which, self.version, len(self.key), len(self.body))
        return head + self.key + self.body


def frame(payload: bytes) -> bytes:
    return _HEAD.pack(_MAGIC, zlib.crc32(payload), len(payload)) + payload


@dataclass(slots=True)
class Contents:
    """What a file says: the last body by key, and the highest version in it."""

    state: dict[bytes, tuple[int, bytes]]
    version: int
    size: int
    """Bytes up to which the file is whole."""
    torn: int
    """Bytes behind that, of a frame that was being written."""


class Journal:
    """The log in a directory of its own; one process at a time has it open.

    ``floor`` and ``state`` are what was found. Raises :class:`JournalError`.
    """

    def __init__(self, directory: Path, fsync: Fsync = "os") -> None:
        self._directory = directory
        self._always = fsync == "always"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(directory / "lock")
            self._file, self._generation, found = self._open()
        except OSError as error:
            raise JournalError(f"{error.filename or directory}: {error.strerror}") from error
        self.state = found.state
        self.version = found.version
        self.torn = found.torn
        self.size = found.size

    def append(self, operations: Iterable[Operation]) -> None:
        """One frame. Raises ``OSError``; then the file is as it was before, as far as can be."""
        data = frame(b"".join(operation.encoded() for operation in operations))
        try:
            _write_all(self._file, data)
            if self._always:
                os.fdatasync(self._file)
        except OSError:
            os.ftruncate(self._file, self.size)
            raise
        self.size += len(data)

    def rewrite(self, operations: Iterable[Operation]) -> None:
        """Begin the next file with these, the whole state. Raises ``OSError``."""
        old = self._path(self._generation)
        file, size = self._begin(self._generation + 1, operations)
        os.close(self._file)
        self._file, self.size = file, size
        self._generation += 1
        old.unlink(missing_ok=True)

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _open(self) -> tuple[int, int, Contents]:
        """Descriptor, generation and contents of the newest file."""
        for leftover in self._directory.glob("state-*.tmp"):
            leftover.unlink()
        names = (_NAME.fullmatch(path.name) for path in self._directory.iterdir())
        generations = sorted(int(name[1]) for name in names if name)
        if not generations:
            file, size = self._begin(1, ())
            return file, 1, Contents({}, 0, size, 0)
        newest = generations[-1]
        path = self._path(newest)
        found = read(path.read_bytes(), path)
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        if found.torn:
            os.ftruncate(file, found.size)
            os.fsync(file)
        for older in generations[:-1]:
            self._path(older).unlink()
        return file, newest, found

    def _begin(self, generation: int, operations: Iterable[Operation]) -> tuple[int, int]:
        """Descriptor and size of a new file that is complete under its name."""
        path = self._path(generation)
        temporary = path.with_suffix(".tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
        file = os.open(temporary, flags, 0o600)
        size = 0
        for data in _initial(operations):
            _write_all(file, data)
            size += len(data)
        os.fsync(file)
        temporary.replace(path)
        directory = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return file, size

    def _path(self, generation: int) -> Path:
        return self._directory / f"state-{generation:08d}.log"


def read(data: bytes, path: Path) -> Contents:
    """Raises :class:`JournalError` for a file that no crash of ours can have left."""
    state: dict[bytes, tuple[int, bytes]] = {}
    version, size, begun, complete = 0, 0, False, False
    for end, operations in _frames(data):
        for operation in operations:
            if not begun:
                if operation.which != HEADER or operation.version != FORMAT:
                    raise JournalError(f"{path}: not a state log of format {FORMAT}")
                begun = True
            elif operation.which == PUT:
                state[operation.key] = (operation.version, operation.body)
            elif operation.which == DELETE:
                state.pop(operation.key, None)
            complete |= operation.which == MARK
            if operation.which in (PUT, DELETE, FLOOR):
                version = max(version, operation.version)
        size = end
    beyond = _next_frame(data, size + 1)
    if not complete or beyond is not None:
        raise JournalError(
            f"{path}: damaged at byte {size} of {len(data)}, and not by a crash of the server; "
            "put the file back from a copy, or move the directory away to begin anew"
        )
    return Contents(state, version, size, len(data) - size)


def _frames(data: bytes) -> Iterator[tuple[int, list[Operation]]]:
    """Each whole frame from the start on, with where it ends."""
    at = 0
    while (payload := _payload(data, at)) is not None:
        at += _HEAD.size + len(payload)
        yield at, _operations(payload)


def _payload(data: bytes, at: int) -> bytes | None:
    if at + _HEAD.size > len(data):
        return None
    magic, check, length = _HEAD.unpack_from(data, at)
    if magic != _MAGIC or length > min(_MAX_FRAME, len(data) - at - _HEAD.size):
        return None
    payload = data[at + _HEAD.size : at + _HEAD.size + length]
    return payload if zlib.crc32(payload) == check else None


def _next_frame(data: bytes, at: int) -> int | None:
    """Where a whole frame begins at or after ``at``."""
    while (at := data.find(_MAGIC, at)) >= 0:
        if _payload(data, at) is not None:
            return at
        at += 1
    return None


def _operations(payload: bytes) -> list[Operation]:
    found = []
    at = 0
    while at < len(payload):
        which, version, key, body = _OPERATION.unpack_from(payload, at)
        at += _OPERATION.size
        found.append(
            Operation(which, version, payload[at : at + key], payload[at + key : at + key + body])
        )
        at += key + body
    return found


def _initial(operations: Iterable[Operation]) -> Iterator[bytes]:
    yield frame(Operation(HEADER, FORMAT).encoded())
    parts: list[bytes] = []
    held = 0
    for operation in operations:
        parts.append(operation.encoded())
        held += len(parts[-1])
        if held >= _BATCH:
            yield frame(b"".join(parts))
            parts, held = [], 0
    parts.append(Operation(MARK, 0).encoded())
    yield frame(b"".join(parts))


def _write_all(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _locked(path: Path) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise JournalError(f"{path.parent}: another server has it open") from None
    return file
