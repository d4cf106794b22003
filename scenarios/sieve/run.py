"""All perturbations of a run, beside each other in processes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial

from scenarios.parallel.jobs import Workers, play_all
from scenarios.sieve.points import Point
from scenarios.sieve.probe import Spans
from scenarios.sieve.replay import Finding, Lesson, perturbed


def replay_all(
    lesson: Lesson, points: Sequence[Point], spans: Spans, jobs: int
) -> Generator[Finding, None, None]:
    """The findings as they come, in no order; with one job, in that of ``points``.

    Whoever stops early closes the iterator, which ends the workers.
    """
    told = lesson if jobs == 1 else lesson.without_sights()
    return play_all(partial(_finding, told, spans), points, Workers(jobs))


def _finding(lesson: Lesson, spans: Spans, point: Point) -> Finding:
    return perturbed(lesson, point, spans)[1]
