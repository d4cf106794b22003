"""The entries of a story put together: whose host when, nothing twice, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from beskar7.api.meta import ObjectKey
from beskar7.operations import trace_entries as kinds
from beskar7.operations.trace_entries import Entry

TOLD_TWICE = (
    *(kinds.CLAIMED, kinds.CONFLICT, kinds.RELEASED, kinds.COOLDOWN, kinds.BOOTED, kinds.READY),
    *(kinds.STATE, kinds.OPERATION, kinds.LEADER),
)
"""What logs, Events and objects all tell of; a log line says it to the microsecond."""
BEFORE, AFTER = 2.0, 1.1
"""Seconds by which a log line may be before, or after, the whole second that an Event or an object
has for the same: these cut their time off, and are written a moment later."""
FOLDED = (kinds.OPERATION, kinds.OTHER, kinds.RETRY)


def ownership(entries: Sequence[Entry], now: float) -> dict[ObjectKey, list[tuple[float, float]]]:
    """When the machine owned which host, from and until in UTC seconds, in the order of time."""
    since: dict[str, float] = {}
    found: dict[ObjectKey, list[tuple[float, float]]] = {}
    for entry in entries:
        if not entry.host:
            continue
        if entry.kind == kinds.CLAIMED:
            found.setdefault(_key(entry.host), [])
            since.setdefault(entry.host, entry.at)
        elif entry.kind == kinds.RELEASED and entry.host in since:
            found[_key(entry.host)].append((since.pop(entry.host), entry.at))
    for host, start in since.items():
        found[_key(host)].append((start, now))
    return found


def story(entries: Iterable[Entry]) -> list[Entry]:
    """In the order of time, without what a better source has told, and runs of the same as one."""
    ordered = sorted(entries, key=lambda entry: (entry.at, entry.kind != kinds.CREATED))
    lines = [entry for entry in ordered if entry.exact]
    rest: list[Entry] = []
    for entry in ordered:
        if not entry.exact and entry.kind in TOLD_TWICE:
            if sum(_same(entry, line) for line in lines) >= entry.count:
                continue
            if any(_same_second(entry, other) for other in rest):
                continue
        rest.append(entry)
    return rest


def folded(entries: Sequence[Entry]) -> list[Entry]:
    """Successive entries that say the same but for their times as one that says how often."""
    found: list[Entry] = []
    for entry in entries:
        last = found[-1] if found else None
        if last is not None and entry.kind in FOLDED and _alike(last, entry):
            found[-1] = replace(
                last,
                count=last.count + entry.count,
                until=max(entry.at, entry.until),
                seconds=last.seconds + entry.seconds,
            )
        else:
            found.append(entry)
    return found


def _same(entry: Entry, line: Entry) -> bool:
    if entry.kind == kinds.LEADER or line.kind == kinds.LEADER:
        # An Event says who was elected; a line says who began.
        named = entry.text.partition(": ")[2].split(" ", 1)[0]
        alike = line.kind == entry.kind and line.text.startswith(f"{named} started")
    else:
        alike = line.kind == entry.kind and (not entry.host or line.host == entry.host)
        if entry.kind in (kinds.STATE, kinds.OPERATION):
            alike = alike and line.word == entry.word
    return alike and entry.at - BEFORE <= line.at <= max(entry.at, entry.until) + AFTER


def _same_second(entry: Entry, other: Entry) -> bool:
    """Two sources without a log line: the first of them is enough."""
    return (
        not other.exact
        and (other.kind, other.host, other.word) == (entry.kind, entry.host, entry.word)
        and other.source != entry.source
        and abs(other.at - entry.at) <= AFTER
    )


def _alike(last: Entry, entry: Entry) -> bool:
    if (last.kind, last.host, last.word, last.outcome, last.source) != (
        *(entry.kind, entry.host, entry.word, entry.outcome),
        entry.source,
    ):
        return False
    return last.kind == kinds.OPERATION or last.text == entry.text


def _key(host: str) -> ObjectKey:
    namespace, _, name = host.partition("/")
    return ObjectKey(namespace, name)
