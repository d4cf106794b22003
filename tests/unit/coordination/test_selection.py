"""Selection: stable, spread, fair, free of dates where it should be; and the earlier vectors."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.meta import ObjectKey, parse_rfc3339
from beskar7.api.resources import PhysicalHost
from beskar7.coordination.requirements import ANY, Requirements
from beskar7.coordination.selection import (
    ALGORITHMS,
    WINDOW,
    Order,
    Turn,
    candidates,
    claimable,
    upstream_hash,
)

pytestmark = pytest.mark.unit
MACHINE = ObjectKey("default", "m")


def host(name: str, **changes) -> PhysicalHost:
    raw = {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {},
        "status": {"state": "Available", "ready": True},
    }
    for part, values in changes.items():
        raw[part] = {**raw[part], **values}
    return PhysicalHost(raw)


def machines(count: int) -> list[ObjectKey]:
    return [ObjectKey("default", f"m-{number}") for number in range(count)]


def first(algorithm: str, machine: ObjectKey, hosts, **options) -> str:
    return candidates(algorithm, machine, hosts, **options)[0].name


HOSTS = [host(f"host-{number:03d}") for number in range(50)]
MANY = [host(f"host-{number:04d}") for number in range(1000)]


@given(st.permutations(HOSTS[:12]), st.sampled_from(sorted(ALGORITHMS)))
def test_the_order_in_which_hosts_are_known_does_not_matter(shuffled, algorithm: str):
    turn = Turn(wall=1e9, last="host-004")
    assert candidates(algorithm, MACHINE, shuffled, turn=turn) == candidates(
        algorithm, MACHINE, HOSTS[:12], turn=turn
    )


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=60),
    st.sampled_from(sorted(ALGORITHMS)),
)
def test_an_order_kept_by_changes_equals_one_made_anew(changes, algorithm: str):
    order, there = Order(algorithm, ANY), {}
    for joins, number in changes:
        item = host(f"host-{number:03d}", metadata={"labels": {"beskar7.io/priority": number % 3}})
        item.raw["metadata"] |= {"name": f"host-{number:03d}", "namespace": "default"}
        if joins:
            there[item.key] = item
            order.put(item)
        else:
            there.pop(item.key, None)
            order.remove(item.key)
    expected = candidates(algorithm, MACHINE, there.values())
    assert order.choose(MACHINE, Turn(), WINDOW) == expected
    assert len(order) == len(there)


@given(st.integers(0, 49), st.integers(0, 10_000))
def test_a_host_that_leaves_changes_only_the_choices_that_fell_on_it(gone: int, number: int):
    machine = ObjectKey("default", f"m-{number}")
    before = candidates("deterministic", machine, HOSTS)
    after = candidates("deterministic", machine, HOSTS[:gone] + HOSTS[gone + 1 :])
    assert after == [key for key in before if key != HOSTS[gone].key]


def test_in_a_large_fleet_a_host_that_leaves_changes_hardly_any_other_choice():
    before = {machine: first("deterministic", machine, MANY) for machine in machines(300)}
    after = {machine: first("deterministic", machine, MANY[1:]) for machine in machines(300)}
    moved = [m for m in before if before[m] != after[m] and before[m] != MANY[0].name]
    # Of the 300, 19 have the host in their window; of these one in 64 may find its follower better.
    assert len(moved) <= 3


@pytest.mark.parametrize(("hosts", "count"), [(HOSTS, 5000), (MANY, 10_000)])
def test_first_choices_are_spread_over_all_hosts(hosts, count: int):
    order = Order("deterministic", ANY)
    for item in hosts:
        order.put(item)
    counts = Counter(order.choose(machine, Turn(), 1)[0].name for machine in machines(count))
    mean = count / len(hosts)
    # Poisson, and 1.5 times its deviation for the unequal arcs of a ring; 6 deviations either way.
    assert len(counts) > 0.98 * len(hosts)
    assert max(counts.values()) <= mean + 9 * mean**0.5


@pytest.mark.upstream("U19")
def test_namespace_and_name_are_not_mixed_up():
    def ranked(namespace: str, name: str) -> list[str]:
        hosts = [host(h.name, metadata={"name": h.name, "namespace": namespace}) for h in HOSTS]
        return [key.name for key in candidates("deterministic", ObjectKey(namespace, name), hosts)]

    assert ranked("a-b", "c") != ranked("a", "b-c")


@pytest.mark.upstream("U35")
def test_round_robin_gives_every_host_before_it_gives_one_again():
    last, given_ = "", []
    for machine in machines(120):
        last = first("round-robin", machine, HOSTS, turn=Turn(last=last))
        given_.append(last)
    assert [Counter(given_[start : start + 50]).most_common(1)[0][1] for start in (0, 50)] == [1, 1]


@given(st.sets(st.integers(0, 49), min_size=1, max_size=49), st.integers(0, 49))
def test_round_robin_goes_on_behind_the_last_even_when_that_is_gone(there, last: int):
    hosts = [HOSTS[number] for number in there]
    expected = min((n for n in there if n > last), default=min(there))
    chosen = first("round-robin", MACHINE, hosts, turn=Turn(last=HOSTS[last].name))
    assert chosen == HOSTS[expected].name


@pytest.mark.upstream("U35")
def test_priority_is_the_operators_word_then_the_least_capable_host():
    def sized(name: str, cores: int, **metadata) -> PhysicalHost:
        item = host(name, status={"hardwareDetails": {"cpuCores": cores, "memoryGiB": 64}})
        item.raw["metadata"] |= metadata
        return item

    hosts = [
        sized("big", 128),
        sized("small", 16),
        sized("wanted", 64, annotations={"beskar7.io/priority": "10"}),
        sized("also-wanted", 64, labels={"beskar7.io/priority": "5"}),
        sized("last", 8, annotations={"beskar7.io/priority": "-1"}),
        sized("nonsense", 32, annotations={"beskar7.io/priority": "9" * 400}),
    ]
    names = [key.name for key in candidates("priority", MACHINE, hosts)]
    assert names == ["wanted", "also-wanted", "small", "nonsense", "big", "last"]


@pytest.mark.parametrize(
    ("namespace", "name", "day", "digest", "of_five"),
    [
        ("default", "worker-1", "2025-07-10", 0x26ABAB13, 4),
        ("default", "worker-1", "2025-07-11", 0xC2DDB71C, 1),
    ],
)
def test_upstream_begins_where_the_earlier_implementation_did(
    namespace: str, name: str, day: str, digest: int, of_five: int
):
    wall = parse_rfc3339(f"{day}T12:00:00Z")
    assert upstream_hash(ObjectKey(namespace, name), wall) == digest
    chosen = candidates("upstream", ObjectKey(namespace, name), HOSTS[:5], turn=Turn(wall=wall))
    numbers = [int(key.name[-3:]) for key in chosen]
    assert numbers == [(of_five + step) % 5 for step in range(5)]


def test_upstream_mixes_namespace_and_name_up_as_it_did():
    keys = (ObjectKey("a-b", "c"), ObjectKey("a", "b-c"))
    assert len({upstream_hash(key, 0.0) for key in keys}) == 1


@pytest.mark.upstream("U19")
@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"upstream"}))
def test_no_date_enters(algorithm: str):
    chosen = [candidates(algorithm, MACHINE, HOSTS, turn=Turn(wall=d * 86400.0)) for d in range(9)]
    assert all(other == chosen[0] for other in chosen)


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
def test_preferences_go_before_the_algorithm(algorithm: str):
    wish = Requirements(preferred_tags=("ssd",), preferred_labels=(("zone", "b"),))
    tagged = host("zz-tagged", spec={"tags": ["ssd"]})
    both = host("zzz-both", spec={"tags": ["ssd"]})
    both.raw["metadata"]["labels"] = {"zone": "b"}
    chosen = candidates(algorithm, MACHINE, [*HOSTS, tagged, both], requirements=wish)
    assert [key.name for key in chosen[:2]] == ["zzz-both", "zz-tagged"]
    assert len(chosen) == 52


@pytest.mark.parametrize(
    "unfit",
    [
        host("h", status={"ready": False}),
        host("h", status={"state": "Enrolling"}),
        host("h", status={"state": "Deprovisioning"}),
        host("h", spec={"consumerRef": {"uid": "1", "name": "m"}}),
        host("h", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}),
        host("h", metadata={"annotations": {"cluster.x-k8s.io/paused": ""}}),
    ],
)
def test_unfit_hosts_are_not_offered(unfit: PhysicalHost):
    assert claimable(host("h"))
    assert not claimable(unfit)
    assert candidates("deterministic", MACHINE, [unfit]) == []


def test_a_machine_gets_hosts_of_its_own_namespace_only():
    foreign = host("h", metadata={"namespace": "other"})
    assert candidates("deterministic", MACHINE, [foreign]) == []
