"""A grid's results as curves: a measure over one factor, a curve for each value of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from beskar7.api.durations import parse_duration
from scenarios.engine.measure_names import MEASURES, Unit
from scenarios.models.estimates import Estimate, Shown, estimate
from scenarios.pages.content import SERIES, Axis, Kind, Plot, Series
from scenarios.sweep.axes import Group
from scenarios.sweep.runs import Key, Run

Index = tuple[int, ...]
"""Which value each factor has, from 0."""


@dataclass(frozen=True, slots=True)
class Factor:
    """What varies, in words: ``names`` of its values, and ``xs`` where they are all numbers."""

    label: str
    names: tuple[str, ...]
    xs: tuple[float, ...] | None
    unit: Unit


def factor(group: Group, label: str = "", names: Sequence[str] = ()) -> Factor:
    """Of axes that go together, named by the first of them unless told otherwise."""
    first = group[0]
    found = tuple(names) or first.values
    xs, unit = (None, "number") if names else _numbers(first.values)
    return Factor(label or first.name, found, xs, unit)


def _numbers(values: Sequence[str]) -> tuple[tuple[float, ...] | None, Unit]:
    """All of them as numbers, durations in seconds, if they all are."""
    try:
        return tuple(float(value) for value in values), "number"
    except ValueError:
        pass
    try:
        return tuple(parse_duration(value) for value in values), "seconds"
    except ValueError:
        return None, "number"


@dataclass(frozen=True, slots=True)
class Place:
    """One value of a curve: what the runs there measured, by seed, and their mean."""

    x: str
    values: Mapping[int, float]

    @property
    def estimate(self) -> Estimate | None:
        """None where no run had anything to measure."""
        return estimate(list(self.values.values())) if self.values else None


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    places: tuple[Place, ...]


def point_number(factors: Sequence[Factor], index: Index) -> int:
    """The point's number in the grid's order, the last factor changing first."""
    number = 0
    for each, at in zip(factors, index, strict=True):
        number = number * len(each.names) + at
    return number


def point_names(factors: Sequence[Factor], number: int) -> list[str]:
    """What the factors are at a point, in words."""
    found = []
    for each in reversed(factors):
        number, at = divmod(number, len(each.names))
        found.append(each.names[at])
    return found[::-1]


def curves(
    factors: Sequence[Factor], runs: Mapping[Key, Run], measure: str, x: int = 0
) -> list[Curve]:
    """A curve over factor ``x`` for each combination of the others."""
    by_point: dict[int, dict[int, float]] = {}
    for (point, seed), run in sorted(runs.items()):
        value = run.metrics.get(measure)
        if value is not None:
            by_point.setdefault(point, {})[seed] = value
    others = [at for at in range(len(factors)) if at != x]
    found = []
    for chosen in product(*(range(len(factors[at].names)) for at in others)):
        places = []
        for at, name in enumerate(factors[x].names):
            fixed = dict(zip(others, chosen, strict=True)) | {x: at}
            number = point_number(factors, tuple(fixed[each] for each in range(len(factors))))
            places.append(Place(name, by_point.get(number, {})))
        parts = [f"{factors[at].names[i]}" for at, i in zip(others, chosen, strict=True)]
        found.append(Curve(", ".join(parts) or measure, tuple(places)))
    return found


def main_factor(factors: Sequence[Factor]) -> int:
    """Which one makes the best x: numbers first, then the one with most values."""
    return max(
        range(len(factors)), key=lambda at: (factors[at].xs is not None, len(factors[at].names))
    )


def plots(
    factors: Sequence[Factor], runs: Mapping[Key, Run], measure: str, x: int, title: str = ""
) -> list[Plot]:
    """The curves as pictures with intervals: several, where one would have too many to tell apart.

    Names instead of numbers along x make bars.
    """
    main, meaning = factors[x], MEASURES[measure]
    found = [_series(each, main) for each in curves(factors, runs, measure, x)]
    low, high = (min(main.xs), max(main.xs)) if main.xs else (0.0, 0.0)
    along = Axis(main.label, main.unit)
    if low > 0 and high / low >= 20:
        along = replace(along, scale="log")
    kind: Kind = "line" if main.xs and len(main.xs) > 1 else "bars"
    pictures = []
    for begin in range(0, len(found), SERIES):
        part = found[begin : begin + SERIES]
        pages = f" ({begin // SERIES + 1})" if len(found) > SERIES else ""
        pictures.append(
            Plot(
                (title or measure) + pages,
                along,
                Axis(measure, meaning.unit),
                part,
                kind=kind,
                note=meaning.meaning + "; shown with the 95 % interval of the mean",
            )
        )
    return pictures


def _series(curve: Curve, main: Factor) -> Series:
    estimates = [
        None if each is None else Shown.of(each) for each in (p.estimate for p in curve.places)
    ]
    return Series(
        curve.name,
        main.xs if main.xs and len(main.xs) > 1 else main.names,
        [None if each is None else each.mean for each in estimates],
        [None if each is None else _finite(each.low) for each in estimates],
        [None if each is None else _finite(each.high) for each in estimates],
        [0 if each is None else each.count for each in estimates],
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
