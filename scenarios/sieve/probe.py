"""Hangs on a world in virtual time: learns what its managers meet, or perturbs it at one point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from beskar7.api.kinds import Kind
from emulator.kube.store.history import Change
from scenarios.engine.progress import Silent
from scenarios.engine.schema import Door, Passage
from scenarios.engine.virtual import VirtualWorld
from scenarios.engine.world import World
from scenarios.sieve.points import Learned, Point, passed, told


@dataclass(frozen=True, slots=True)
class Spans:
    """Seconds. ``held``: for how long the past is seen; ``restart``: from a crash until another
    manager is started, None: none is."""

    held: float = 5.0
    restart: float | None = 1.0


@dataclass(slots=True)
class Stale:
    """Nothing after ``since`` is seen by anybody but ``dead`` until ``until`` (None: not known,
    for ``held`` counts from the first list)."""

    since: float
    until: float | None = None
    only: str = ""
    """The one who is concerned; empty: everybody."""


class Probe(Silent):
    """Of one run. A progress as well, for it has to know when the load begins."""

    def __init__(self, point: Point | None = None, spans: Spans = Spans()) -> None:
        self.learned = Learned([], [], [])
        self.met = ""
        """What was perturbed, once it was."""
        self._point = point
        self._spans = spans
        self._begun = False
        self._stale: Stale | None = None
        self._calls: dict[tuple[str, str], float] = {}

    def prepare(self, world: World) -> None:
        self._world = cast("VirtualWorld", world)
        self._world.lens_of = self._lens

    def _lens(self, identity: str) -> ManagerLens:
        return ManagerLens(self, identity)

    def note(self, seconds: float, text: str) -> None:
        if not text.startswith("the load begins"):
            return
        self._begun = True
        doors, point = self._world.doors, self._point
        doors.heard = self._heard
        doors.on_end.append(self._ended)
        if point is not None and point.how in ("call", "answer", "next"):
            doors.end_at(Door("call" if point.how == "call" else "answer", point.number))

    def _heard(self, passage: Passage) -> None:
        learned, point = self.learned, self._point
        sights = learned.calls if passage.moment == "call" else learned.answers
        sights.append(passed(passage, self._world.store))
        if passage.moment == "answer":
            return
        self._calls[passage.manager, passage.what] = passage.time
        if point is not None and point.how == "own" and len(sights) == point.number:
            self.met = passage.what
            self._stale = Stale(passage.time, passage.time + self._spans.held, only=passage.manager)

    def _ended(self, passage: Passage) -> None:
        self.met = passage.what
        if self._point is not None and self._point.how == "next":
            self._stale = Stale(self._calls[passage.manager, passage.what])
        if self._spans.restart is not None:
            world = self._world
            world.runtime.timer(self._spans.restart, world.start_manager, name="sieve/restart")

    # What the managers' lenses ask.

    def age(self, identity: str) -> float:
        stale, now = self._stale, self._world.runtime.now()
        if stale is None or stale.only:
            return 0.0
        if stale.until is None:
            stale.until = now + self._spans.held
        return now - stale.since if now < stale.until else 0.0

    def due(self, identity: str, type_: str, change: Change) -> float | None:
        stale, point = self._stale, self._point
        if self._begun:
            entry = change.state(type_)
            events = self.learned.events
            events.append(told(identity, type_, change.kind.kind, entry.obj, self._world.store))
            if point is not None and point.how == "lost" and len(events) == point.number:
                self.met = events[-1].what
                return None
        if stale is None or stale.until is None or change.time <= stale.since:
            return 0.0
        return stale.until if stale.only in ("", identity) else 0.0


@dataclass(frozen=True, slots=True)
class ManagerLens:
    """See :class:`emulator.kube.lens.Lens`."""

    probe: Probe
    identity: str

    def age(self, kind: Kind) -> float:
        return self.probe.age(self.identity)

    def due(self, type_: str, change: Change) -> float | None:
        return self.probe.due(self.identity, type_, change)
