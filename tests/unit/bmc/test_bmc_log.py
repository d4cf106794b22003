"""The fleet's ring logs: numbering, paging, dropping, and their form on the wire."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.bmc.log import BmcEvent, BmcRecord, LogPage, Ring

pytestmark = pytest.mark.unit


def event(seq: int) -> BmcEvent:
    return BmcEvent(seq, "host-001", float(seq), "power-on", "")


@settings(max_examples=60, deadline=None)
@given(
    capacity=st.integers(1, 8),
    written=st.integers(0, 25),
    after=st.integers(0, 30),
    limit=st.none() | st.integers(1, 10),
)
def test_since_gives_what_is_kept_and_later(
    capacity: int, written: int, after: int, limit: int | None
) -> None:
    ring: Ring[BmcEvent] = Ring(capacity)
    for seq in range(1, written + 1):
        ring.append(event(seq))
    kept = [seq for seq in range(1, written + 1) if seq > written - capacity]
    expected = [seq for seq in kept if seq > after][:limit]
    assert [entry.seq for entry in ring.since(after, limit)] == expected
    assert ring.dropped == written - len(kept)
    assert (ring.next_seq, len(ring)) == (written + 1, len(kept))


def test_what_was_read_before_costs_nothing() -> None:
    seen: list[int] = []

    class Watched(deque[BmcEvent]):
        def __iter__(self) -> Iterator[BmcEvent]:
            raise AssertionError("walked from its begin")

        def __reversed__(self) -> Iterator[BmcEvent]:
            for entry in super().__reversed__():
                seen.append(entry.seq)
                yield entry

    ring: Ring[BmcEvent] = Ring(1000)
    ring._entries = Watched(maxlen=1000)
    for seq in range(1, 501):
        ring.append(event(seq))
    assert [entry.seq for entry in ring.since(497)] == [498, 499, 500]
    assert sorted(seen) == [498, 499, 500]


def test_numbers_have_no_gaps() -> None:
    ring: Ring[BmcEvent] = Ring(3)
    with pytest.raises(ValueError, match="where 1 was due"):
        ring.append(event(2))


def test_a_page_survives_the_wire() -> None:
    record = BmcRecord(
        *(1, "host-001", 1.25, 2.5, "POST", "/x", 204, "agent", "op", "reset:On", True, "slow")
    )
    page = LogPage(3.0, [record], [event(1)], 4, 5, True)
    assert LogPage.from_json(json.loads(json.dumps(page.to_json()))) == page
