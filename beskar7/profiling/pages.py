"""The pages ``/debug/pprof/...`` of a manager.

``goroutine`` keeps Go's name, since operators' scripts ask for it; what it lists are this
program's tasks, a line with that word for each.
"""

from __future__ import annotations

from collections.abc import Callable

from beskar7.profiling import cpu, heap, pprof
from beskar7.runtime import Runtime
from beskar7.runtime.stacks import thread_stacks
from beskar7.serving import Answer, Page, Query, plain

MAX_SECONDS = 120.0
Samples = dict[pprof.Stack, tuple[int, int]]
Units = tuple[tuple[str, str], tuple[str, str]]
INDEX = """/debug/pprof/goroutine?debug=1   tasks and their stacks (debug=2: every call)
/debug/pprof/profile?seconds=10  processor time, for pprof (debug=1: folded stacks, in ns)
/debug/pprof/heap?seconds=10     allocations in use, for pprof (debug=1: text)
"""


def pages(runtime: Runtime) -> dict[str, Page]:
    """By path. They run in the server's own threads."""
    return {
        "/debug/pprof": lambda _: plain(INDEX),
        "/debug/pprof/": lambda _: plain(INDEX),
        "/debug/pprof/goroutine": lambda query: _tasks(query),
        "/debug/pprof/profile": lambda query: _profile(runtime, query),
        "/debug/pprof/heap": lambda query: _heap(runtime, query),
    }


def _tasks(query: Query) -> Answer:
    """Each task with its innermost calls; all of them for ``debug=2``."""
    depth = None if query.get("debug") == "2" else 6
    lines: list[str] = []
    for number, task in enumerate(thread_stacks(), 1):
        lines.append(f"goroutine {number} [{task.name}]:")
        calls = pprof.stack_of(task.frame)[:depth]
        lines += [f"    {call.function} ({call.where})" for call in calls]
        lines.append("")
    return plain("\n".join(lines))


def _profile(runtime: Runtime, query: Query) -> Answer:
    units = (("cpu", "nanoseconds"), ("samples", "count"))
    return _sampled(runtime, query, cpu.sample, units, pprof.folded)


def _heap(runtime: Runtime, query: Query) -> Answer:
    units = (("inuse_objects", "count"), ("inuse_space", "bytes"))
    return _sampled(runtime, query, heap.in_use, units, heap.text)


def _sampled(
    runtime: Runtime,
    query: Query,
    take: Callable[[Runtime, float], Samples],
    units: Units,
    text: Callable[[Samples], str],
) -> Answer:
    """What was found in the time that was asked for: for pprof, or for people."""
    seconds = _seconds(query)
    if seconds is None:
        return plain(f"seconds must be a number above 0, up to {MAX_SECONDS:g}\n", 400)
    samples = take(runtime, seconds)
    if query.get("debug") == "1":
        return plain(text(samples))
    body = pprof.encode(samples, units, wall=runtime.wall(), duration=seconds)
    return Answer(200, "application/octet-stream", body)


def _seconds(query: Query) -> float | None:
    """How long to look; 10 unless said; None for what is no number from 0 to MAX_SECONDS."""
    try:
        seconds = float(query.get("seconds", "10"))
    except ValueError:
        return None
    return seconds if 0.0 < seconds <= MAX_SECONDS else None
