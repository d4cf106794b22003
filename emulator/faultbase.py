"""What every fault says, whatever it hits: what happens, when, how often, by what chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar, cast, get_args

from emulator import fields as f
from emulator.fields import FieldError

MAX_FAULTS = 1000
"""In force at one time, in one set."""

FIELDS = ("id", "kind", "start", "duration", "probability", "count")
"""What every fault has; the kinds add their own."""

Direction = Literal["both", "calls", "answers"]
"""Which way a fault of the network works: from client to server, or back."""
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFault:
    """Times are seconds; see :func:`read_base` for the bounds.

    ``every``: what starts at ``start`` and lasts for ``duration`` comes again after so long, and
    ``times`` times in all (None: for ever).
    """

    id: str
    kind: str
    start: float = 0.0
    duration: float | None = None
    probability: float = 1.0
    count: int | None = None
    every: float | None = None
    times: int | None = None

    def base_dict(self) -> dict[str, Any]:
        """What :func:`read_base` reads back."""
        data: dict[str, Any] = {"id": self.id, "kind": self.kind}
        data |= {"start": self.start, "duration": self.duration}
        return data | {"probability": self.probability, "count": self.count}


def refuse_chance(where: str, kind: str, probability: float, count: int | None) -> None:
    """Raises FieldError for a kind that is a state, not something that now and then happens."""
    if probability < 1.0 or count is not None:
        named = "probability" if count is None else "count"
        raise FieldError(f"{where}.{named}: kind {kind} takes neither count nor probability")


def read_base(fields: Mapping[str, Any], where: str, default_id: str, kind: str) -> dict[str, Any]:
    """The common fields of :class:`BaseFault`, checked.

    Raises :class:`FieldError` with the field and what it may hold.
    """
    duration, count = fields.get("duration"), fields.get("count")
    return {
        "id": f.text(fields.get("id", default_id), f"{where}.id"),
        "kind": kind,
        "start": f.number(fields.get("start", 0.0), f"{where}.start", 0.0, 1e9),
        "duration": None if duration is None else f.number(duration, f"{where}.duration", 0.0, 1e9),
        "probability": f.number(fields.get("probability", 1.0), f"{where}.probability", 0.0, 1.0),
        "count": None if count is None else f.whole(count, f"{where}.count", 1, 10**9),
    }


def read_repeat(fields: Mapping[str, Any], where: str, duration: float | None) -> dict[str, Any]:
    """``every`` and ``times``, checked against ``duration``."""
    every, times = fields.get("every"), fields.get("times")
    if every is None:
        if times is not None:
            raise FieldError(f"{where}.times: needs every, the seconds from one to the next")
        return {}
    if not duration:
        raise FieldError(f"{where}.every: needs a duration, that of each time")
    return {
        "every": f.number(every, f"{where}.every", duration, 1e9),
        "times": None if times is None else f.whole(times, f"{where}.times", 1, 10**9),
    }


def read_direction(value: object, where: str) -> Direction:
    """Raises :class:`FieldError`."""
    return cast("Direction", f.choice(value, where, DIRECTIONS))


def only_for(fields: Mapping[str, Any], where: str, kind: str, name: str, *owners: str) -> None:
    """Raises :class:`FieldError` where ``name`` is given to a kind that has no such field."""
    if name in fields and kind not in owners:
        raise FieldError(f"{where}.{name}: only for kind {' or '.join(owners)}, not {kind}")


F = TypeVar("F", bound=BaseFault)


@dataclass(slots=True)
class Active(Generic[F]):
    """A fault in a set: when its time began, whom it hits, how often it did."""

    fault: F
    origin: float
    chosen: frozenset[str] = frozenset()
    hits: int = 0

    @property
    def begins(self) -> float:
        return self.origin + self.fault.start

    @property
    def ends(self) -> float | None:
        """When it is over for good; None: not by itself."""
        fault = self.fault
        if fault.duration is None or (fault.every is not None and fault.times is None):
            return None
        return self.window((fault.times or 1) - 1)[1]

    def window(self, number: int) -> tuple[float, float | None]:
        """Begin and end of the ``number``-th time, from 0."""
        begins = self.begins + number * (self.fault.every or 0.0)
        return begins, None if self.fault.duration is None else begins + self.fault.duration

    def number(self, now: float) -> int:
        """Which time it is at ``now``, or was last; -1 before the first."""
        fault = self.fault
        if now < self.begins:
            return -1
        if fault.every is None:
            return 0
        found = math.floor((now - self.begins) / fault.every)
        # The quotient may fall on the wrong side of a border that the product defines.
        found += (self.window(found + 1)[0] <= now) - (self.window(found)[0] > now)
        return found if fault.times is None else min(found, fault.times - 1)

    def next_change(self, now: float) -> float | None:
        """When it next begins or ends by itself, after ``now``."""
        number = max(0, self.number(now))
        last = None if self.fault.every is None else self.fault.times
        ahead = (0, 1) if self.fault.every and (last is None or number + 1 < last) else (0,)
        times = [time for step in ahead for time in self.window(number + step)]
        return min((time for time in times if time is not None and time > now), default=None)

    def until(self, now: float) -> float | None:
        """When the time that is running at ``now`` ends by itself."""
        return self.window(max(0, self.number(now)))[1]

    def in_force(self, now: float) -> bool:
        spent = self.fault.count is not None and self.hits >= self.fault.count
        number = -1 if spent else self.number(now)
        if number < 0:
            return False
        ends = self.window(number)[1]
        return ends is None or now < ends


def entries(data: object) -> tuple[list[tuple[str, object]], float | None]:
    """A control request's faults, each with its name in errors, and their common origin.

    ``data`` is one fault, or ``{"faults": [...], "origin": <runtime.now() seconds>}``.
    Raises :class:`FieldError`.
    """
    if not isinstance(data, dict) or "faults" not in data:
        return [("fault", data)], None
    listed = data["faults"]
    if not isinstance(listed, list):
        raise FieldError("faults: must be a list")
    origin = data.get("origin")
    if origin is not None:
        origin = f.number(origin, "origin", 0.0, 1e15)
    return [(f"faults[{index}]", entry) for index, entry in enumerate(listed)], origin
