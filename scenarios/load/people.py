"""A shape's users in virtual time: what Locust's users do, done by the scenario's own runner."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from loadtest.lifecycle import Settings
from loadtest.shapes import AGAIN, PACED, Shape
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import Track, phase
from scenarios.engine.runner import Load
from scenarios.engine.schema import Coming


@dataclass(slots=True)
class _Life:
    """Of a machine that was asked for at ``since``; ``leaves`` is when it is to be given back."""

    number: int
    since: float
    track: Track | None = None
    served: bool = False
    leaves: float | None = None
    left: bool = False


@dataclass(slots=True)
class People:
    """See :class:`scenarios.engine.traffic.Demand`. Who is not served in time gives up."""

    shape: Shape
    evidence: Evidence
    limits: Settings = field(default_factory=Settings)
    _arrivals: deque[float] = field(default_factory=deque)
    _lives: list[_Life] = field(default_factory=list)
    _served: int = 0
    _known: int = 0
    """Versions of machines that were looked at."""

    def __post_init__(self) -> None:
        made, began = self.shape, self.evidence.origin
        times = made.appointments() if made.lives == PACED else made.arrivals()
        self._arrivals.extend(began + time for time in times)

    @property
    def to_come(self) -> int:
        return len(self._arrivals)

    @property
    def pending(self) -> bool:
        return bool(self._arrivals or self._lives)

    @property
    def next_at(self) -> float | None:
        due = [life.leaves for life in self._lives if life.leaves is not None and not life.left]
        due += [self._patience(life) for life in self._lives if not life.served]
        return min([*due, *list(self._arrivals)[:1]], default=None)

    def arriving(self, now: float) -> list[Coming]:
        self._look(now)
        due = []
        while self._arrivals and self._arrivals[0] <= now:
            due.append(Coming(self._arrivals.popleft() - self.evidence.origin))
        return due

    def arrived(self, numbers: Iterable[int], coming: Iterable[Coming], now: float) -> None:
        self._lives += [_Life(number, now) for number in numbers]

    def leaving(self, now: float) -> list[int]:
        gone = []
        for life in self._lives:
            if not life.served and self._patience(life) <= now:
                self._serve(life, now, in_vain=True)
            if life.leaves is not None and life.leaves <= now and not life.left:
                life.left = True
                gone.append(life.number)
        return gone

    def abandon(self) -> None:
        """Nothing of it goes on by itself."""

    def _patience(self, life: _Life) -> float:
        claimed = life.track is not None and bool(
            ((life.track.last or {}).get("status") or {}).get("hostRef")
        )
        limits = self.limits
        return life.since + (limits.provision_timeout if claimed else limits.claim_timeout)

    def _look(self, now: float) -> None:
        """Take in what became of the machines."""
        tracks = self.evidence.history.machines
        versions = sum(len(track.versions) for track in tracks.values())
        if versions == self._known:
            return
        self._known = versions
        named = {track.name: track for track in tracks.values()}
        for life in self._lives:
            if life.track is None:
                life.track = named.get(f"machine-{life.number:03d}")
            track = life.track
            if track is None:
                continue
            if not life.served and phase(track.last) in ("Provisioned", "Failed"):
                self._serve(life, now, in_vain=phase(track.last) == "Failed")
        before = len(self._lives)
        self._lives = [life for life in self._lives if life.track is None or not life.track.gone]
        if self.shape.lives == AGAIN and now - self.evidence.origin < self.shape.seconds:
            self._arrivals.extend([now] * (before - len(self._lives)))

    def _serve(self, life: _Life, now: float, *, in_vain: bool) -> None:
        life.served = True
        self._served += 1
        if in_vain:
            life.leaves = now
        elif not self.shape.together:
            life.leaves = now + self.shape.hold
        if self.shape.together and self._served >= self.shape.machines:
            for other in self._lives:
                if other.leaves is None:
                    other.leaves = now + self.shape.hold


def people(made: Shape) -> Load:
    """What :class:`scenarios.engine.runner.Run` wants as its load."""
    return lambda world, evidence: People(made, evidence)
