"""The shapes of load: when machines are asked for, how long they are kept, and when it is over.

Plain data, so that who starts a test and who plays the same in virtual time read them too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

MAX_MACHINES = 10_000
MAX_RATE = 1_000.0
MAX_SECONDS = 7 * 24 * 3600.0
ONCE, AGAIN, PACED = "once", "again", "paced"


class ShapeError(Exception):
    """There is no such shape, or it cannot be made like this; meant for the person who asked."""


@dataclass(frozen=True, slots=True)
class Step:
    """From ``at`` seconds on there are ``users``; they come ``rate`` a second. No step has fewer
    than the one before."""

    at: float
    users: int
    rate: float


@dataclass(frozen=True, slots=True)
class Shape:
    """``lives``: what a user does.

    ``once``: it asks for one machine. ``again``: for one after the other (a closed loop: who waits
    asks for nothing). ``paced``: for one at each of its appointments, ``pace`` a second over all
    users, whatever becomes of those before (an open model: times count from the appointment, so
    that a slow answer cannot hide the load it kept away).

    ``hold``: seconds for which a machine is kept once it is Provisioned. ``together``: all are
    kept until the last is there, and given back at one moment. ``seconds``: after which nobody
    asks any more; 0 where each user asks once.
    """

    name: str
    description: str
    steps: tuple[Step, ...]
    lives: str = ONCE
    hold: float = 1.0
    together: bool = False
    pace: float = 0.0
    seconds: float = 0.0

    @property
    def users(self) -> int:
        """The most at one time."""
        return max(step.users for step in self.steps)

    @property
    def machines(self) -> int:
        """How many are asked for; for ``again`` those that are wanted at one time."""
        if self.lives == PACED:
            return len(self.appointments())
        return self.users

    def users_at(self, seconds: float) -> Step:
        """The step that is in force at so many seconds."""
        return [step for step in self.steps if step.at <= seconds][-1]

    def arrivals(self) -> list[float]:
        """When the users come, in seconds from the start, in order: as Locust starts them, which
        is ``rate`` of them together (one, if it is less), and the next a second later."""
        found: list[float] = []
        for step in self.steps:
            together = max(1, math.floor(step.rate))
            between = together / step.rate
            coming = step.users - len(found)
            found += [step.at + between * (number // together) for number in range(coming)]
        return found

    def appointments(self) -> list[float]:
        """When a ``paced`` shape asks for machines, over all users."""
        count = math.floor(self.pace * self.seconds + 1e-9)
        return [number / self.pace for number in range(min(count, MAX_MACHINES))]


@dataclass(frozen=True, slots=True)
class Size:
    """What is asked for by the command line; None where the shape's own is meant."""

    machines: int | None = None
    rate: float | None = None
    seconds: float | None = None
    hold: float | None = None


def shape(name: str, size: Size | None = None) -> Shape:
    """The shape of that name and size. Raises ShapeError."""
    size = size or Size()
    if name not in SHAPES:
        raise ShapeError(f"no shape is called {name!r}; there are {', '.join(SHAPES)}")
    _check(size)
    made = SHAPES[name](size)
    if size.rate is not None and made.lives != PACED:
        raise ShapeError(f"--rate: {name} has none; it belongs to sustained")
    if size.machines is not None and made.lives == PACED:
        raise ShapeError(f"--machines: {name} goes by --rate and --duration")
    if size.seconds is not None and made.lives == ONCE:
        raise ShapeError(f"--duration: {name} lasts until its machines have been served")
    if made.lives == PACED and not 1 <= made.machines < MAX_MACHINES:
        asked = f"{made.pace:g}/s for {made.seconds:g} s"
        raise ShapeError(f"{name}: {asked} is not between 1 and {MAX_MACHINES} machines")
    return made if size.hold is None else replace(made, hold=size.hold)


def chosen(options: Any) -> Shape | None:
    """The shape that options of a command line name; None where Locust's own say how many users.

    Raises ShapeError.
    """
    if not options.shape:
        return None
    size = Size(options.machines, options.rate, options.shape_seconds, options.shape_hold)
    return shape(options.shape, size)


def _check(size: Size) -> None:
    if size.machines is not None and not 1 <= size.machines <= MAX_MACHINES:
        raise ShapeError(f"--machines: {size.machines} is not from 1 to {MAX_MACHINES}")
    if size.rate is not None and not 0 < size.rate <= MAX_RATE:
        raise ShapeError(f"--rate: {size.rate:g} is not above 0 and at most {MAX_RATE:g} a second")
    for option, seconds in (("--duration", size.seconds), ("--hold", size.hold)):
        if seconds is not None and not 0 <= seconds <= MAX_SECONDS:
            raise ShapeError(f"{option}: {seconds:g} is not from 0 to {MAX_SECONDS:g} seconds")


def _batch(size: Size) -> Shape:
    count = size.machines or 10
    steps = (Step(0.0, count, float(count)),)
    return Shape("batch", "all machines are asked for within a second", steps)


STEPS, STEP_SECONDS = 5, 5.0


def _steps(size: Size) -> Shape:
    count = size.machines or 50
    several = min(STEPS, count)
    sizes = [round(count * (number + 1) / several) for number in range(several)]
    steps = tuple(
        Step(STEP_SECONDS * number, users, float(users)) for number, users in enumerate(sizes)
    )
    text = f"more machines each {STEP_SECONDS:g} s, in {STEPS} steps; all are kept to the end"
    return Shape("steps", text, steps, together=True)


LONGEST_LIFE = 60.0
"""Seconds that a life is expected to take at most: so many users are there for each machine a
second (Little's law). Where lives are longer, appointments are kept late, and that is told."""


def _sustained(size: Size) -> Shape:
    rate = size.rate or 1.0
    users = max(1, math.ceil(rate * LONGEST_LIFE))
    return Shape(
        "sustained",
        "a machine each so often, whatever becomes of those before",
        (Step(0.0, users, float(users)),),
        lives=PACED,
        pace=rate,
        seconds=60.0 if size.seconds is None else size.seconds,
    )


SPIKE_BASE, SPIKE_AT = 0.2, 15.0


def _spike(size: Size) -> Shape:
    count = size.machines or 50
    base = max(1, round(count * SPIKE_BASE))
    calm = (Step(0.0, base, base / SPIKE_AT),)
    steps = calm if base == count else (*calm, Step(SPIKE_AT, count, float(count)))
    text = f"a fifth of the machines over {SPIKE_AT:g} s, then the others within a second"
    return Shape("spike", text, steps, together=True)


def _soak(size: Size) -> Shape:
    count = size.machines or 16
    seconds = 600.0 if size.seconds is None else size.seconds
    steps = (Step(0.0, count, float(count)),)
    text = "so many machines at all times: given back and asked for again"
    return Shape("soak", text, steps, lives=AGAIN, seconds=seconds)


def _scale_down(size: Size) -> Shape:
    count = size.machines or 50
    steps = (Step(0.0, count, float(count)),)
    text = "all machines at once, and once all are Provisioned, all given back at once"
    return Shape("scale-down", text, steps, together=True, hold=5.0)


SHAPES: Mapping[str, Callable[[Size], Shape]] = MappingProxyType(
    {
        "batch": _batch,
        "steps": _steps,
        "sustained": _sustained,
        "spike": _spike,
        "soak": _soak,
        "scale-down": _scale_down,
    }
)
