"""The doors through which managers touch their world, counted; and a manager's end at one of them.

A process may die before a call, or with its answer: more of the moment the world cannot know. So a
run that is repeated with an end at each of its calls and at each of its answers in turn has shown
every intermediate state that a crash can leave.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from beskar7.api.kinds import Kind
from beskar7.runtime.virtual import VirtualProcess

Moment = Literal["call", "answer"]


@dataclass(frozen=True, slots=True)
class Passage:
    """A call, or its answer. ``time`` in virtual seconds."""

    time: float
    manager: str
    what: str


class Doors:
    """Those of all managers of a world in virtual time; nothing is counted before ``watch``."""

    def __init__(self) -> None:
        self.passed: dict[Moment, list[Passage]] = {"call": [], "answer": []}
        self.ended: Passage | None = None
        """Where a manager was ended."""
        self._watching = False
        self._end: tuple[Moment, int] | None = None

    def watch(self, end: tuple[Moment, int] | None = None) -> None:
        """Count from now on. ``end``: kill whoever makes that call, or gets that answer, from 0."""
        self._watching = True
        self._end = end

    def of(self, identity: str, process: VirtualProcess) -> ManagerDoors:
        return ManagerDoors(self, identity, process)

    def passing(self, moment: Moment, identity: str, process: VirtualProcess, what: str) -> None:
        if not self._watching or not process.alive:
            return
        passage = Passage(process.now(), identity, what)
        passed = self.passed[moment]
        passed.append(passage)
        if self._end == (moment, len(passed) - 1):
            self.ended = passage
            process.kill()
            process.sleep(0.0)  # raises: the caller goes no further


class ManagerDoors:
    """The hooks of one manager's two ports."""

    def __init__(self, doors: Doors, identity: str, process: VirtualProcess) -> None:
        self._doors = doors
        self._identity = identity
        self._process = process

    def kube_call(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        self._passing("call", f"{verb} {kind} {namespace}/{name}")

    def kube_answer(self, verb: str, kind: Kind, namespace: str, name: str) -> None:
        self._passing("answer", f"{verb} {kind} {namespace}/{name}")

    def bmc_call(self, bmc: str, method: str, path: str) -> None:
        self._passing("call", f"{bmc} {method} {path}")

    def bmc_answer(self, bmc: str, method: str, path: str) -> None:
        self._passing("answer", f"{bmc} {method} {path}")

    def _passing(self, moment: Moment, what: str) -> None:
        self._doors.passing(moment, self._identity, self._process, what)
