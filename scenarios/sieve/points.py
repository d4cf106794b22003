"""Where a run can be perturbed: found in a learned run, alike ones taken once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from emulator.kube.store.store import Store
from scenarios.engine.history import Object, consumer_uid, deleting, phase, state
from scenarios.engine.schema import Passage

Pattern = Literal["intermediate", "stale", "unobserved"]
PATTERNS: tuple[Pattern, ...] = get_args(Pattern)
How = Literal["call", "answer", "own", "next", "lost"]
WRITES = ("create", "update", "update_status", "patch", "patch_status", "delete")
VERBS = ("get", "list", "watch", *WRITES)
_HOWS: dict[Pattern, tuple[How, ...]] = {
    "intermediate": ("call", "answer"),
    "stale": ("own", "next"),
    "unobserved": ("lost",),
}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Point:
    """One perturbation of a run.

    intermediate: whoever makes the ``number``-th ``call``, or gets the ``answer``, dies there.
    stale: from the ``number``-th call on, which is a write, its author's watches are held back
    (``own``); or it dies with the ``number``-th answer, to a write, and whoever is next sees the
    state before it (``next``). unobserved: the ``number``-th event that a watch tells a manager is
    ``lost``. All count from 1 and from the load's start.
    """

    pattern: Pattern
    how: How
    number: int
    what: str = ""
    """What is met there, in the learned run."""

    @property
    def name(self) -> str:
        return f"{self.pattern}:{self.how}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> Point:
        """The point of this name. Raises ValueError with what would be right."""
        pattern, _, rest = text.partition(":")
        how, _, number = rest.partition(":")
        for known, ways in _HOWS.items():
            for way in ways:
                if (pattern, how) == (known, way) and number.isascii() and number.isdigit():
                    return cls(known, way, int(number))
        names = [f"{known}:{way}:N" for known, ways in _HOWS.items() for way in ways]
        raise ValueError(f"{text!r} is no perturbation; it is one of {', '.join(names)}")


@dataclass(frozen=True, slots=True)
class Sight:
    """A passage of a door, or an event that was told, with the state in which it was met."""

    what: str
    alike: str
    """Equal for those that a controller cannot tell apart but by names."""
    write: bool = False


def passed(passage: Passage, store: Store) -> Sight:
    first, second, place = passage.what.split(" ", 2)
    if first in VERBS:
        deed, name = f"{first} {second}", place.rpartition("/")[2]
    else:  # a BMC, a method and a path
        deed, name = f"{second} {_UUID.sub('*', place)}", first
    return Sight(passage.what, f"{deed} {_of(store, name)} {_all(store)}", first in WRITES)


def told(manager: str, type_: str, kind: str, obj: Object, store: Store) -> Sight:
    name = f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}"
    alike = f"{type_} {kind} {summary(obj)} {_all(store)}"
    return Sight(f"{manager} {type_} {kind} {name}", alike)


def summary(obj: Object) -> str:
    """What of a host or machine the controller decides by."""
    parts = [state(obj) or phase(obj), "owned" if consumer_uid(obj) else ""]
    return "+".join(filter(None, [*parts, "deleting" if deleting(obj) else ""]))


def _of(store: Store, name: str) -> str:
    return " ".join(s for at, s in _states(store) if at == name)


def _all(store: Store) -> str:
    """The states that there are; how many are in each makes no difference."""
    return ",".join(sorted({found for _, found in _states(store)}))


def _states(store: Store) -> Iterable[tuple[str, str]]:
    for kind in (BESKAR7_MACHINE, PHYSICAL_HOST):
        for entry in store.list(kind, None, None):
            yield entry.name, f"{kind.kind}:{summary(entry.obj)}"


@dataclass(slots=True)
class Learned:
    """What a run without perturbation met, in order."""

    calls: list[Sight]
    answers: list[Sight]
    events: list[Sight]

    def points(self, patterns: Iterable[Pattern] = PATTERNS, *, every: bool = False) -> list[Point]:
        """The perturbations; of those that are alike the first only, or ``every`` one."""
        found = []
        for pattern in patterns:
            for how in _HOWS[pattern]:
                seen = set()
                for number, sight in enumerate(self._met(how), start=1):
                    if pattern == "stale" and not sight.write:
                        continue
                    if every or sight.alike not in seen:
                        seen.add(sight.alike)
                        found.append(Point(pattern, how, number, sight.what))
        return found

    def _met(self, how: How) -> list[Sight]:
        if how == "lost":
            return self.events
        return self.calls if how in ("call", "own") else self.answers
