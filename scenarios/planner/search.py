"""Finds the cheapest candidate that keeps the objectives.

From a candidate that serves down: axis by axis, the dearest first, the least value that still
serves. Then exchanges, as long as one helps: one axis a step down and another up as far as that
pays, or one a step up and another down. Then the same descent from each candidate that has one
axis a step lower and all else as capable as can be, while that leads to a cheaper one. Where more
of each axis serves no worse and costs are far apart, that is the optimum.

Candidates that do not serve are given up after a run or two, those that do need all runs: so a
value is looked for from below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

from scenarios.planner.axes import Axis
from scenarios.planner.trials import Overrides, Trials

Candidate = tuple[int, ...]
"""The position on each axis."""
MOST_EXCHANGES = 20
EPSILON = 1e-9


class Space:
    """The axes with their prices, those first that can save most for each step."""

    def __init__(self, axes: Sequence[Axis], weights: Mapping[str, float]) -> None:
        self.axes = sorted(axes, key=lambda axis: -weights[axis.name])
        self._weights = weights

    def cost(self, candidate: Candidate) -> float:
        return sum(self.share(number, at) for number, at in enumerate(candidate))

    def share(self, number: int, at: int) -> float:
        """What value ``at`` of axis ``number`` costs."""
        axis = self.axes[number]
        return self._weights[axis.name] * axis.units(axis.values[at])

    def overrides(self, candidate: Candidate) -> Overrides:
        return tuple(
            override
            for axis, at in zip(self.axes, candidate, strict=True)
            for override in axis.overrides(axis.values[at])
        )

    def values(self, candidate: Candidate) -> dict[str, str]:
        return {axis.name: axis.values[at] for axis, at in zip(self.axes, candidate, strict=True)}

    def tops(self) -> Iterator[Candidate]:
        """The most capable candidates, one for each choice of what is not ordered, the cheapest
        choice first."""
        rows = [
            (len(axis.values) - 1,) if axis.ordered else tuple(range(len(axis.values)))
            for axis in self.axes
        ]
        return iter(sorted(product(*rows), key=self.cost))


def cheapest(
    space: Space, trials: Trials, found: Callable[[Candidate], None] = lambda best: None
) -> Candidate | None:
    """None where not even the most capable one serves. ``found`` hears of each better one."""
    started = next(_starts(space, trials), None)
    if started is None:
        return None
    top, best = started
    found(best)
    search = _Search(space, trials, top, best, found)
    search.descend()
    search.exchange()
    search.begin_lower()
    return search.best


def _starts(space: Space, trials: Trials) -> Iterator[tuple[Candidate, Candidate]]:
    """The most capable candidates, each with one that serves: the least of all but the dearest
    axis if that does, as its runs are the quickest."""
    for top in space.tops():
        least = tuple(
            at if number == 0 or not axis.ordered else 0
            for number, (axis, at) in enumerate(zip(space.axes, top, strict=True))
        )
        for start in (least, top):
            if trials.judge(space.overrides(start)).kept:
                yield top, start


class _Search:
    def __init__(
        self,
        space: Space,
        trials: Trials,
        top: Candidate,
        best: Candidate,
        found: Callable[[Candidate], None],
    ) -> None:
        self.best = best
        self._top = top
        self._space = space
        self._trials = trials
        self._found = found

    def begin_lower(self) -> None:
        """From where one axis is a step lower and all else as capable as can be, if that serves:
        what several axes make up for together, no exchange of two finds."""
        for number in range(len(self.best)):
            while self._could_be_lower(number):
                before, told = self.best, self._found
                self._found = lambda candidate: None
                self.best = _at(self._most(), number, before[number] - 1)
                self.descend()
                lower, self._found, self.best = self.best, told, before
                if self._space.cost(lower) >= self._space.cost(before) - EPSILON:
                    break
                self._take(lower)

    def descend(self) -> None:
        for number in range(len(self.best)):
            self._take(self._least(self.best, number, 0))

    def exchange(self) -> None:
        for _ in range(MOST_EXCHANGES):
            better = next(self._better(), None)
            if better is None:
                return
            self._take(better)
            for number in range(len(self.best)):
                self._take(self._least(self.best, number, 0))

    def _take(self, candidate: Candidate) -> None:
        if candidate != self.best:
            self.best = candidate
            self._found(candidate)

    def _serves(self, candidate: Candidate) -> bool:
        return self._trials.judge(self._space.overrides(candidate)).kept

    def _least(self, serving: Candidate, number: int, low: int) -> Candidate:
        """``serving`` with the least value of one axis, from ``low`` on, that serves, too."""
        axis = self._space.axes[number]
        if not axis.ordered:
            return self._choice(serving, number)
        below, step = low - 1, 1
        at = serving[number]
        while below + step < at:
            middle = _at(serving, number, below + step)
            if self._serves(middle):
                at = below + step
                break
            below, step = below + step, step * 2
        while at - below > 1:
            middle_at = below + max(1, (at - below) // 3)
            if self._serves(_at(serving, number, middle_at)):
                at = middle_at
            else:
                below = middle_at
        return _at(serving, number, at)

    def _choice(self, serving: Candidate, number: int) -> Candidate:
        rows = [_at(serving, number, at) for at in range(len(self._space.axes[number].values))]
        rows.sort(key=self._space.cost)
        for candidate in rows:
            if candidate == serving or self._serves(candidate):
                return candidate
        return serving

    def _better(self) -> Iterator[Candidate]:
        """Of two axes one lower and one higher, cheaper in all, that serves."""
        pairs = [
            (down, up)
            for down in range(len(self.best))
            if self._could_be_lower(down)
            for up in range(len(self.best))
            if up != down
        ]
        for down, up in pairs:
            lower = _at(self.best, down, self.best[down] - 1)
            raised = self._affordable(lower, up)
            if raised is not None and self._serves(raised):
                if self._space.axes[up].ordered:
                    raised = self._least(raised, up, lower[up] + 1)
                yield raised
        for down, up in pairs:
            if self.best[up] + 1 == len(self._space.axes[up].values):
                continue
            lowered = self._paying(_at(self.best, up, self.best[up] + 1), down)
            if lowered is not None and self._serves(lowered):
                yield self._least(lowered, down, 0)

    def _could_be_lower(self, number: int) -> bool:
        """Whether a step down serves if all else is as capable as can be."""
        if self.best[number] == 0 or not self._space.axes[number].ordered:
            return False
        return self._serves(_at(self._most(), number, self.best[number] - 1))

    def _most(self) -> Candidate:
        """The most capable with the choices of now."""
        return tuple(
            self._top[number] if axis.ordered else self.best[number]
            for number, axis in enumerate(self._space.axes)
        )

    def _affordable(self, lower: Candidate, up: int) -> Candidate | None:
        """``lower`` with as much of one axis as keeps it cheaper than the best."""
        bound = self._space.cost(self.best) - EPSILON
        for at in range(len(self._space.axes[up].values) - 1, -1, -1):
            raised = _at(lower, up, at)
            if at > lower[up] and self._space.cost(raised) < bound:
                return raised
        return None

    def _paying(self, raised: Candidate, down: int) -> Candidate | None:
        """``raised`` with as much less of one axis as makes it cheaper than the best."""
        bound = self._space.cost(self.best) - EPSILON
        for at in range(self.best[down] - 1, -1, -1):
            lowered = _at(raised, down, at)
            if self._space.cost(lowered) < bound:
                return lowered
        return None


def _at(candidate: Candidate, number: int, at: int) -> Candidate:
    return (*candidate[:number], at, *candidate[number + 1 :])
