"""Plays the runs of a sweep, in any process, and brings back what they measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from scenarios.engine.clocks import Fidelity
from scenarios.engine.schema import Scenario
from scenarios.fidelity.levels import play_at
from scenarios.models.calibration import Calibration
from scenarios.parallel.jobs import Workers, play_all
from scenarios.storms.play import play_storm
from scenarios.storms.storm import Storm
from scenarios.sweep.design import Design

Key = tuple[int, int]
"""Point and seed."""


@dataclass(frozen=True, slots=True)
class Task:
    point: int
    seed: int
    fidelity: Fidelity
    scenario: Scenario | Storm
    times: Calibration | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """``shortfalls``: promises that were broken. ``error``: why there are no metrics."""

    point: int
    seed: int
    metrics: Mapping[str, float | None]
    wall_seconds: float = 0.0
    shortfalls: tuple[str, ...] = ()
    error: str = ""

    @property
    def key(self) -> Key:
        return self.point, self.seed

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """Raises KeyError, TypeError or ValueError for what :meth:`to_json` did not make."""
        return cls(
            int(data["point"]),
            int(data["seed"]),
            {str(name): None if v is None else float(v) for name, v in data["metrics"].items()},
            float(data["wall_seconds"]),
            tuple(map(str, data["shortfalls"])),
            str(data["error"]),
        )


def run_task(task: Task) -> Run:
    """Play one run. What breaks it costs the sweep this run alone."""
    try:
        if isinstance(task.scenario, Storm):
            played = play_storm(task.fidelity, task.scenario, task.seed)
        else:
            played = play_at(task.fidelity, task.scenario, task.seed, task.times)
    except Exception as error:
        return Run(task.point, task.seed, {}, error=f"{type(error).__name__}: {error}")
    shortfalls = played.shortfalls
    if played.bottleneck:
        shortfalls += (f"the harness was the bottleneck ({played.bottleneck})",)
    return Run(task.point, task.seed, played.metrics, played.wall_seconds, shortfalls)


def play(
    design: Design,
    workers: Workers,
    *,
    done: Collection[Key] = (),
    add: Callable[[Run], None],
) -> None:
    """Have all runs played but those that are ``done``; ``add`` gets each as it comes.

    Seeds go round the points, so that what is there of a sweep that was stopped is of all points.
    Raises BackendError. Whatever ``add`` raises, and Ctrl-C, ends the workers.
    """
    known = set(done)
    tasks = (
        Task(point.number, seed, design.fidelity, point.scenario, design.times)
        for seed in design.seeds
        for point in design.points
        if (point.number, seed) not in known
    )
    runs: Generator[Run, None, None] = play_all(run_task, tasks, workers)
    with closing(runs):
        for run in runs:
            add(run)
