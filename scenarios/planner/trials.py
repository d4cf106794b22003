"""Plays candidates by the model, no more runs of each than it takes to judge it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scenarios.engine.objectives import Objective, values_of
from scenarios.models.play import Model
from scenarios.parallel.jobs import Round
from scenarios.planner.certainty import allowed

FIRST_ROUND = 2
"""Runs at once of a candidate that may not serve; each further round has twice as many, whose
workers wait for each other the less. As many wherever it runs: the answer depends on no machine.
"""
Overrides = tuple[str, ...]
"""What makes a scenario of the file's: as ``--set`` takes it."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a model. ``objectives``: what is asked of it, so that little comes back."""

    model: Model
    seed: int
    objectives: tuple[Objective, ...]


def spare_worker() -> None:
    """Ctrl-C reaches the whole group of processes; who asked for a run ends it."""
    if multiprocessing.parent_process() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def load(number: int) -> None:
    """Nothing more than that a worker has loaded this module, and with it the model."""
    spare_worker()


def run_task(task: Task) -> tuple[float, ...]:
    """The value of each objective; for a worker's process."""
    spare_worker()
    return values_of(task.objectives, task.model.run(task.seed).metrics)


@dataclass(frozen=True, slots=True)
class Judged:
    """``missed``: the first objective that too many runs missed, None where all are kept.

    ``runs``: how many it took.
    """

    missed: Objective | None
    runs: int

    @property
    def kept(self) -> bool:
        return self.missed is None


class Trials:
    """All candidates meet the same seeds (common random numbers), so they differ by what they are
    and not by their luck. A candidate is given up with the run that decides against it; seeds that
    did so before come first.

    ``objectives`` may be exchanged for tighter ones of the same measures: what was played stays
    known.
    """

    def __init__(
        self,
        ready: Callable[[Overrides], Model],
        objectives: tuple[Objective, ...],
        seeds: Sequence[int],
        confidence: float,
        play: Round[Task, tuple[float, ...]],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """Raises TooFewRuns."""
        self.objectives = objectives
        self.confidence = confidence
        self.seeds = tuple(seeds)
        self.runs = 0
        """Played in all."""
        self.spare = allowed(len(seeds), confidence)
        """Runs that may miss an objective that counts as kept."""
        self._ready = ready
        self._play = play
        self._told = told
        self._known: dict[Overrides, dict[int, tuple[float, ...]]] = {}
        self._decided = dict.fromkeys(self.seeds, 0)
        """Seed -> candidates that it decided against."""

    @property
    def candidates(self) -> int:
        """Judged or measured so far."""
        return len(self._known)

    def judge(self, overrides: Overrides) -> Judged:
        """Whether the candidate keeps the objectives with the confidence, by the seeds."""
        known = self._known.setdefault(overrides, {})
        found = {seed: known[seed] for seed in self.seeds if seed in known}
        order = sorted(self.seeds, key=lambda seed: -self._decided[seed])
        waiting = [seed for seed in order if seed not in found]
        missed, size = self._missed(found), FIRST_ROUND
        while missed is None and waiting:
            seeds, waiting, size = waiting[:size], waiting[size:], 2 * size
            self._run(overrides, seeds)
            found.update((seed, known[seed]) for seed in seeds)
            missed = self._missed(found)
            if missed is not None:
                self._decided[next(s for s in seeds if not self._holds(missed, found[s]))] += 1
        return Judged(missed, len(found))

    def measure(self, overrides: Overrides, seeds: Sequence[int]) -> list[tuple[float, ...]]:
        """The objectives' values of these seeds, in their order; any seeds."""
        found = self._known.setdefault(overrides, {})
        waiting = [seed for seed in seeds if seed not in found]
        if waiting:
            self._run(overrides, waiting)
        return [found[seed] for seed in seeds]

    def _run(self, overrides: Overrides, seeds: Sequence[int]) -> None:
        model = self._ready(overrides)
        tasks = [Task(model, seed, self.objectives) for seed in seeds]
        self._known[overrides].update(zip(seeds, self._play(run_task, tasks), strict=True))
        self.runs += len(tasks)
        self._told()

    def _missed(self, found: Mapping[int, tuple[float, ...]]) -> Objective | None:
        for number, objective in enumerate(self.objectives):
            missing = sum(not objective.holds(values[number]) for values in found.values())
            if missing > self.spare:
                return objective
        return None

    def _holds(self, objective: Objective, values: tuple[float, ...]) -> bool:
        return objective.holds(values[self.objectives.index(objective)])
