"""The doors through which managers touch their world, counted; and a manager's end at one of them.

A process may die before a call, or with its answer: more of the moment the world cannot know. So a
run that is repeated with an end at each of its calls and at each of its answers in turn has shown
every intermediate state that a crash can leave.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from beskar7.api.kinds import Kind
from beskar7.runtime.virtual import VirtualProcess
from scenarios.engine.schema import Door, Moment, Passage


class Doors:
    """Those of all managers of a world in virtual time."""

    def __init__(self) -> None:
        self.heard: Callable[[Passage], None] | None = None
        """Told of each passage, before it is gone through."""
        self.on_end: list[Callable[[Passage], object]] = []
        """Told of a manager's end at a door."""
        self.ended: Passage | None = None
        """Where a manager was ended since the last ``end_at``."""
        self._end: Door | None = None
        self._left = 0

    @property
    def watched(self) -> bool:
        return self._end is not None or self.heard is not None

    def end_at(self, door: Door) -> None:
        """Kill whoever makes that call, or gets that answer, counted from now on."""
        self.ended = None
        self._end = door
        self._left = door.nth

    def of(self, identity: str, process: VirtualProcess) -> ManagerDoors:
        return ManagerDoors(self, identity, process)

    def passing(self, moment: Moment, identity: str, process: VirtualProcess, what: str) -> None:
        if not process.alive:
            return
        passage = Passage(process.now(), identity, moment, what)
        if self.heard is not None:
            self.heard(passage)
        end = self._end
        if end is None or end.moment != moment or not fnmatchcase(what, f"*{end.match}*"):
            return
        self._left -= 1
        if self._left == 0:
            self.ended = passage
            self._end = None
            process.kill()
            for callback in self.on_end:
                callback(passage)
            process.sleep(0.0)  # raises: the caller goes no further


class ManagerDoors:
    """The hooks of one manager's two ports."""

    def __init__(self, doors: Doors, identity: str, process: VirtualProcess) -> None:
        self._doors = doors
        self._identity = identity
        self._process = process

    def kube_call(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        self._kube("call", verb, kind, namespace, name)

    def kube_answer(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        self._kube("answer", verb, kind, namespace, name)

    def bmc_call(self, bmc: str, method: str, path: str) -> None:
        self._bmc("call", bmc, method, path)

    def bmc_answer(self, bmc: str, method: str, path: str) -> None:
        self._bmc("answer", bmc, method, path)

    def _kube(self, moment: Moment, verb: str, kind: Kind, namespace: str, name: str) -> None:
        if self._doors.watched:
            self._passing(moment, f"{verb} {kind} {namespace}/{name}")

    def _bmc(self, moment: Moment, bmc: str, method: str, path: str) -> None:
        if self._doors.watched:
            self._passing(moment, f"{bmc} {method} {path}")

    def _passing(self, moment: Moment, what: str) -> None:
        self._doors.passing(moment, self._identity, self._process, what)
