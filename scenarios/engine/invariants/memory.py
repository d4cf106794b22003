"""Nothing grows without bound: what managers keep of machines goes with them."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.engine.evidence import Evidence
from scenarios.engine.inside import Life
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

REMEMBERED = 75.0
"""Seconds for which a manager may know of a machine that is gone: its own net below all wake-ups
comes after 60 (``WAIT_FOR_HOST``)."""
BOUNDED = ("EventRecorder._written", "EventRecorder._pending")
"""Have bounds of their own, by number and by time, whatever becomes of their objects."""
ENTRIES = 64
PER_OBJECT = 24
"""A container has at most so many entries, and so many more for each host and machine: an object
is a document of some twenty fields, in views of which each cache holds one."""
BMC_TASKS = ("bmc-worker", "bmc-suspect")
"""Tasks of the operation pool, whose numbers the configuration bounds."""


def nothing_kept(evidence: Evidence, rules: Rules) -> Judged:
    """At rest no living manager knows a machine that is gone, or has tasks that it did not have
    before the load; no container is larger than hosts and machines account for."""
    aftermath, baseline = evidence.aftermath, evidence.baseline
    if aftermath is None or baseline is None:
        return Judged()
    look, history = aftermath.look, evidence.history
    objects = sum(not t.gone for t in (*history.hosts.values(), *history.machines.values()))
    gone = _gone(evidence)
    tasks: dict[str, int] = {}
    for life in baseline.lives.values():
        for name, count in life.tasks.items():
            tasks[name] = max(count, tasks.get(name, 0))
    found: list[Violation] = []
    cases = 0
    for identity, life in look.lives.items():
        if not life.alive:
            continue
        cases += len(life.entries) + len(life.tasks)
        faults = [*_leaks(life, gone), *_crowds(life, objects), *_tasks(life, tasks)]
        for machine, text in faults:
            found.append(Violation("nothing-kept", "", machine, look.time, f"{identity} {text}"))
    if all(life.alive for life in look.lives.values()):
        for stream in look.streams:
            machine = gone.get(stream.partition("/")[2], "")
            if machine:
                text = f"the random stream {stream} is kept for a machine that is gone"
                found.append(Violation("nothing-kept", "", machine, look.time, text))
    return Judged(found, cases)


def _gone(evidence: Evidence) -> dict[str, str]:
    """The machines that are gone for longer than a manager may remember, by their keys."""
    aftermath = evidence.aftermath
    assert aftermath is not None
    namespace = evidence.scenario.load.namespace
    before = aftermath.look.time - REMEMBERED
    tracks = evidence.history.machines.values()
    there = {track.name for track in tracks if not track.gone or track.versions[-1].time > before}
    return {f"{namespace}/{t.name}": t.name for t in tracks if t.name not in there}


def _leaks(life: Life, gone: dict[str, str]) -> Iterator[tuple[str, str]]:
    for where, names in life.names.items():
        if where in BOUNDED:
            continue
        kept = sorted(gone[name] for name in names if name in gone)
        if kept:
            yield kept[0], f"keeps {len(kept)} machines that are gone in {where}, {kept[0]} first"


def _crowds(life: Life, objects: int) -> Iterator[tuple[str, str]]:
    limit = ENTRIES + PER_OBJECT * objects
    for where, count in life.entries.items():
        if count > limit and where not in BOUNDED:
            yield "", f"holds {count} entries in {where}, with {objects} hosts and machines"


def _tasks(life: Life, before: dict[str, int]) -> Iterator[tuple[str, str]]:
    for name, count in life.tasks.items():
        if count > before.get(name, 0) and name in before and name not in BMC_TASKS:
            yield "", f"runs {count} tasks {name}; before the load it were {before[name]} at most"
