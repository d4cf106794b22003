"""Watches: random histories replayed, selectors crossed, history bounded, slow watchers let go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from beskar7.api.errors import Conflict, Expired, NotFound, Timeout
from beskar7.api.kinds import CONFIG_MAP
from beskar7.runtime import VirtualRuntime
from emulator.kube.store.history import Watcher, bookmark
from emulator.kube.store.selectors import compile_selectors
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

SELECTOR = compile_selectors("rack=r1", None)
NAMES = st.sampled_from(["a", "b", "c"])
SPACES = st.sampled_from(["default", "kube-system"])
RACKS = st.sampled_from([None, "r1", "r2"])


def config_map(name: str, namespace: str, rack: str | None, value: str) -> dict[str, Any]:
    labels = {"rack": rack} if rack else {}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return {"metadata": meta, "data": {"v": value}}


class Replay:
    """A client: a list, and then the events of a watch from its version."""

    def __init__(self, store: Store, namespace: str | None, selected: bool, from_list: bool):
        self.store = store
        self.namespace = namespace
        self.predicate = SELECTOR if selected else None
        self.state: dict[tuple[str, str], bytes] = {}
        self.seen = 0
        version: int | None = None
        if from_list:
            for entry in store.list(CONFIG_MAP, namespace, self.predicate):
                self.state[entry.namespace, entry.name] = entry.raw
            version = self.seen = store.resource_version
        self.woken = 0
        self.watcher = self.open(version)

    def open(self, version: int | None) -> Watcher:
        return self.store.watch(
            CONFIG_MAP, self.namespace, version=version, predicate=self.predicate, wake=self.wake
        )

    def wake(self) -> None:
        self.woken += 1

    def reconnect(self) -> None:
        """Drop the connection with what is undelivered, and resume from what was seen."""
        self.store.unwatch(self.watcher)
        self.watcher = self.open(self.seen)

    def read(self) -> None:
        while (taken := self.watcher.take()) is not None:
            type_, change = taken
            entry = change.state(type_)
            key = (entry.namespace, entry.name)
            assert change.version >= self.seen
            self.seen = change.version
            assert entry.obj["metadata"]["resourceVersion"] == str(entry.version)
            if type_ == "DELETED":
                assert entry.version == change.version
                del self.state[key]
            else:
                assert (type_ == "ADDED") is (key not in self.state)
                self.state[key] = entry.raw

    def check(self) -> None:
        self.read()
        listed = self.store.list(CONFIG_MAP, self.namespace, self.predicate)
        assert self.state == {(entry.namespace, entry.name): entry.raw for entry in listed}


class Histories(RuleBasedStateMachine):
    """Any history of writes, seen through watches of every scope, equals the list."""

    def __init__(self) -> None:
        super().__init__()
        self.store = new_store(VirtualRuntime(seed=1), crds=[])
        self.clients: list[Replay] = []
        self.counter = 0

    @precondition(lambda self: len(self.clients) < 6)
    @rule(namespace=st.one_of(st.none(), SPACES), selected=st.booleans(), listed=st.booleans())
    def join(self, namespace: str | None, selected: bool, listed: bool) -> None:
        # From version 0 a watch begins with what exists, so its state starts empty.
        self.clients.append(Replay(self.store, namespace, selected, listed))

    @rule(name=NAMES, namespace=SPACES, rack=RACKS)
    def put(self, name: str, namespace: str, rack: str | None) -> None:
        self.counter += 1
        obj = config_map(name, namespace, rack, str(self.counter))
        try:
            self.store.update(CONFIG_MAP, obj)
        except NotFound:
            self.store.create(CONFIG_MAP, obj)

    @rule(name=NAMES, namespace=SPACES, rack=RACKS)
    def relabel(self, name: str, namespace: str, rack: str | None) -> None:
        try:
            self.store.patch(CONFIG_MAP, namespace, name, {"metadata": {"labels": {"rack": rack}}})
        except NotFound:
            return

    @rule(name=NAMES, namespace=SPACES, held=st.booleans())
    def delete(self, name: str, namespace: str, held: bool) -> None:
        try:
            if held:
                hold = {"metadata": {"finalizers": ["example.com/x"]}}
                self.store.patch(CONFIG_MAP, namespace, name, hold)
            self.store.delete(CONFIG_MAP, namespace, name)
            if held:
                release = {"metadata": {"finalizers": None}}
                self.store.patch(CONFIG_MAP, namespace, name, release)
        except NotFound:
            return

    @rule(name=NAMES, namespace=SPACES)
    def stale(self, name: str, namespace: str) -> None:
        obj = config_map(name, namespace, "r1", "stale")
        obj["metadata"]["resourceVersion"] = "1"
        with pytest.raises((NotFound, Conflict)):
            self.store.update(CONFIG_MAP, obj)

    @rule(index=st.integers(0, 5))
    def reconnect(self, index: int) -> None:
        if index < len(self.clients) and self.clients[index].seen:
            self.clients[index].reconnect()

    @rule(index=st.integers(0, 5))
    def read(self, index: int) -> None:
        if index < len(self.clients):
            self.clients[index].check()

    @invariant()
    def log_and_versions_agree(self) -> None:
        versions = [
            int(record.resource_version)
            for record in self.store.log.records()
            if record.outcome == "ok" and record.object != record.previous
        ]
        assert versions == sorted(set(versions))
        assert not versions or versions[-1] == self.store.resource_version

    def teardown(self) -> None:
        for client in self.clients:
            client.check()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)


@pytest.fixture
def small(runtime: VirtualRuntime) -> Store:
    return new_store(runtime, crds=[], history=5, slow_watcher=3)


def write(store: Store, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        store.create(CONFIG_MAP, config_map(f"c{number}", "default", None, ""))


def test_an_object_that_leaves_a_selector_is_shown_as_it_was(store: Store) -> None:
    made = store.create(CONFIG_MAP, config_map("a", "default", "r1", "1"))
    watcher = store.watch(CONFIG_MAP, version=made.version, predicate=SELECTOR, wake=lambda: None)
    left = store.patch(CONFIG_MAP, "default", "a", {"metadata": {"labels": {"rack": "r2"}}})
    taken = watcher.take()
    assert taken is not None
    type_, change = taken
    assert type_ == "DELETED"
    shown = change.state(type_).obj
    assert shown["metadata"]["labels"] == {"rack": "r1"}
    assert shown["metadata"]["resourceVersion"] == str(left.version)
    assert change.state("MODIFIED") is left
    assert change.line("DELETED").startswith(b'{"type":"DELETED","object":{')


def test_the_history_is_bounded(small: Store) -> None:
    start = small.resource_version
    write(small, 6)
    with pytest.raises(Expired, match="too old resource version"):
        small.watch(CONFIG_MAP, version=start, wake=lambda: None)
    assert len(small.watch(CONFIG_MAP, version=start + 1, wake=lambda: None)) == 5


def test_versions_of_before_the_start_are_expired(small: Store) -> None:
    with pytest.raises(Expired):
        small.watch(CONFIG_MAP, version=1, wake=lambda: None)


def test_compaction_forgets_at_once(store: Store) -> None:
    write(store, 3)
    store.history.compact(store.resource_version)
    with pytest.raises(Expired):
        store.watch(CONFIG_MAP, version=store.resource_version - 1, wake=lambda: None)
    assert len(store.watch(CONFIG_MAP, version=store.resource_version, wake=lambda: None)) == 0


def test_versions_to_come_are_refused(store: Store) -> None:
    with pytest.raises(Timeout, match="Too large resource version"):
        store.watch(CONFIG_MAP, version=store.resource_version + 1, wake=lambda: None)


def test_a_slow_watcher_gets_what_it_has_and_is_let_go(small: Store) -> None:
    woken: list[bool] = []
    watcher = small.watch(
        CONFIG_MAP, version=small.resource_version, wake=lambda: woken.append(True)
    )
    write(small, 5)
    assert (watcher.closed, watcher.slow) == (True, True)
    assert len(woken) == 4  # three events and the end
    names = []
    while (taken := watcher.take()) is not None:
        names.append(taken[1].entry.name)
    assert names == ["c0", "c1", "c2"]
    assert small.history.watching == 0


def test_what_exists_at_the_start_does_not_make_a_watcher_slow(small: Store) -> None:
    write(small, 5)
    watcher = small.watch(CONFIG_MAP, version=None, wake=lambda: None)
    write(small, 3, start=5)
    assert not watcher.closed
    assert len(watcher) == 8


def test_closing_the_history_ends_every_watch(store: Store) -> None:
    watcher = store.watch(CONFIG_MAP, version=None, wake=lambda: None)
    store.history.close()
    assert watcher.closed
    assert store.history.watching == 0


def test_bookmarks_say_only_how_far_the_watch_has_come() -> None:
    assert bookmark(CONFIG_MAP, 7) == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "7"},
    }
    marked = bookmark(CONFIG_MAP, 7, initial=True)
    assert marked["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
