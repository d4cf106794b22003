"""A wall clock that is wrong: what a machine shows whose time service has failed.

Only :meth:`Runtime.wall` is wrong. The monotonic clock goes on at the rate of everybody's, as
Linux' does: its rate is corrected by at most 500 parts per million (adjtimex), whatever the date.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_OFFSET = 10 * 365 * 86_400.0
"""Seconds, either way: a battery that is empty puts a clock back by years."""
MAX_DRIFT = 0.5
"""Seconds gained or lost per second."""
ENVIRONMENT = "BESKAR7_CLOCK_SKEW"
"""Names the file that :func:`from_environment` follows; experiments set it, production does not."""

Skew = Callable[[float], float]
"""From ``Runtime.now()`` to the error of the wall clock in seconds; positive is ahead."""


@dataclass(frozen=True, slots=True)
class SkewWindow:
    """From ``begins`` until ``ends`` (``Runtime.now()``, None: for good) the clock is off.

    By ``offset`` seconds at once, and by ``drift`` more with each second. At the end it is right
    again, as after a step of NTP.
    """

    offset: float
    drift: float
    begins: float
    ends: float | None

    def error(self, now: float) -> float:
        if now < self.begins or (self.ends is not None and now >= self.ends):
            return 0.0
        return self.offset + self.drift * (now - self.begins)

    def to_json(self) -> list[float | None]:
        return [self.offset, self.drift, self.begins, self.ends]


class SkewFile:
    """The windows in a JSON file, which another process may change at any time.

    Without the file the clock is right. Whoever writes it replaces it in one step, so that another
    one is there by its inode; time is asked for thousands of times a second, reading is not.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None
        self._windows: list[SkewWindow] = []

    def __call__(self, now: float) -> float:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return 0.0
        seen = (found.st_ino, found.st_mtime_ns)
        if seen != self._read:
            self._windows = [SkewWindow(*each) for each in json.loads(self._path.read_bytes())]
            self._read = seen
        return sum(window.error(now) for window in self._windows)


def from_environment(environment: Mapping[str, str]) -> Skew | None:
    """The skew that the process was started with, if any."""
    path = environment.get(ENVIRONMENT)
    return SkewFile(Path(path)) if path else None
