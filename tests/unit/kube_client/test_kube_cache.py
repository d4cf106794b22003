"""The cache: what the stream says, what our own writes may add to it, and what handlers hear."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.kinds import PHYSICAL_HOST
from beskar7.kube.cache import Cache
from beskar7.kube.port import Object
from beskar7.runtime import LiveRuntime, Runtime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]
Heard = list[tuple[str, str, str]]


def host(
    name: str, version: int, *, namespace: str = "ns", uid: str = "", rack: str = ""
) -> Object:
    return {
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": uid or f"uid-{name}",
            "resourceVersion": str(version),
            "labels": {"rack": rack},
        }
    }


def rack_of(obj: Object) -> list[str]:
    return [obj["metadata"]["labels"]["rack"]]


def names(objects: Any) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def version(obj: Object | None) -> str:
    return "-" if obj is None else obj["metadata"]["resourceVersion"]


@pytest.fixture
def cache() -> Cache:
    return Cache(LiveRuntime(), PHYSICAL_HOST)


@pytest.fixture
def heard(cache: Cache) -> Heard:
    """What a handler hears: (name, old version, new version)."""
    changes: Heard = []

    def handler(old: Object | None, new: Object | None) -> None:
        changes.append((names([new or old])[0], version(old), version(new)))

    cache.on_change(handler)
    return changes


def test_a_list_fills_the_cache_and_the_next_list_takes_away(cache: Cache, heard: Heard) -> None:
    assert not cache.synced
    cache.replace([host("a", 1), host("b", 2)], "2")
    assert cache.wait_synced(0)
    cache.replace([host("b", 2), host("c", 4)], "5")
    assert sorted(names(cache.list())) == ["b", "c"]
    assert heard == [("a", "-", "1"), ("b", "-", "2"), ("a", "1", "-"), ("c", "-", "4")]


def test_events_are_applied_and_stale_repeats_are_not_news(cache: Cache, heard: Heard) -> None:
    cache.replace([host("a", 1)], "1")
    cache.apply("MODIFIED", host("a", 2))
    cache.apply("MODIFIED", host("a", 2))
    cache.apply("ADDED", host("b", 3))
    cache.apply("DELETED", host("a", 4))
    cache.apply("DELETED", host("a", 4))
    assert names(cache.list()) == ["b"]
    assert heard == [("a", "-", "1"), ("a", "1", "2"), ("b", "-", "3"), ("a", "4", "-")]


def test_get_gives_a_copy_and_peek_the_shared_object(cache: Cache) -> None:
    cache.replace([host("a", 1, rack="r1")], "1")
    copy = cache.get("ns", "a")
    assert copy is not None
    copy["metadata"]["labels"]["rack"] = "changed"
    assert rack_of(cache.get("ns", "a") or {}) == ["r1"]
    assert cache.peek("ns", "a") is cache.peek("ns", "a")
    assert cache.get("other", "a") is None


def test_an_index_follows_changes_and_deletions(cache: Cache) -> None:
    cache.replace([host("a", 1, rack="r1"), host("b", 2, rack="r1", namespace="other")], "2")
    cache.add_index("rack", rack_of)
    assert names(cache.by_index("rack", "r1")) == ["a", "b"]
    cache.apply("MODIFIED", host("a", 3, rack="r2"))
    assert names(cache.by_index("rack", "r1")) == ["b"]
    assert names(cache.by_index("rack", "r2")) == ["a"]
    cache.apply("DELETED", host("a", 4, rack="r2"))
    assert names(cache.by_index("rack", "r2")) == []
    assert names(cache.list("other")) == ["b"]
    assert names(cache.list("ns")) == []
    with pytest.raises(KeyError):
        cache.by_index("no-such-index", "x")
    with pytest.raises(ValueError, match="index 'rack' already"):
        cache.add_index("rack", rack_of)


def test_an_index_function_that_fails_hides_the_object_from_its_index_only(cache: Cache) -> None:
    cache.add_index("broken", lambda obj: [obj["no-such-field"]])
    cache.replace([host("a", 1)], "1")
    assert names(cache.list()) == ["a"]


def test_our_own_write_is_visible_before_the_watch_brings_it(cache: Cache, heard: Heard) -> None:
    cache.replace([host("a", 1)], "1")
    assert cache.observe(host("a", 5))
    assert version(cache.peek("ns", "a")) == "5"
    cache.apply("MODIFIED", host("a", 3))
    assert version(cache.peek("ns", "a")) == "5"
    cache.apply("MODIFIED", host("a", 5))
    cache.apply("MODIFIED", host("a", 6))
    assert heard == [("a", "-", "1"), ("a", "1", "5"), ("a", "5", "6")]


def test_a_late_write_does_not_bring_back_what_the_watch_deleted(cache: Cache) -> None:
    cache.replace([host("a", 1)], "1")
    cache.apply("DELETED", host("a", 7))
    assert not cache.observe(host("a", 6))
    assert len(cache) == 0


def test_a_server_put_back_to_an_older_state_undoes_our_writes(cache: Cache) -> None:
    cache.replace([host("a", 90)], "90")
    assert cache.observe(host("a", 100))
    cache.replace([host("a", 40)], "50")
    assert version(cache.peek("ns", "a")) == "40"


def test_what_was_read_makes_good_a_lost_event(cache: Cache, heard: Heard) -> None:
    cache.replace([host("a", 1)], "1")
    cache.apply("ADDED", host("b", 20))  # the one that made a version 5 is lost
    assert cache.observe(host("a", 5))
    assert not cache.observe(host("a", 4))
    assert heard == [("a", "-", "1"), ("b", "-", "20"), ("a", "1", "5")]
    cache.replace([host("a", 5), host("b", 20)], "20")
    assert version(cache.peek("ns", "a")) == "5"


def test_a_late_deletion_does_not_take_the_successor(cache: Cache, heard: Heard) -> None:
    cache.replace([host("a", 1)], "1")
    assert cache.observe(host("a", 9, uid="second"))
    cache.apply("DELETED", host("a", 8))
    assert version(cache.peek("ns", "a")) == "9"
    # Two objects: the end of the first is told before the second begins.
    assert heard[1:] == [("a", "1", "-"), ("a", "-", "9")]


def test_a_list_older_than_our_write_keeps_it_and_a_newer_one_does_not(cache: Cache) -> None:
    cache.replace([], "1")
    assert cache.observe(host("mine", 10))
    cache.replace([], "8")
    assert names(cache.list()) == ["mine"]
    cache.replace([host("mine", 9)], "9")
    assert version(cache.peek("ns", "mine")) == "10"
    cache.replace([], "12")
    assert names(cache.list()) == []


def test_writes_before_the_first_list_and_without_a_number_are_not_taken(cache: Cache) -> None:
    assert not cache.observe(host("a", 5))
    cache.replace([], "1")
    odd = host("a", 5)
    odd["metadata"]["resourceVersion"] = "opaque"
    assert not cache.observe(odd)


def test_a_server_put_back_to_an_older_state_is_believed(cache: Cache) -> None:
    cache.replace([host("a", 100), host("b", 90)], "100")
    cache.replace([host("a", 50)], "60")
    assert version(cache.peek("ns", "a")) == "50"
    assert names(cache.list()) == ["a"]
    cache.apply("MODIFIED", host("a", 61))
    assert version(cache.peek("ns", "a")) == "61"


def test_a_handler_that_comes_late_hears_what_is_there(cache: Cache) -> None:
    cache.replace([host("a", 1)], "1")
    heard: list[Any] = []
    cache.on_change(lambda old, new: heard.append((old, version(new))))
    assert heard == [(None, "1")]


def test_a_handler_may_use_the_cache_and_its_failure_hurts_nobody(cache: Cache) -> None:
    seen: list[int] = []

    def broken(old: Object | None, new: Object | None) -> None:
        raise RuntimeError("a handler's bug")

    def nested(old: Object | None, new: Object | None) -> None:
        seen.append(len(cache))
        if new is not None and version(new) == "2":
            cache.observe(host("b", 3))

    cache.replace([], "1")
    cache.on_change(broken)
    cache.on_change(nested)
    cache.apply("ADDED", host("a", 2))
    assert sorted(names(cache.list())) == ["a", "b"]
    assert seen == [1, 2]


def test_synced_means_that_the_handlers_have_heard(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        cache = Cache(runtime, PHYSICAL_HOST)
        heard: list[str] = []

        def slow(old: Object | None, new: Object | None) -> None:
            runtime.sleep(0.02)
            heard.append(version(new))

        cache.on_change(slow)
        task = runtime.spawn(cache.replace, [host("a", 1), host("b", 2)], "2", name="list")
        assert cache.wait_synced(5)
        assert heard == ["1", "2"]
        assert task.join(5)

    run(main)


def test_changes_are_heard_in_order_from_many_tasks(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        cache = Cache(runtime, PHYSICAL_HOST)
        cache.replace([], "0")
        last: dict[str, str] = {}
        broken: list[Any] = []
        rng = runtime.rng("handler")

        def handler(old: Object | None, new: Object | None) -> None:
            name = names([old or new])[0]
            if last.get(name, "-") != version(old):
                broken.append((name, last.get(name), version(old)))
            runtime.sleep(0.0005 * rng.random())
            last[name] = version(new)

        cache.on_change(handler)

        def follow() -> None:
            for number in range(1, 100):
                cache.apply("MODIFIED", host("a", number))

        def write(offset: int) -> None:
            for number in range(1000 + offset, 1300, 3):
                cache.observe(host("b", number))

        tasks = [runtime.spawn(write, offset, name=f"writer-{offset}") for offset in range(3)]
        tasks.append(runtime.spawn(follow, name="follower"))
        assert all(task.join(20) and task.error is None for task in tasks)
        end = runtime.now() + 10
        while last != {"a": "99", "b": "1299"} and runtime.now() < end:
            runtime.sleep(0.01)
        assert last == {"a": "99", "b": "1299"}
        assert broken == []

    run(main)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, int]]:
    """What a server did: (event type, name, version), each legal after the one before."""
    alive: set[str] = set()
    events = []
    for number in range(1, draw(st.integers(1, 25))):
        name = draw(st.sampled_from("abc"))
        if name not in alive:
            events.append(("ADDED", name, number))
            alive.add(name)
        elif draw(st.booleans()):
            events.append(("MODIFIED", name, number))
        else:
            events.append(("DELETED", name, number))
            alive.remove(name)
    return events


@given(events=histories(), data=st.data())
@settings(max_examples=200, deadline=None)
def test_whenever_our_writes_are_observed_the_cache_ends_equal_to_the_server(
    events: list[tuple[str, str, int]], data: st.DataObject
) -> None:
    cache = Cache(LiveRuntime(), PHYSICAL_HOST)
    cache.replace([], "0")
    shadow: dict[str, str] = {}

    def handler(old: Object | None, new: Object | None) -> None:
        name = names([old or new])[0]
        assert new is None or shadow.get(name, "-") == version(old)
        if new is None:
            shadow.pop(name, None)
        else:
            shadow[name] = version(new)

    cache.on_change(handler)
    expected: dict[str, str] = {}
    for position, (type_, name, number) in enumerate(events):
        # Any write that the server has accepted by now may be observed now: early, late, never.
        reach = data.draw(st.integers(position, len(events)))
        written = [event for event in events[:reach] if event[0] != "DELETED"]
        for _, other, at in (
            data.draw(st.lists(st.sampled_from(written), max_size=3)) if written else ()
        ):
            cache.observe(host(other, at, uid=f"{other}-{birth(events, other, at)}"))
        cache.apply(type_, host(name, number, uid=f"{name}-{birth(events, name, number)}"))
        if type_ == "DELETED":
            expected.pop(name)
        else:
            expected[name] = str(number)
    assert {names([obj])[0]: version(obj) for obj in cache.list()} == expected
    assert shadow == expected


def birth(events: list[tuple[str, str, int]], name: str, at: int) -> int:
    return max(
        number
        for type_, other, number in events
        if other == name and number <= at and type_ == "ADDED"
    )
