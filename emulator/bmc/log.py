"""What the BMCs saw: one record a request, one event for each thing that a machine did."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

RECORDS_KEPT = 200_000
EVENTS_KEPT = 100_000


@dataclass(frozen=True, slots=True)
class BmcRecord:
    """One request. Times are ``runtime.now()``: received, and the answer ready (or given up)."""

    seq: int
    host: str
    start: float
    end: float
    method: str
    path: str
    status: int
    """0: no answer was sent."""
    agent: str
    operation: str
    """Header ``X-Beskar7-Operation``."""
    action: str
    """Empty for a read; ``reset:<type>``, ``insert-media``, ``set-boot``, ... for a write."""
    performed: bool
    fault: str
    """Id of the fault that hit this request.

    With an empty ``method``: a connection that a fault turned away before any request.
    """

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BmcRecord:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class BmcEvent:
    """What the machine did at ``time``, on its own clock.

    ``type``: power-on, power-off, boot-started, boot-finished, boot-failed, media-inserted,
    media-ejected, bmc-reset, firmware-updated, and of faults clock-changed, credentials-changed,
    feed-lost, feed-restored.
    ``detail`` of a boot is that of :class:`emulator.bmc.boot.Booted` (``<source>:<image URL or
    nothing>``, then mode and arguments where there are), of media ``<device>:<image URL>``.
    """

    seq: int
    host: str
    time: float
    type: str
    detail: str
    fault: str = ""
    """Id of the fault that made it happen, in place of a request."""

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BmcEvent:
        return cls(**data)


Entry = TypeVar("Entry", BmcRecord, BmcEvent)


class Ring(Generic[Entry]):
    """The last ``capacity`` entries, numbered 1, 2, 3... without gaps."""

    def __init__(self, capacity: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self.last_seq = 0

    @property
    def next_seq(self) -> int:
        return self.last_seq + 1

    @property
    def dropped(self) -> int:
        """How many entries were given up to make room."""
        return self.last_seq - len(self._entries)

    def append(self, entry: Entry) -> None:
        if entry.seq != self.next_seq:
            raise ValueError(f"entry {entry.seq} appended where {self.next_seq} was due")
        self._entries.append(entry)
        self.last_seq = entry.seq

    def give_up(self, count: int) -> None:
        """``count`` entries were lost before they got here; what is older goes with them."""
        self._entries.clear()
        self.last_seq += count

    def since(self, seq: int, limit: int | None = None) -> list[Entry]:
        """Entries later than ``seq``, oldest first; those that were dropped are missing."""
        new = min(len(self._entries), max(0, self.last_seq - seq))
        skip = 0 if limit is None else max(0, new - limit)
        # From the newest: what was read before costs nothing.
        found = list(islice(reversed(self._entries), skip, new))
        found.reverse()
        return found

    def backwards(self) -> Iterator[Entry]:
        """The newest first."""
        return reversed(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class LogPage:
    """A piece of both logs, complete up to ``now`` unless ``more`` says that it was cut."""

    now: float
    records: list[BmcRecord]
    events: list[BmcEvent]
    dropped_records: int
    dropped_events: int
    more: bool
    missed_records: int = 0
    """Of the entries asked for, how many were given up before they were: a gap at the begin."""
    missed_events: int = 0

    def to_json(self) -> dict[str, Any]:
        return {
            "now": self.now,
            "records": [record.to_json() for record in self.records],
            "events": [event.to_json() for event in self.events],
            "dropped_records": self.dropped_records,
            "dropped_events": self.dropped_events,
            "more": self.more,
            "missed_records": self.missed_records,
            "missed_events": self.missed_events,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LogPage:
        return cls(
            now=data["now"],
            records=[BmcRecord.from_json(record) for record in data["records"]],
            events=[BmcEvent.from_json(event) for event in data["events"]],
            dropped_records=data["dropped_records"],
            dropped_events=data["dropped_events"],
            more=data["more"],
            missed_records=data["missed_records"],
            missed_events=data["missed_events"],
        )


def page(
    now: float,
    records: Ring[BmcRecord],
    events: Ring[BmcEvent],
    after_records: int,
    after_events: int,
    limit: int,
) -> LogPage:
    """What comes after the given numbers, at most ``limit`` entries of each kind."""
    found = records.since(after_records, limit)
    happened = events.since(after_events, limit)
    return LogPage(
        now=now,
        records=found,
        events=happened,
        dropped_records=records.dropped,
        dropped_events=events.dropped,
        more=bool(
            (found and found[-1].seq < records.last_seq)
            or (happened and happened[-1].seq < events.last_seq)
        ),
        missed_records=max(0, records.dropped - after_records),
        missed_events=max(0, events.dropped - after_events),
    )
