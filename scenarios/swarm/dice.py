"""Draws in the terms of a scenario file: chances, choices, and durations as text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from beskar7.api.durations import format_duration
from beskar7.runtime import Random
from beskar7.runtime.streams import Streams

T = TypeVar("T")


class Dice:
    """One random stream of a seed, by the purpose that its draws have.

    A purpose of its own for everything that is drawn, so that a new kind of fault, or of anything
    else, leaves all others in a seed's world as they were.
    """

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def pick(self, values: Sequence[T]) -> T:
        return values[self.rng.randrange(len(values))]

    def whole(self, low: int, high: int) -> int:
        """Both ends included."""
        return self.rng.randint(low, high)

    def some(self, values: Sequence[T], most: int) -> list[T]:
        """One to ``most`` of the values, in their order."""
        count = self.whole(1, min(most, len(values)))
        chosen = set(self.rng.sample(range(len(values)), count))
        return [value for at, value in enumerate(values) if at in chosen]

    def share(self, low: float, high: float) -> float:
        """A number with two digits after the point."""
        return round(self.rng.uniform(low, high), 2)

    def log(self, low: float, high: float) -> float:
        """Every order of magnitude from ``low`` to ``high`` as likely; three digits are kept.

        Both have to be above zero.
        """
        drawn = math.exp(self.rng.uniform(math.log(low), math.log(high)))
        digits = 2 - math.floor(math.log10(drawn))
        return min(max(round(drawn, digits), low), high)


@dataclass(frozen=True, slots=True)
class Draws:
    """All the dice of a seed."""

    streams: Streams

    def of(self, purpose: str) -> Dice:
        return Dice(self.streams.get(f"swarm/{purpose}"))


def span(seconds: float) -> str:
    """A duration as a file has it, to the hundredth of a second; at least one of them."""
    return format_duration(max(0.01, round(seconds, 2)))
