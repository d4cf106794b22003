"""Where two curves cross for good, between the places that were played, and how sure that is.

The interval is Fieller's way round: all x at which the interval of the difference holds zero. Ends
of intervals are drawn as straight lines over the logarithm of x from one place to the next.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scenarios.models.estimates import Estimate


@dataclass(frozen=True, slots=True)
class Crossing:
    """``low`` None: it may lie below the first place; ``high`` None: beyond the last."""

    at: float
    low: float | None
    high: float | None


def crossing(xs: Sequence[float], differences: Sequence[Estimate | None]) -> Crossing | None:
    """Of a difference, place by place: where it turns from above zero to below, and stays there.

    None where its mean never does, an estimate is missing, or ``xs`` are no rising numbers above 0.
    """
    if len(xs) != len(differences) or len(xs) < 2 or xs[0] <= 0:
        return None
    known = [each for each in differences if each is not None]
    if len(known) < len(xs):
        return None
    at = _last_root(xs, [each.mean for each in known])
    if at is None:
        return None
    # Clearly above zero up to the first, clearly below from the second on.
    low = _last_root(xs, [each.low for each in known], before=at)
    high = _last_root(xs, [each.high for each in known])
    return Crossing(at, low, high)


def _last_root(xs: Sequence[float], ys: Sequence[float], before: float = math.inf) -> float | None:
    """The last x, up to ``before``, at which the line through the points falls through zero."""
    found = None
    for (x, y), (next_x, next_y) in pairwise(zip(xs, ys, strict=True)):
        if y > 0 >= next_y and math.isfinite(y) and math.isfinite(next_y):
            share = y / (y - next_y)
            root = x * (next_x / x) ** share
            if root <= before:
                found = root
    return found if ys[-1] <= 0 else None
