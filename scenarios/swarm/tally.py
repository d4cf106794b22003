"""Counts what a swarm has played, and says it: on the way, at the end, and as JSON."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from scenarios.swarm.records import Record

LINE_SECONDS = 5.0
"""Between two lines of progress where there is no terminal."""
REDRAW_SECONDS = 0.2


@dataclass(slots=True)
class Tally:
    """``runs`` holds seed, trace hash and ways of each run: some 200 bytes a seed."""

    began: float
    runs: dict[int, tuple[str | None, tuple[str, ...]]] = field(default_factory=dict)
    virtual_seconds: float = 0.0
    failures: dict[int, Record] = field(default_factory=dict)
    slowest: tuple[float, int] = (0.0, 0)

    def add(self, record: Record) -> None:
        self.runs[record.seed] = (record.trace_hash, record.ways)
        self.virtual_seconds += record.virtual_seconds
        self.slowest = max(self.slowest, (record.wall_seconds, record.seed))
        if not record.passed:
            self.failures[record.seed] = record

    @property
    def digest(self) -> str:
        """Of all trace hashes by seed: equal for equal runs, in whatever order they came."""
        lines = [f"{seed} {hash}\n" for seed, (hash, _) in sorted(self.runs.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def kinds(self) -> str:
        """The failures by kind, in words."""
        counts = Counter(str(record.kind) for record in self.failures.values())
        known = [f"{counts[kind]} {kind}" for kind in ("safety", "liveness", "harness")]
        return ", ".join(known)

    def line(self, now: float) -> str:
        """One line of progress; ``now`` on the clock of ``began``."""
        wall = max(now - self.began, 1e-9)
        failed = f"{len(self.failures)} failures"
        if self.failures:
            failed += f" ({self.kinds()})"
        return (
            f"[{wall:6.1f} s] {len(self.runs)} seeds, {self.virtual_seconds / 3600:.1f} virtual "
            f"hours, {self.virtual_seconds / wall:.0f}x, {failed}, "
            f"{len(self.runs) / wall:.1f} seeds/s"
        )

    def to_json(self, now: float, ending: str) -> dict[str, Any]:
        wall = now - self.began
        return {
            "ending": ending,
            "passed": not self.failures,
            "seeds": len(self.runs),
            "virtual_seconds": round(self.virtual_seconds, 3),
            "wall_seconds": round(wall, 3),
            "speed_up": round(self.virtual_seconds / max(wall, 1e-9), 1),
            "digest": self.digest,
            "failures": [
                {
                    "seed": seed,
                    "kind": record.kind,
                    "ways": list(record.ways),
                    "said": record.said,
                    "trace_hash": record.trace_hash,
                }
                for seed, record in sorted(self.failures.items())
            ],
            "runs": [
                {"seed": seed, "trace_hash": hash, "ways": list(ways)}
                for seed, (hash, ways) in sorted(self.runs.items())
            ],
        }


class LiveLine:
    """The progress line: redrawn in place on a terminal, else written now and then."""

    def __init__(self, console: Console, stopwatch: Callable[[], float]) -> None:
        self._console = console
        self._stopwatch = stopwatch
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        self._next = stopwatch()

    def update(self, text: Callable[[float], str]) -> None:
        """``text`` is asked for only when it is shown."""
        now = self._stopwatch()
        if now < self._next:
            return
        self._next = now + (REDRAW_SECONDS if self._live else LINE_SECONDS)
        if self._live:
            self._live.update(Text(text(now)), refresh=True)
        else:
            self.say(text(now))

    def say(self, text: str) -> None:
        """A line that stays; neither markup nor folded."""
        console = self._live.console if self._live else self._console
        console.print(Text(text), soft_wrap=True)

    def close(self) -> None:
        if self._live:
            self._live.stop()
