"""What goes to a player of seeds and what comes back, in a form that crosses processes."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from scenarios.swarm.ways import FailureKind, kind_of

MAX_FILES_BYTES = 8 * 1024 * 1024
"""Of one seed's files on their way, compressed; what does not fit is left out, the last first."""


@dataclass(frozen=True, slots=True)
class Task:
    """One seed to play. ``document``: play this instead of what the seed draws around ``base``.

    ``keep``: bring the files of a failure. ``limit``: wall seconds, then it counts as hung.
    """

    seed: int
    base: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = None
    keep: bool = False
    limit: float = 300.0

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "base": self.base,
            "document": self.document,
            "keep": self.keep,
        }


@dataclass(frozen=True, slots=True)
class Record:
    """How one seed went. ``ways`` are those of its failure, the worst first; empty: it held.

    ``said`` is for people. ``files`` are by name, packed as :func:`pack` does.
    """

    seed: int
    ways: tuple[str, ...] = ()
    said: str = ""
    trace_hash: str | None = None
    virtual_seconds: float = 0.0
    wall_seconds: float = 0.0
    max_rss_bytes: int = 0
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.ways

    @property
    def kind(self) -> FailureKind:
        """Of a failure; by its worst way."""
        return kind_of(self.ways[0])

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        return cls(**{**data, "ways": tuple(data["ways"])})


def pack(files: Mapping[str, bytes]) -> dict[str, str]:
    """Compressed and as text, as many of them in their order as fit."""
    packed: dict[str, str] = {}
    left = MAX_FILES_BYTES
    for name, content in files.items():
        text = base64.b64encode(zlib.compress(content, 6)).decode("ascii")
        left -= len(text)
        if left >= 0:
            packed[name] = text
    return packed


def unpack(packed: Mapping[str, str]) -> dict[str, bytes]:
    return {name: zlib.decompress(base64.b64decode(text)) for name, text in packed.items()}
