"""What a person sees while a scenario runs: a live table on a terminal, else a line at times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

STATE_ORDER = (
    "Available",
    "Claimed",
    "Provisioning",
    "Provisioned",
    "Deprovisioning",
    "Enrolling",
    "Error",
    "Unknown",
    "None",
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment of a run. ``elapsed`` is seconds in the world since its start."""

    stage: str
    elapsed: float
    hosts: Mapping[str, int] = field(default_factory=dict)
    machines: Mapping[str, int] = field(default_factory=dict)
    managers: tuple[tuple[str, bool], ...] = ()
    attempts: int = 0
    conflicts: int = 0
    bmc_requests: int = 0
    bmc_writes: int = 0
    acts_done: int = 0
    acts: int = 0
    next_act: str = ""


class Progress(Protocol):
    """``update`` is called often and takes a function, so that most calls cost nothing."""

    def update(self, snapshot: Callable[[], Snapshot]) -> None: ...
    def note(self, elapsed: float, text: str) -> None:
        """Something happened, ``elapsed`` seconds in."""
        ...

    def close(self) -> None: ...


class Silent:
    """Shows nothing."""

    def update(self, snapshot: Callable[[], Snapshot]) -> None:
        pass

    def note(self, elapsed: float, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def _counts(counts: Mapping[str, int]) -> str:
    order = {name: index for index, name in enumerate(STATE_ORDER)}
    names = sorted(counts, key=lambda name: (order.get(name, len(order)), name))
    return " ".join(f"{name} {counts[name]}" for name in names) or "none"


def describe(snapshot: Snapshot) -> str:
    """One line."""
    parts = [f"[{snapshot.elapsed:6.1f} s] {snapshot.stage}: hosts {_counts(snapshot.hosts)}"]
    if snapshot.machines:
        parts.append(f"machines {_counts(snapshot.machines)}")
        parts.append(f"conflicts {snapshot.conflicts}/{snapshot.attempts}")
    parts.append(f"BMC requests {snapshot.bmc_requests}")
    return "; ".join(parts)


class Lines:
    """A plain line every ``every`` seconds of ``stopwatch``, and every note."""

    def __init__(self, stream: TextIO, stopwatch: Callable[[], float], every: float = 3.0) -> None:
        self._stream = stream
        self._stopwatch = stopwatch
        self._every = every
        self._next = stopwatch()

    def update(self, snapshot: Callable[[], Snapshot]) -> None:
        if self._stopwatch() >= self._next:
            self._next = self._stopwatch() + self._every
            self._write(describe(snapshot()))

    def note(self, elapsed: float, text: str) -> None:
        self._write(f"[{elapsed:6.1f} s] {text}")

    def close(self) -> None:
        pass

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


class LiveTable:
    """A table that is redrawn in place; notes scroll above it."""

    def __init__(
        self, console: Console, title: str, stopwatch: Callable[[], float], every: float = 0.2
    ) -> None:
        self._title = title
        self._stopwatch = stopwatch
        self._every = every
        self._began = stopwatch()
        self._next = self._began
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._live.start()

    def update(self, snapshot: Callable[[], Snapshot]) -> None:
        now = self._stopwatch()
        if now >= self._next:
            self._next = now + self._every
            self._live.update(self._draw(snapshot(), now - self._began), refresh=True)

    def note(self, elapsed: float, text: str) -> None:
        self._live.console.print(Text(f"[{elapsed:6.1f} s] {text}"))

    def close(self) -> None:
        self._live.stop()

    def _draw(self, snapshot: Snapshot, wall: float) -> Group:
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold")
        grid.add_column()
        managers = Text()
        for identity, alive in snapshot.managers:
            managers.append(identity + " ", style="green" if alive else "red strike")
        grid.add_row("hosts", _counts(snapshot.hosts))
        grid.add_row("machines", _counts(snapshot.machines))
        grid.add_row("claims", f"{snapshot.attempts} attempts, {snapshot.conflicts} conflicts")
        grid.add_row("BMCs", f"{snapshot.bmc_requests} requests, {snapshot.bmc_writes} writes")
        grid.add_row("managers", managers)
        pending = f"{snapshot.acts_done} of {snapshot.acts} done"
        if snapshot.next_act:
            pending += f"; next {snapshot.next_act}"
        grid.add_row("acts", pending)
        head = Text(f"{self._title} ", style="bold")
        head.append(f"{snapshot.stage}  ", style="cyan")
        head.append(f"{snapshot.elapsed:.1f} s in the world, {wall:.1f} s here", style="dim")
        return Group(head, grid)
