"""All perturbations of a run, beside each other in processes."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence

import joblib

from scenarios.sieve.points import Point
from scenarios.sieve.probe import Spans
from scenarios.sieve.replay import Finding, Lesson, perturbed


def replay_all(
    lesson: Lesson, points: Sequence[Point], spans: Spans, jobs: int
) -> Generator[Finding, None, None]:
    """The findings as they come, in no order; with one job, in that of ``points``.

    Whoever stops early closes the iterator, which ends the workers.
    """
    if jobs == 1:
        for point in points:
            yield finding(lesson, point, spans)
        return
    short = lesson.without_sights()
    calls = (joblib.delayed(finding)(short, point, spans) for point in points)
    with contextlib.ExitStack() as stack:
        # Its workers would wait five minutes for more.
        stack.callback(_end_workers)
        parallel = joblib.Parallel(
            n_jobs=jobs, pre_dispatch="2*n_jobs", return_as="generator_unordered"
        )
        findings = parallel(calls)
        stack.callback(findings.close)
        yield from findings


def finding(lesson: Lesson, point: Point, spans: Spans) -> Finding:
    return perturbed(lesson, point, spans)[1]


def _end_workers() -> None:
    joblib.externals.loky.get_reusable_executor().shutdown(wait=True, kill_workers=True)
