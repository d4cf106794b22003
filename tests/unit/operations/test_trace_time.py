"""The phases of a machine's way: each second in one of them, whatever is known."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.operations import trace_entries as kinds
from beskar7.operations import trace_time as time
from beskar7.operations.trace_entries import Entry
from beskar7.operations.trace_time import segments, totals

pytestmark = pytest.mark.unit


def entry(at: float, kind: str, **more: object) -> Entry:
    return Entry(at, True, "log", kind, "", **more)  # type: ignore[arg-type] # of many types


def phases(entries: list[Entry], end: float, told_from: float = 0.0) -> dict[str, float]:
    return totals(segments(entries, 0.0, end, told_from=told_from))


SMOOTH = [
    entry(2.0, kinds.SELECTING, host="d/h"),
    entry(2.5, kinds.CLAIMED, host="d/h"),
    entry(5.5, kinds.OPERATION, host="d/h", word="provision", outcome="success", seconds=1.5),
    entry(10.0, kinds.OPERATION, host="d/h", word="verify", outcome="success", seconds=0.5),
    entry(20.0, kinds.OPERATION, host="d/h", word="verify", outcome="success", seconds=0.5),
    entry(20.25, kinds.BOOTED, host="d/h"),
    entry(21.0, kinds.READY, host="d/h"),
]


def test_a_smooth_way() -> None:
    assert phases(SMOOTH, 21.0) == {
        time.WAIT: 2.0,
        time.CLAIM: 0.5,
        time.QUEUE: 1.5,
        time.OPERATION: 2.5,
        time.BOOT: 13.75,
        time.REPORT: 0.75,
    }


def test_conflicts_and_their_pauses_are_of_the_claim_and_what_follows_them_is_a_wait() -> None:
    entries = [
        entry(1.0, kinds.SELECTING, host="d/h"),
        entry(1.5, kinds.CONFLICT, host="d/h"),
        entry(1.5, kinds.RETRY, seconds=0.5),
        entry(7.0, kinds.SELECTING, host="d/i"),
        entry(8.0, kinds.CLAIMED, host="d/i"),
    ]
    assert phases(entries, 8.0) == {time.WAIT: 6.0, time.CLAIM: 2.0}
    soon = [*entries[:3], entry(1.9, kinds.SELECTING), entry(2.0, kinds.CLAIMED)]
    assert phases(soon, 2.0) == {time.WAIT: 1.0, time.CLAIM: 1.0}


def test_a_claim_that_the_coordinator_gives_back_waits_again() -> None:
    entries = [
        entry(0.5, kinds.HANDED_OVER),
        entry(1.0, kinds.SELECTING, host="d/h"),
        entry(1.5, kinds.CONFLICT, host="d/h"),
        entry(9.0, kinds.SELECTING, host="d/i"),
        entry(9.5, kinds.CLAIMED, host="d/i"),
    ]
    assert phases(entries, 9.5) == {time.WAIT: 8.5, time.CLAIM: 1.0}


def test_a_failed_boot_is_in_error_until_it_is_tried_again() -> None:
    entries = [
        entry(1.0, kinds.CLAIMED, host="d/h"),
        entry(3.0, kinds.OPERATION, host="d/h", word="provision", outcome="success", seconds=1.0),
        entry(13.0, kinds.STATE, host="d/h", word="Error"),
        entry(20.0, kinds.OPERATION, host="d/h", word="inspect", outcome="success", seconds=0.5),
        entry(20.0, kinds.STATE, host="d/h", word="Claimed"),
        entry(24.0, kinds.OPERATION, host="d/h", word="provision", outcome="success", seconds=1.0),
        entry(30.0, kinds.BOOTED, host="d/h"),
    ]
    assert phases(entries, 30.0) == {
        time.WAIT: 1.0,
        time.QUEUE: 1.0 + 3.0,
        time.OPERATION: 2.5,
        time.BOOT: 10.0 + 6.0,
        time.ERROR: 6.5,
    }


def test_what_was_before_its_way_is_of_another() -> None:
    before = [entry(-9.0, kinds.CLAIMED, host="d/h"), entry(-5.0, kinds.BOOTED, host="d/h")]
    assert phases([*before, *SMOOTH], 21.0) == phases(SMOOTH, 21.0)


def test_what_nobody_told_is_no_queue() -> None:
    """The log of the manager that told the host to boot is gone with its pod."""
    entries = [
        entry(1.0, kinds.CLAIMED, host="d/h"),
        entry(9.0, kinds.OPERATION, host="d/h", word="verify", outcome="success", seconds=0.5),
        entry(12.0, kinds.BOOTED, host="d/h"),
    ]
    assert phases(entries, 12.0) == {
        time.WAIT: 1.0,
        time.OPERATION: 0.5,
        time.BOOT: 3.0,
        time.UNTOLD: 7.5,
    }


def test_events_alone_tell_claim_and_end_and_no_more() -> None:
    entries = [
        Entry(4.0, False, "event", kinds.CLAIMED, "", "d/h", until=4.0),
        Entry(60.0, False, "event", kinds.READY, "", "d/h", until=60.0),
    ]
    assert phases(entries, 60.0) == {time.WAIT: 4.0, time.UNTOLD: 56.0}
    assert phases(entries, 60.0, told_from=50.0) == {time.UNTOLD: 60.0}


@given(
    st.lists(
        st.builds(
            Entry,
            st.floats(0, 100),
            st.booleans(),
            st.just("log"),
            st.sampled_from(
                sorted(
                    {
                        value
                        for name, value in vars(kinds).items()
                        if name.isupper() and isinstance(value, str)
                    }
                )
            ),
            st.just(""),
            host=st.sampled_from(["", "d/h", "d/i"]),
            word=st.sampled_from(["", "provision", "verify", "inspect", "Error", "Provisioned"]),
            outcome=st.sampled_from(["success", "error"]),
            seconds=st.floats(0, 50),
        ),
        max_size=12,
    ),
    st.floats(0, 120),
    st.floats(0, 120),
)
def test_every_second_is_in_one_phase(entries: list[Entry], end: float, told: float) -> None:
    entries = sorted(entries, key=lambda each: each.at)
    parts = segments(entries, 0.0, end, told_from=told)
    if end == 0.0:
        assert parts == []
        return
    assert (parts[0].start, parts[-1].end) == (0.0, end)
    assert all(left.end == right.start for left, right in pairwise(parts))
    assert all(left.phase != right.phase for left, right in pairwise(parts))
    assert math.isclose(sum(totals(parts).values()), end)
