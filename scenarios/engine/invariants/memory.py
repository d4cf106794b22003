"""Nothing grows without bound: what managers keep of machines goes with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    PHYSICAL_HOST,
)
from beskar7.config import Tuning
from beskar7.kube.reflector import RELIST_SECONDS
from scenarios.engine.evidence import Evidence
from scenarios.engine.inside import Life
from scenarios.engine.invariants.verdict import Judged, Rules, Violation

REMEMBERED = 15.0
"""Seconds for which a manager may know of a machine that is gone: until its watch told it so."""
DELAYED = 75.0
"""The same for what waits by the clock: a machine without a host looks again after 60
(``WAIT_FOR_HOST`` of the controller)."""
BY_THE_CLOCK = ("WorkQueue._entries", "WorkQueue._delayed")
BOUNDED = ("EventRecorder._written", "EventRecorder._pending")
"""Have bounds of their own, by number and by time, whatever becomes of their objects."""
ENTRIES = 64
PER_OBJECT = 24
"""A container has at most so many entries, and so many more for each host and machine: an object
is a document of some twenty fields, in views of which each cache holds one. Or twice as many as
before the load, when its size is the configuration's."""
BMC_TASKS = ("bmc-worker", "bmc-suspect")
"""Tasks of the operation pool, whose numbers the configuration bounds."""
RECONCILED = (BESKAR7_CLUSTER, BESKAR7_MACHINE, BESKAR7_MACHINE_TEMPLATE, PHYSICAL_HOST)
RECONCILERS = tuple(kind.kind.lower() for kind in RECONCILED)
"""Controllers are named for their kind. A manager that cannot read its ConfigMap when it begins to
lead has as many workers for each as by default, and those that become too many stay until they had
something to do."""


def nothing_kept(evidence: Evidence, rules: Rules) -> Judged:
    """At rest no living manager knows a machine that is gone, or has tasks that it did not have
    before the load; no container is larger than hosts and machines account for."""
    aftermath, baseline = evidence.aftermath, evidence.baseline
    if aftermath is None or baseline is None:
        return Judged()
    look, history = aftermath.look, evidence.history
    objects = sum(not t.gone for t in (*history.hosts.values(), *history.machines.values()))
    # Of an event that a watch skips nobody knows until the next list.
    blind = any(window.fault["kind"] == "lose-event" for window in evidence.faults)
    unseen = RELIST_SECONDS if blind else 0.0
    gone, long_gone = _gone(evidence, unseen + REMEMBERED), _gone(evidence, unseen + DELAYED)
    found: list[Violation] = []
    cases = 0
    before = _most(life.entries for life in baseline.lives.values())
    living = {identity: life for identity, life in look.lives.items() if life.alive}
    for identity, life in living.items():
        cases += len(life.entries) + len(life.tasks)
        kept = (*_leaks(life, gone, long_gone), *_left_running(life, gone))
        for machine, text in (*kept, *_crowds(life, objects, before)):
            found.append(Violation("nothing-kept", "", machine, look.time, f"{identity} {text}"))
    troubled = any(window.fault.get("target") == "api" for window in evidence.faults)
    least = Tuning().max_concurrent_reconciles if troubled else 0
    for text in _tasks(list(baseline.lives.values()), list(living.values()), least):
        found.append(Violation("nothing-kept", "", "", look.time, text))
    if all(life.alive for life in look.lives.values()):
        for stream in look.streams:
            machine = gone.get(stream.partition("/")[2], "")
            if machine:
                text = f"the random stream {stream} is kept for a machine that is gone"
                found.append(Violation("nothing-kept", "", machine, look.time, text))
    return Judged(found, cases)


def _gone(evidence: Evidence, since: float) -> dict[str, str]:
    """The machines that are gone for so many seconds at least, by their keys."""
    aftermath = evidence.aftermath
    assert aftermath is not None
    namespace = evidence.scenario.load.namespace
    before = aftermath.look.time - since
    tracks = evidence.history.machines.values()
    there = {track.name for track in tracks if not track.gone or track.versions[-1].time > before}
    return {f"{namespace}/{t.name}": t.name for t in tracks if t.name not in there}


def _leaks(
    life: Life, gone: dict[str, str], long_gone: dict[str, str]
) -> Iterator[tuple[str, str]]:
    for where, names in life.names.items():
        if where in BOUNDED:
            continue
        dead = long_gone if where in BY_THE_CLOCK else gone
        kept = sorted(dead[name] for name in names if name in dead)
        if kept:
            yield kept[0], f"keeps {len(kept)} machines that are gone in {where}, {kept[0]} first"


def _left_running(life: Life, gone: dict[str, str]) -> Iterator[tuple[str, str]]:
    tasks = {
        name: machine for name in life.named_tasks for key, machine in gone.items() if key in name
    }
    for name, machine in sorted(tasks.items()):
        yield machine, f"still runs the task {name}"


def _crowds(life: Life, objects: int, before: Counter[str]) -> Iterator[tuple[str, str]]:
    for where, count in life.entries.items():
        limit = max(ENTRIES + PER_OBJECT * objects, 2 * before[where])
        if count > limit and where not in BOUNDED:
            yield "", f"holds {count} entries in {where}, with {objects} hosts and machines"


def _tasks(before: list[Life], now: list[Life], least: int) -> Iterator[str]:
    """Tasks of one name, over all managers: not more than there were, or than each could have.

    ``least``: as many reconcilers as that each may have, whatever there was before.
    """
    most, all_before = _most(life.tasks for life in before), _sum(life.tasks for life in before)
    for name, count in _sum(life.tasks for life in now).items():
        each = most[name]
        if name.partition("/")[0] in RECONCILERS:
            each = max(each, least)
        limit = max(all_before[name], each * len(now))
        if limit and count > limit and name not in BMC_TASKS:
            yield f"the managers run {count} tasks {name}; before the load they ran {limit} at most"


def _most(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in counts:
        found |= Counter(each)
    return found


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in counts:
        found.update(each)
    return found
