"""Which entries tell how a promise came to be broken: those of the host and machine concerned."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scenarios.engine.history import consumer_name, phase, state
from scenarios.engine.invariants import Violation
from scenarios.engine.story.entries import Entry, describe_fault
from scenarios.engine.story.recording import Recording, lives

BEFORE, AFTER = 24, 6
"""Entries told before and after the first violation of a chapter."""
LATER_BEFORE, LATER_AFTER = 8, 2
"""The same for its other violations, of which the first so many are told this way:"""
LATER = 6


@dataclass(frozen=True, slots=True)
class Chapter:
    """A host, or a machine that has none, and every violation on it, by time."""

    host: str
    machine: str
    violations: tuple[Violation, ...]

    @property
    def title(self) -> str:
        return self.host or self.machine or "the whole world"


@dataclass(frozen=True, slots=True)
class Span:
    """``count`` entries that are told as one: ``entry`` is the first, ``end`` is the last's end."""

    entry: Entry
    end: float
    count: int = 1


@dataclass(frozen=True, slots=True)
class Gap:
    """``count`` entries of the host and machine are not told here, over ``seconds``."""

    count: int
    seconds: float


Told = Span | Gap | Violation


def chapters(recording: Recording) -> list[Chapter]:
    """By the first violation of each."""
    found: dict[tuple[str, str], list[Violation]] = {}
    for violation in recording.violations:
        key = (violation.host, "" if violation.host else violation.machine)
        found.setdefault(key, []).append(violation)
    return [
        Chapter(host, machine or violations[0].machine, tuple(violations))
        for (host, machine), violations in found.items()
    ]


def cited(violations: Iterable[Violation]) -> frozenset[str]:
    """What violations refer to, as :attr:`Entry.ref`."""
    found: set[str] = set()
    for violation in violations:
        found.update(f"w{seq}" for seq in violation.writes)
        found.update(f"r{seq}" for seq in violation.requests)
        found.update(f"e{seq}" for seq in violation.events)
    return frozenset(found)


def relevant(
    entries: Sequence[Entry], hosts: frozenset[str], machines: frozenset[str], refs: frozenset[str]
) -> list[Entry]:
    """The entries on these hosts and machines, on everybody, and those that are referred to."""
    return [
        entry
        for entry in entries
        if entry.ref in refs or (not entry.quiet and entry.concerns(hosts, machines))
    ]


def about(recording: Recording, host: str, machine: str) -> Chapter:
    """What concerns this host or this machine, and hosts while they were its; "" is nobody."""
    held = [o for o in recording.history.ownerships() if machine and o.owner_name == machine]

    def concerns(violation: Violation) -> bool:
        if {host, machine} & {violation.host, violation.machine} - {""}:
            return True
        return any(
            o.host == violation.host
            and o.start <= violation.time
            and (o.end is None or violation.time <= o.end)
            for o in held
        )

    return Chapter(host, machine, tuple(v for v in recording.violations if concerns(v)))


def tell(chapter: Chapter, entries: Sequence[Entry], around: float | None = None) -> list[Told]:
    """A chapter's entries and violations in order.

    Without ``around`` a number of entries beside each violation, else all within so many seconds.
    What violations refer to is always there, and counts among those concerned.
    """
    refs = cited(chapter.violations)
    known = [entry for entry in entries if entry.ref in refs]
    hosts = {chapter.host, *(name for entry in known for name in entry.hosts)} - {""}
    machines = {violation.machine for violation in chapter.violations}
    machines |= {chapter.machine, *(name for entry in known for name in entry.machines)}
    found = relevant(entries, frozenset(hosts), frozenset(machines - {""}), refs)
    times = [entry.time for entry in found]
    shown = {index for index, entry in enumerate(found) if entry.ref in refs}
    for number, violation in enumerate(chapter.violations):
        if around is not None:
            low = bisect_left(times, violation.time - around)
            high = bisect_right(times, violation.time + around)
        elif number > LATER:
            break
        else:
            place = bisect_right(times, violation.time)
            before, after = (LATER_BEFORE, LATER_AFTER) if number else (BEFORE, AFTER)
            low, high = max(0, place - before), place + after
        shown.update(range(low, min(high, len(found))))
    return _weave(found, shown, chapter.violations, refs)


def tell_whole(chapter: Chapter, entries: Sequence[Entry]) -> list[Told]:
    """All that happened to the chapter's host and machine, from the beginning to the end."""
    refs = cited(chapter.violations)
    hosts, machines = frozenset({chapter.host} - {""}), frozenset({chapter.machine} - {""})
    found = relevant(entries, hosts, machines, refs)
    return _weave(found, set(range(len(found))), chapter.violations, refs)


def _weave(
    found: Sequence[Entry], shown: set[int], violations: Sequence[Violation], refs: frozenset[str]
) -> list[Told]:
    """The shown entries with the violations between, reads folded, and gaps counted."""
    told: list[Told] = []
    pending = sorted(violations, key=lambda violation: violation.time)
    reads: dict[str, int] = {}
    skipped, since = 0, 0.0
    for index, entry in enumerate(found):
        while pending and pending[0].time < entry.time:
            told.append(pending.pop(0))
            reads.clear()
        if index not in shown:
            if not skipped:
                since = found[index - 1].time if index else entry.time
            skipped += 1
            continue
        if skipped:
            told.append(Gap(skipped, entry.time - since))
            skipped = 0
            reads.clear()
        group = "" if entry.ref in refs else entry.group
        first = told[reads[group]] if group in reads else None
        if isinstance(first, Span):
            told[reads[group]] = Span(first.entry, max(first.end, entry.end), first.count + 1)
            continue
        if group:
            reads[group] = len(told)
        elif entry.source == "request":
            reads.clear()  # what comes after it is not told as if it came before
        told.append(Span(entry, entry.end))
    if skipped:
        told.append(Gap(skipped, found[-1].time - since))
    return told + list(pending)


def situation(recording: Recording, chapter: Chapter, time: float) -> list[str]:
    """What was the case at ``time``: the host, its machine, the leader, managers, faults."""
    history = recording.history
    said = []
    track = history.host_named(chapter.host, time)
    host = track.at(time) if track else None
    if track and host:
        owner = consumer_name(host)
        since = next(v.time for v in reversed(track.versions) if v.time <= time)
        said.append(
            f"{chapter.host} was {state(host) or 'without a state'}, "
            f"{'of ' + owner if owner else 'nobody' + chr(39) + 's'} "
            f"(last written at {recording.since(since):.3f} s)"
        )
    if name := (chapter.violations[0].machine if chapter.violations else chapter.machine):
        tracks = [track for track in history.machines.values() if track.name == name]
        machine = next((obj for track in reversed(tracks) if (obj := track.at(time))), None)
        said.append(f"{name} was " + (phase(machine) or "without a phase" if machine else "absent"))
    if history.leases:
        said.append(_leader(recording, time))
    known = lives(recording)
    alive = [life.identity for life in known if life.alive_at(time)]
    dead = [life.identity for life in known if life.end is not None and life.end <= time]
    said.append(
        f"managers alive: {', '.join(alive) or 'none'}"
        + (f" (ended before: {', '.join(dead)})" if dead else "")
    )
    faults = [describe_fault(window) for window in recording.faults if window.active_at(time)]
    said.append(f"faults in force: {', '.join(faults) or 'none'}")
    return said


def _leader(recording: Recording, time: float) -> str:
    hold = recording.history.lease_at(time)
    if hold is None or not hold.holder:
        return "nobody was leader"
    if time > hold.time + hold.duration:
        late = time - hold.time - hold.duration
        return f"nobody was leader: the lease of {hold.holder} had run out {late:.3f} s before"
    return f"{hold.holder} was leader"
