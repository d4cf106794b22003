"""Leak, no leak, or not enough data: from samples of each manager, and nothing else."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from beskar7.operations.trend import LEAST, Trend, trend

LEAK, NO_LEAK, UNCLEAR = "leak", "no leak", "not enough data"
MEMORY, TASKS = "memory", "tasks"
QUARTERS = 4
STEADY = 0.2
"""Share of the mean growth by which each quarter has to exceed the one before. What is only filled
once (a cache, a pool of buffers) rises by a step or ever more slowly, a leak all the time."""
LEAST_MEMORY, LEAST_SHARE = 1024.0 * 1024.0, 0.01
"""Bytes, and share of its size, of growth while it was watched that count: a resident set moves by
whole pages and arenas."""
LEAST_TASKS = 3.0
SITES = 8
"""Places and names that are told."""
SAMPLES_AT_ENDS = 3
"""Whose medians are compared to find what grew."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at a manager.

    ``at``: seconds. ``life`` differs after a restart. ``load``: the objects that there are.
    ``memory`` (bytes) and ``tasks`` are None where nobody measured.
    """

    at: float
    life: str
    leads: bool
    load: float
    memory: float | None
    tasks: Mapping[str, int] | None = None
    heap: Mapping[str, int] = field(default_factory=dict)

    def value(self, of: str) -> float | None:
        if of == MEMORY:
            return self.memory
        return None if self.tasks is None else float(sum(self.tasks.values()))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of memory (bytes) or of tasks, over ``seconds`` of one life and role.

    ``per_hour`` with its bounds is None without a fit; ``per_load`` is growth per object.
    """

    of: str
    verdict: str
    reason: str
    samples: int
    seconds: float
    first: float | None = None
    last: float | None = None
    per_hour: float | None = None
    low: float | None = None
    high: float | None = None
    per_load: float | None = None


@dataclass(frozen=True, slots=True)
class ManagerVerdict:
    """``grown_sites``: bytes more by where they were allocated; ``grown_tasks``: tasks by name."""

    manager: str
    verdict: str
    judgements: tuple[Judgement, ...]
    restarts: int
    grown_sites: tuple[tuple[str, int], ...] = ()
    grown_tasks: tuple[tuple[str, int], ...] = ()


def judge_manager(manager: str, samples: Sequence[Sample]) -> ManagerVerdict:
    """A life of a process is judged by itself, and so is each time in which it led or did not:
    a restart gives memory back, and a new leader fills its caches."""
    pieces = [list(piece) for _, piece in groupby(samples, lambda each: (each.life, each.leads))]
    judgements, leaking = [], None
    for of in (MEMORY, TASKS):
        judged = [(judge(of, piece), piece) for piece in pieces]
        rank = {LEAK: 0, NO_LEAK: 1, UNCLEAR: 2}
        if judged:
            # A leak in any of them is one; else the longest that could be judged tells.
            best = min(judged, key=lambda pair: (rank[pair[0].verdict], -pair[0].seconds))
            judgements.append(best[0])
            if best[0].verdict == LEAK:
                leaking = leaking or best[1]
    lives = len({sample.life for sample in samples})
    grown = leaking or max(pieces, key=len, default=[])
    return ManagerVerdict(
        manager,
        # What nobody measures says nothing beside what somebody does.
        _together([each.verdict for each in judgements if each.samples]),
        tuple(judgements),
        max(0, lives - 1),
        _grown([sample.heap for sample in grown]) if leaking else (),
        _grown([sample.tasks or {} for sample in grown]) if leaking else (),
    )


def overall(verdicts: Sequence[ManagerVerdict]) -> str:
    """Of all managers together."""
    return _together([each.verdict for each in verdicts])


def _together(verdicts: Sequence[str]) -> str:
    if LEAK in verdicts:
        return LEAK
    return UNCLEAR if UNCLEAR in verdicts or not verdicts else NO_LEAK


def judge(of: str, samples: Sequence[Sample]) -> Judgement:
    """Of one life in one role; ``of`` is MEMORY or TASKS."""
    known = [(each, value) for each in samples if (value := each.value(of)) is not None]
    seconds = known[-1][0].at - known[0][0].at if known else 0.0
    if not known:
        return Judgement(of, UNCLEAR, "nobody measures it here", 0, 0.0)
    values = [value for _, value in known]
    about = (len(known), seconds, values[0], values[-1])
    if len(known) < 2 * LEAST:
        text = f"{len(known)} samples of one life, and {2 * LEAST} are needed"
        return Judgement(of, UNCLEAR, text, *about)
    found, later = _trend(known), _trend(known[len(known) // 2 :])
    if found is None:
        if seconds <= 0.0:
            return Judgement(of, UNCLEAR, "all samples are of one moment", *about)
        per_load = _per_load(known)
        text = "the load grew as evenly: what it keeps for each object and a leak look the same"
        return Judgement(of, UNCLEAR, text, *about, per_load=per_load)
    counts = LEAST_TASKS
    if of == MEMORY:
        counts = max(LEAST_MEMORY, LEAST_SHARE * statistics.median(values))
    verdict, reason = _verdict(found, later, seconds, counts)
    return Judgement(
        *(of, verdict, reason, *about),
        per_hour=found.slope * 3600.0,
        low=found.low * 3600.0,
        high=found.high * 3600.0,
        per_load=found.per_load,
    )


def _trend(known: Sequence[tuple[Sample, float]]) -> Trend | None:
    return trend(
        [each.at for each, _ in known],
        [value for _, value in known],
        [each.load for each, _ in known],
    )


def _verdict(found: Trend, later: Trend | None, seconds: float, counts: float) -> tuple[str, str]:
    """``later``: of the second half. ``counts``: the growth in all that is not too little."""
    steps = _steps(found)
    mean = sum(steps) / len(steps)
    steadily = mean > 0.0 and all(step >= STEADY * mean for step in steps)
    goes_on = later is not None and later.low > 0.0
    grown = found.slope * seconds
    if found.low > 0.0 and goes_on and steadily and grown >= max(counts, _swing(found)):
        return LEAK, "it grew in every quarter of the time, by more than it goes up and down"
    if found.high * seconds < counts:
        return NO_LEAK, "if it grew, then by less than would count in this time"
    if found.low > 0.0 and mean > 0.0 and steps[-1] < STEADY * mean:
        return NO_LEAK, "it rose at first, and no more in the last quarter"
    if found.low > 0.0:
        text = "it rose, but not steadily, or by no more than it goes up and down: watch it longer"
        return UNCLEAR, text
    return UNCLEAR, "it goes up and down by more than a leak would make of it: watch it for longer"


def _swing(found: Trend) -> float:
    """By how much it goes up and down around its growth: nine of ten points lie within."""
    left = [value - found.slope * at for at, value in zip(found.times, found.rest, strict=True)]
    low, *_, high = statistics.quantiles(left, n=20, method="inclusive")
    return high - low


def _steps(found: Trend) -> list[float]:
    """From each quarter's median to the next one's, the load's part taken out."""
    start, end = found.times[0], found.times[-1]
    parts: list[list[float]] = [[] for _ in range(QUARTERS)]
    for at, value in zip(found.times, found.rest, strict=True):
        parts[min(QUARTERS - 1, int((at - start) / (end - start) * QUARTERS))].append(value)
    medians = [statistics.median(part) for part in parts if part]
    return [after - before for before, after in pairwise(medians)] or [0.0]


def _per_load(known: Sequence[tuple[Sample, float]]) -> float | None:
    """Growth with each object, where both grew evenly."""
    more = known[-1][0].load - known[0][0].load
    return (known[-1][1] - known[0][1]) / more if more else None


def _grown(counts: Sequence[Mapping[str, int]]) -> tuple[tuple[str, int], ...]:
    """By how much each grew from the first samples to the last, the most first."""
    known = [each for each in counts if each]
    if len(known) < 2 * SAMPLES_AT_ENDS:
        return ()
    before, after = (_medians(part) for part in (known[:SAMPLES_AT_ENDS], known[-SAMPLES_AT_ENDS:]))
    grown = {name: after[name] - before.get(name, 0) for name in after}
    more = [(name, by) for name, by in grown.items() if by > 0]
    return tuple(sorted(more, key=lambda item: (-item[1], item[0]))[:SITES])


def _medians(counts: Sequence[Mapping[str, int]]) -> Counter[str]:
    names = sorted({name for each in counts for name in each})
    return Counter(
        {name: round(statistics.median(each.get(name, 0) for each in counts)) for name in names}
    )
