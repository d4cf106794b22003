"""How many hosts wait for the provisioning queue, and how busy its workers are, by what was seen.

The same two functions serve runs of the code, whose logs tell when an operation began, and the
model, which knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

from beskar7.api.kinds import PHYSICAL_HOST
from scenarios.engine.evidence import Evidence
from scenarios.engine.expand import tuning_of
from scenarios.engine.invariants.news import told
from scenarios.engine.invariants.operations import Operation, group_all
from scenarios.engine.machinetimes import MachineTimes
from scenarios.engine.schema import Scenario

Span = tuple[float, float]
"""From and until when, in seconds of one clock."""


def lengths(waits: Iterable[Span], window: Span) -> tuple[float, int]:
    """Of a queue in which each of ``waits`` was spent: its mean over the window, its maximum.

    A wait that ends where another begins never counts twice.
    """
    within = [wait for span in waits if (wait := clipped(span, window)) is not None]
    spent = sum(end - begin for begin, end in within)
    edges = sorted(edge for begin, end in within for edge in ((begin, 1), (end, -1)))
    most = max(accumulate(step for _, step in edges), default=0)
    return spent / (window[1] - window[0]), most


def clipped(span: Span, window: Span) -> Span | None:
    """What of a span lies in the window; None for nothing."""
    begin, end = max(span[0], window[0]), min(span[1], window[1])
    return (begin, end) if end > begin else None


def workers(scenario: Scenario) -> int:
    """``provisioning.workerCount`` as the leader begins with it."""
    return tuning_of(scenario).worker_count


def queue_measures(evidence: Evidence, rows: Sequence[MachineTimes]) -> dict[str, float | None]:
    """``queue_length``, ``queue_max``, ``utilisation`` and ``rejections``.

    The window is from the load's start until a machine or its host was last seen to change.
    """
    found: dict[str, float | None] = dict.fromkeys(("queue_length", "queue_max", "utilisation"))
    rejections = sum(
        count
        for (_, kind, reason), count in told(evidence.history.writes).items()
        if (kind, reason) == (PHYSICAL_HOST.kind, "QueueFull")
    )
    found["rejections"] = float(rejections)
    times = [
        time
        for row in rows
        for time in (row.claimed, row.provisioned, row.released)
        if time is not None
    ]
    window = evidence.origin, max(times, default=evidence.origin)
    if window[1] <= window[0]:
        return found
    operations = [o for own in group_all(evidence.requests).values() for o in own if o.header.kind]
    mean, most = lengths(_waits(rows, operations, window[1]), window)
    busy = [span for o in operations if (span := clipped((o.touched, o.left), window)) is not None]
    capacity = workers(evidence.scenario) * (window[1] - window[0])
    found["queue_length"], found["queue_max"] = mean, float(most)
    found["utilisation"] = sum(end - begin for begin, end in busy) / capacity
    return found


def _waits(
    rows: Iterable[MachineTimes], operations: Iterable[Operation], end: float
) -> Iterable[Span]:
    """Each host's waits for its provisioning, and to be given back."""
    provisions: dict[str, float] = {}
    returns: dict[str, list[float]] = {}
    for operation in operations:
        header = operation.header
        if header.kind == "provision":
            known = provisions.get(header.consumer, operation.touched)
            provisions[header.consumer] = min(known, operation.touched)
        elif header.kind == "deprovision":
            returns.setdefault(operation.host, []).append(operation.touched)
    for row in rows:
        if row.claimed is None:
            continue
        # Who is deleted before its turn waits no longer for that, but to be given back.
        given_up = end if row.deletion is None else row.deletion
        yield row.claimed, min(provisions.get(row.uid, given_up), given_up)
        if row.deletion is not None:
            asked = max(row.deletion, row.claimed)
            until = end if row.released is None else row.released
            begun = [at for at in returns.get(row.host, ()) if at >= asked]
            yield asked, min(begun, default=until)
