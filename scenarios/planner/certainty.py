"""When an objective counts as kept: what so many runs say of the next one.

A plan is for one morning, not for the mean of many. So an objective is kept with a confidence of
C if the *next* run keeps it with probability C: of n runs and one more, whose order is all alike,
the next is at most the k-th smallest of the n with probability k / (n + 1). That holds for any
distribution of whatever is measured. (Hahn and Meeker, Statistical Intervals, 1991, section 5.3:
distribution-free prediction intervals.) Machines of one run are no such sample, they wait for each
other; so each run gives one value, and a percentile over machines is taken within the run.

With 95 % and 19 runs none may miss the bound; with 39 one may.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


class TooFewRuns(Exception):
    """So few runs cannot give that confidence; ``args[0]`` says how many it takes."""


def allowed(runs: int, confidence: float) -> int:
    """How many of the runs may miss an objective that counts as kept. Raises TooFewRuns."""
    rank = math.ceil(confidence * (runs + 1) - 1e-9)
    if rank > runs:
        least = least_runs(confidence)
        raise TooFewRuns(f"{confidence:g} confidence takes {least} runs at least, not {runs}")
    return runs - rank


def least_runs(confidence: float) -> int:
    """As few as can give it, if none misses."""
    return math.ceil(confidence / (1.0 - confidence) - 1e-9)


def prediction(values: Sequence[float], confidence: float, *, upward: bool = False) -> float:
    """What the next run's value does not exceed (``upward``: does not fall below) with so much
    confidence. Raises TooFewRuns."""
    spare = allowed(len(values), confidence)
    ordered = sorted(values, reverse=upward)
    return ordered[len(values) - 1 - spare]
