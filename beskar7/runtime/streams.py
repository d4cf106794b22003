"""Named random streams: one per purpose and object, so that no draw shifts another's."""

from __future__ import annotations

import hashlib
import random


class Streams:
    """The streams of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, random.Random] = {}

    def names(self) -> tuple[str, ...]:
        return tuple(self._streams)

    def get(self, name: str) -> random.Random:
        stream = self._streams.get(name)
        if stream is None:
            digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=16).digest()
            stream = self._streams[name] = random.Random(int.from_bytes(digest, "big"))
        return stream

    def forget(self, name: str) -> None:
        self._streams.pop(name, None)
