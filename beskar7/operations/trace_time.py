"""Where a machine's time went: its way cut into phases that follow each other without a gap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from beskar7.operations import trace_entries as kinds
from beskar7.operations.trace_entries import Entry

WAIT, CLAIM, QUEUE, OPERATION, BOOT, ERROR, REPORT, UNTOLD = (
    "waiting for a host",
    "claim",
    "queue",
    "BMC operation",
    "boot",
    "host in Error",
    "status",
    "untold",
)
PHASES = {
    WAIT: "until a manager tried a host for it (creation is told in whole seconds)",
    CLAIM: "from the first try at a host, with conflicts and pauses, until one is its own",
    QUEUE: "its host waits for a BMC operation: reconcile, queue, cooldown, pause before a retry",
    OPERATION: "BMC operations that ran for it, those that looked whether it has booted too",
    BOOT: "the host boots, and nobody talks to its BMC",
    ERROR: "its host is in Error, and waits for the next try",
    REPORT: "from the host's Provisioned to the machine's",
    UNTOLD: "no log line or Event is left that tells",
}
"""Each phase, and what it is."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the way, in UTC seconds."""

    phase: str
    start: float
    end: float


def segments(
    entries: Sequence[Entry], start: float, end: float, *, told_from: float
) -> list[Segment]:
    """The way from ``start`` to ``end``, in order; neighbours differ in phase.

    ``entries`` are in the order of time; only those of the way count. ``told_from``: from when on
    logs and Events are known; a time before that which nothing tells of is UNTOLD. The last
    segment reaches ``end`` exactly.
    """
    if end <= start:
        return []
    known = [entry for entry in entries if start <= entry.at <= end]
    marks = [(start, WAIT if told_from <= start else UNTOLD), *_marks(known, start)]
    operations = [
        (max(start, entry.began), min(end, entry.at))
        for entry in known
        if entry.kind == kinds.OPERATION and entry.exact and entry.seconds > 0
    ]
    marks.sort(key=lambda mark: mark[0])  # stable: what was said last of a moment holds
    return _merged(_cut(marks, operations, start, end))


def totals(parts: Sequence[Segment]) -> dict[str, float]:
    """Seconds of each phase that there was, in the order of :data:`PHASES`."""
    sums = dict.fromkeys(PHASES, 0.0)
    for part in parts:
        sums[part.phase] += part.end - part.start
    return {phase: seconds for phase, seconds in sums.items() if seconds > 0}


def _marks(entries: Sequence[Entry], start: float) -> Iterator[tuple[float, str]]:
    """From when on which phase lasts, operations apart."""
    handed_over = any(entry.kind == kinds.HANDED_OVER for entry in entries)
    last_line = max((entry.at for entry in entries if entry.exact), default=start)
    phase, since, asked = WAIT, start, False
    rests_until: float | None = None
    for entry in entries:
        if rests_until is not None and entry.at > rests_until:
            if phase == CLAIM:
                phase = WAIT
                yield rests_until, WAIT
            rests_until = None
        now = phase
        match entry.kind:
            case kinds.HANDED_OVER if phase == WAIT:
                yield entry.at, WAIT
            case kinds.SELECTING if phase == WAIT:
                now = CLAIM
            case kinds.CONFLICT if phase == CLAIM and handed_over:
                # The coordinator gives the claim back; it waits for its turn again.
                now = WAIT
            case kinds.RETRY if phase == CLAIM and not entry.host:
                rests_until = entry.at + entry.seconds
            case kinds.CLAIMED:
                asked = False
                now = QUEUE if last_line > entry.at else UNTOLD
            case kinds.OPERATION if phase in (QUEUE, BOOT, UNTOLD):
                now, skipped = _after_operation(entry, phase, asked)
                asked = asked or now == BOOT
                if skipped:
                    yield since, UNTOLD
            case kinds.STATE if entry.word == "Error":
                now = ERROR
            case kinds.STATE if entry.word == "Provisioned":
                now = REPORT
            case kinds.STATE if phase == ERROR:
                now, asked = QUEUE, False
            case kinds.BOOTED:
                now = REPORT
            case kinds.RELEASED:
                now = WAIT
        if now != phase:
            phase, since = now, entry.at
            yield entry.at, phase


def _after_operation(entry: Entry, phase: str, asked: bool) -> tuple[str, bool]:
    """The phase once an operation has ended, and whether one before it went untold."""
    if entry.word == "provision":
        return (BOOT, False) if entry.outcome == "success" else (QUEUE, False)
    if entry.word == "verify":
        # Who looks whether it has booted has told it to boot before.
        return BOOT, phase != BOOT and not asked
    return phase, False


def _cut(
    marks: list[tuple[float, str]], operations: list[tuple[float, float]], start: float, end: float
) -> Iterator[Segment]:
    """The marks' phases, with the operations laid over them."""
    edges = {start, end}
    edges.update(at for at, _ in marks if start < at < end)
    edges.update(edge for pair in operations for edge in pair if start < edge < end)
    for left, right in pairwise(sorted(edges)):
        phase = marks[0][1]
        for at, name in marks:
            if at <= left:
                phase = name
        if any(began <= left and right <= ended for began, ended in operations):
            phase = OPERATION
        yield Segment(phase, left, right)


def _merged(parts: Iterator[Segment]) -> list[Segment]:
    found: list[Segment] = []
    for part in parts:
        if found and found[-1].phase == part.phase:
            found[-1] = Segment(part.phase, found[-1].start, part.end)
        else:
            found.append(part)
    return found
