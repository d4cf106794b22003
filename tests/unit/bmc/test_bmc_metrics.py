"""Counts that add up over shards, logs that are joined, and readers that are told of gaps."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.bmc.log import BmcEvent, BmcRecord, LogPage, Ring, page
from emulator.bmc.metrics import BUCKETS, Counts, Operation, join
from emulator.bmc.shardfront import JoinedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Client

pytestmark = pytest.mark.unit
SECONDS = st.floats(0.0, 100.0)


def record(seq: int, end: float, status: int = 200, host: str = "a") -> BmcRecord:
    return BmcRecord(seq, host, end, end, "GET", "/", status, "", "", "", False, "")


def operation(seconds: list[float], status: int = 200) -> Operation:
    found = Operation()
    for taken in seconds:
        found.add(status, taken)
    return found


@given(st.lists(SECONDS, max_size=30), st.lists(SECONDS, max_size=30))
def test_what_shards_counted_adds_up_and_subtracts(one: list[float], two: list[float]) -> None:
    a, b, both = operation(one), operation(two, 503), operation(one)
    for taken in two:
        both.add(503, taken)
    joined = a.plus(b)
    assert (joined.buckets, joined.statuses) == (both.buckets, both.statuses)
    assert joined.seconds == pytest.approx(both.seconds)
    assert (joined.count, joined.errors) == (len(one) + len(two), len(two))
    later = joined.since(a)
    assert later.buckets == b.buckets
    assert {s: n for s, n in later.statuses.items() if n} == b.statuses


@given(st.lists(st.floats(0.0, 59.0), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 1.0]))
def test_a_quantile_is_in_the_bucket_of_the_true_one(seconds: list[float], share: float) -> None:
    true = sorted(seconds)[max(0, math.ceil(share * len(seconds)) - 1)]
    found = operation(seconds).quantile(share)
    assert found is not None
    high = next(bound for bound in BUCKETS if true <= bound)
    low = max((bound for bound in BUCKETS if bound < high), default=0.0)
    assert low <= found <= high
    assert Operation().quantile(share) is None


def test_a_fleet_counts_its_requests_by_operation(in_a_world: Callable[..., None]) -> None:
    def body(client: Client) -> None:
        counts = Counts()
        client.fleet.observe = counts.add
        client.get(client.system)
        client.reset("On")
        client.reset("Sideways")
        client.insert("http://images/a.iso")
        client.boot(BootSourceOverrideTarget="Cd")
        found = {name: op.statuses for name, op in counts.operations.items()}
        assert found == {
            "system": {"200": 1},
            "reset": {"204": 1, "400": 1},
            "media": {"204": 1},
            "boot": {"204": 1},
        }

    in_a_world(body)


def snapshot(shard: int, **changed: Any) -> dict[str, Any]:
    busy = {"busy": 0.1 * shard, "busy_max": 0.2, "lag": 0.0, "lag_max": 0.3}
    return {
        "hosts": 2,
        "requests": 5,
        "in_flight": 1,
        "connections": 3,
        **busy,
        "saturated": "",
        "power": {"On": 1, "Off": 1},
        "boot": {"None": 2},
        "operations": {"get": asdict(operation([0.1] * (shard + 1)))},
        "slowest": [{"host": f"h{shard}", "mean_seconds": float(shard), "requests": 1}],
        "shards": [{"shard": shard}],
        **changed,
    }


def test_the_snapshot_of_a_fleet_is_that_of_its_shards_together() -> None:
    joined = join([snapshot(0), snapshot(1, saturated="shard 1: busy 99%", power={"On": 2})])
    assert (joined["hosts"], joined["requests"], joined["busy"]) == (4, 10, 0.1)
    assert joined["power"] == {"On": 3, "Off": 1}
    assert joined["saturated"] == "shard 1: busy 99%"
    assert Operation(**joined["operations"]["get"]).count == 3
    assert [entry["host"] for entry in joined["slowest"]] == ["h1", "h0"]
    assert [entry["shard"] for entry in joined["shards"]] == [0, 1]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.floats(0.0, 1.0)), max_size=40),
    st.lists(st.integers(0, 2), max_size=40),
    st.integers(1, 5),
)
def test_shards_logs_are_joined_in_the_order_of_time_whoever_is_read_first(
    work: list[tuple[int, float]], reads: list[int], limit: int
) -> None:
    """Random work in three shards, read in random order and in pages of random size."""
    rings: list[Ring[BmcRecord]] = [Ring(1000) for _ in range(3)]
    none: Ring[BmcEvent] = Ring(10)
    log = JoinedLog(3)
    now, everything = 0.0, []

    def read(shard: int, at_most: int) -> None:
        follow = log.shards[shard]
        follow.add(page(now, rings[shard], none, follow.records_read, 0, at_most))
        log.join()

    for (shard, step), which in zip(work, [*reads, *[0] * len(work)], strict=False):
        now += step
        entry = record(rings[shard].next_seq, now, host=f"shard-{shard}")
        rings[shard].append(entry)
        everything.append((now, f"shard-{shard}"))
        read(which, limit)
    now += 1.0
    for shard in (0, 1, 2):
        read(shard, 1000)
    found = log.records.since(0)
    assert [r.seq for r in found] == list(range(1, len(everything) + 1))
    assert [r.end for r in found] == [end for end, _ in everything]
    assert sorted((r.end, r.host) for r in found) == sorted(everything)


def test_what_a_shard_gave_up_is_missed_in_the_joined_log_too() -> None:
    shard: Ring[BmcRecord] = Ring(3)
    none: Ring[BmcEvent] = Ring(3)
    log = JoinedLog(1)
    shard.append(record(1, 1.0))
    log.shards[0].add(page(1.0, shard, none, 0, 0, 10))
    log.join()
    for seq in range(2, 8):
        shard.append(record(seq, float(seq)))
    log.shards[0].add(page(7.0, shard, none, log.shards[0].records_read, 0, 10))
    log.join()
    # Entries 2 to 4 were lost between two looks: a reader who has the first is told so.
    told = page(7.0, log.records, log.events, 1, 0, 10)
    assert told.missed_records == 3
    assert [r.end for r in told.records] == [5.0, 6.0, 7.0]
    assert [r.seq for r in told.records] == [5, 6, 7]


@given(st.integers(1, 8), st.integers(0, 30), st.integers(0, 40), st.integers(1, 10))
def test_a_reader_gets_every_entry_or_is_told_how_many_it_missed(
    capacity: int, written: int, read: int, limit: int
) -> None:
    read = min(read, written)
    ring: Ring[BmcRecord] = Ring(capacity)
    none: Ring[BmcEvent] = Ring(1)
    for seq in range(1, written + 1):
        ring.append(record(seq, float(seq)))
    assert len(ring) <= capacity
    found = LogPage.from_json(page(0.0, ring, none, read, 0, limit).to_json())
    expected = list(range(read + 1 + found.missed_records, written + 1))
    assert [r.seq for r in found.records] == expected[:limit]
    assert found.more == (len(expected) > limit)
    assert found.missed_records == max(0, written - capacity - read)


def test_a_fleets_memory_of_requests_is_bounded(in_a_world: Callable[..., None]) -> None:
    def body(client: Client) -> None:
        fleet = client.fleet
        fleet.records, fleet.events = Ring(50), Ring(20)
        fleet.service._rendered.clear()
        for index in range(200):
            client.insert(f"http://images/{index}.iso")
        assert (len(fleet.records), len(fleet.events)) == (50, 20)
        told = fleet.log(after_records=10)
        assert told.missed_records == 140
        assert told.records[0].seq == 151
        # 199 ejected, 200 inserted.
        assert fleet.log().missed_events == 379

    in_a_world(body)
