"""Verifies a plan where it is truer: the controller itself, in virtual time or live."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenarios.engine.objectives import Objective, values_of
from scenarios.engine.schema import Scenario
from scenarios.fidelity.levels import Fidelity, play_at
from scenarios.parallel.jobs import Crew
from scenarios.planner.trials import spare_worker
from scenarios.planner.words import told


@dataclass(frozen=True, slots=True)
class VerifyTask:
    fidelity: Fidelity
    scenario: Scenario
    seed: int
    objectives: tuple[Objective, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run. ``shortfalls``: promises that broke, in words, whatever the objectives say.
    ``bottleneck``: what of the harness was too slow for its times to be the controller's."""

    seed: int
    values: tuple[float, ...]
    shortfalls: tuple[str, ...]
    wall_seconds: float
    bottleneck: str = ""


def verify_task(task: VerifyTask) -> Outcome:
    """For a worker's process."""
    spare_worker()
    played = play_at(task.fidelity, task.scenario, task.seed)
    values = values_of(task.objectives, played.metrics)
    return Outcome(task.seed, values, played.shortfalls, played.wall_seconds, played.bottleneck)


@dataclass(frozen=True, slots=True)
class Error:
    """Of the model against what verified it, on this plan: relative, by objective.

    ``median`` of the absolute errors over the seeds and ``worst`` of them, with its sign: above 0
    where the model says more. NaN where the truth is 0 or nothing.
    """

    objective: Objective
    median: float
    worst: float


@dataclass(frozen=True, slots=True)
class Verification:
    fidelity: Fidelity
    outcomes: tuple[Outcome, ...]
    errors: tuple[Error, ...]
    missed: tuple[str, ...]
    """What was not kept, in words with the seed."""

    @property
    def held(self) -> bool:
        return not self.missed


def verify(
    fidelity: Fidelity,
    scenario: Scenario,
    objectives: tuple[Objective, ...],
    seeds: Sequence[int],
    model: Sequence[tuple[float, ...]],
    crew: Crew,
    say: Callable[[str], None] = lambda text: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Verification:
    """Play the plan at the seeds whose values by the model are ``model``, in the same order.

    A seed is the same luck at both levels, so the error is the model's and not chance's. These
    runs are the longest of all: ``meanwhile`` is for whatever gives the other workers to do. Live
    runs are alone, each after the other, as they have to share the machine with nothing.
    """
    tasks = [VerifyTask(fidelity, scenario, seed, objectives) for seed in seeds]
    say(f"verifying: {len(tasks)} runs of the controller ({fidelity})")
    if fidelity == "live":
        outcomes = tuple(outcome for task in tasks for outcome in crew.round(verify_task, [task]))
        meanwhile()
    else:
        finish = crew.begin(verify_task, tasks)
        meanwhile()
        outcomes = tuple(finish())
    missed = []
    for outcome in outcomes:
        missed += [f"seed {outcome.seed}: {said}" for said in outcome.shortfalls]
        for objective, value in zip(objectives, outcome.values, strict=True):
            if not objective.holds(value):
                said = f"seed {outcome.seed}: {objective}: it was {told(value, objective.unit)}"
                slow = f", but the harness was the bottleneck: {outcome.bottleneck}"
                missed.append(said + slow if outcome.bottleneck else said)
    errors = tuple(
        _error(
            objective,
            [row[number] for row in model],
            [math.nan if one.bottleneck else one.values[number] for one in outcomes],
        )
        for number, objective in enumerate(objectives)
    )
    return Verification(fidelity, outcomes, errors, tuple(missed))


def _error(objective: Objective, model: Sequence[float], truth: Sequence[float]) -> Error:
    found = [
        (said - seen) / seen
        for said, seen in zip(model, truth, strict=True)
        if seen and math.isfinite(said) and math.isfinite(seen)
    ]
    if not found:
        return Error(objective, math.nan, math.nan)
    sizes = sorted(map(abs, found))
    return Error(objective, sizes[len(sizes) // 2], max(found, key=abs))


def room(
    objectives: tuple[Objective, ...],
    said: Sequence[Sequence[float]],
    seen: Sequence[Sequence[float]],
) -> dict[str, float]:
    """By objective, what its bound is to be multiplied with, so that what is said to keep it keeps
    it where it is seen, too: 0.9 where up to a ninth more was seen than said. Rows of runs, pair
    by pair; what needs no room is left out."""
    found = {}
    for number, objective in enumerate(objectives):
        ratios = [
            after[number] / before[number]
            for before, after in zip(said, seen, strict=True)
            if before[number] and math.isfinite(before[number]) and math.isfinite(after[number])
        ]
        worst = min(ratios, default=1.0) if objective.upward else max(ratios, default=1.0)
        if 0.0 < worst < 1.0 if objective.upward else worst > 1.0:
            found[objective.name] = 1.0 / worst
    return found
