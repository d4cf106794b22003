"""Lists in pages: every page of one version, exact versions, tokens that expire."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.api.errors import ApiError, BadRequest, Expired, Invalid, Timeout
from beskar7.api.kinds import CONFIG_MAP
from beskar7.runtime import VirtualRuntime
from emulator.kube.api.http import Target
from emulator.kube.api.pagination import (
    NOW,
    ListOptions,
    Page,
    decode_token,
    encode_token,
    page,
    snapshot,
)
from emulator.kube.store.history import Entry
from emulator.kube.store.selectors import compile_selectors
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit


def put(store: Store, name: str, value: str, namespace: str = "default") -> Entry:
    labels = {"parity": "even" if int(name[1:]) % 2 == 0 else "odd"}
    meta = {"name": name, "namespace": namespace, "labels": labels}
    return store.update(CONFIG_MAP, {"metadata": meta, "data": {"v": value}})


def fill(store: Store, count: int, namespace: str = "default") -> None:
    for index in range(count):
        meta = {
            "name": f"c{index:03d}",
            "namespace": namespace,
            "labels": {"parity": "even" if index % 2 == 0 else "odd"},
        }
        store.create(CONFIG_MAP, {"metadata": meta, "data": {"v": "first"}})


def ask(store: Store, namespace: str | None = "default", selector: str = "", **query: Any) -> Page:
    target = Target("/", {key: str(value) for key, value in query.items()})
    predicate = compile_selectors(selector, None)
    return page(store, CONFIG_MAP, namespace, predicate, ListOptions.read(target))


def walk(store: Store, limit: int, selector: str = "") -> list[Page]:
    pages = [ask(store, limit=limit, selector=selector)]
    while pages[-1].token:
        query = {"limit": limit, "continue": pages[-1].token}
        pages.append(ask(store, selector=selector, **query))
    return pages


def names(pages: list[Page]) -> list[str]:
    return [entry.name for each in pages for entry in each.entries]


def test_pages_add_up_to_the_list(store: Store) -> None:
    fill(store, 7)
    pages = walk(store, 3)
    assert [len(each.entries) for each in pages] == [3, 3, 1]
    assert names(pages) == [f"c{index:03d}" for index in range(7)]
    assert [each.remaining for each in pages] == [4, 1, None]
    assert pages[0].meta["remainingItemCount"] == 4
    assert pages[-1].meta == {"resourceVersion": str(store.resource_version)}
    assert [len(each.entries) for each in walk(store, 7)] == [7]


def test_later_pages_show_the_version_of_the_first(store: Store) -> None:
    fill(store, 6)
    first = ask(store, limit=2)
    put(store, "c003", "changed")
    store.delete(CONFIG_MAP, "default", "c004")
    store.create(CONFIG_MAP, {"metadata": {"name": "c0025", "namespace": "default"}})
    second = ask(store, limit=9, **{"continue": first.token})
    assert names([second]) == ["c002", "c003", "c004", "c005"]
    assert second.entries[1].obj["data"] == {"v": "first"}
    assert second.version == first.version < store.resource_version


def test_a_selector_is_asked_page_by_page(store: Store) -> None:
    fill(store, 9)
    pages = walk(store, 2, "parity=odd")
    assert names(pages) == ["c001", "c003", "c005", "c007"]
    assert pages[0].remaining is None  # not counted with a selector


def test_all_namespaces_come_in_order(store: Store) -> None:
    fill(store, 2)
    fill(store, 2, "beskar7-system")
    first = ask(store, None, limit=3)
    rest = ask(store, None, limit=3, **{"continue": first.token})
    keys = [(entry.namespace, entry.name) for entry in [*first.entries, *rest.entries]]
    assert keys == sorted(keys)
    assert len(keys) == 4


def test_a_forgotten_version_ends_with_a_token_to_go_on(store: Store) -> None:
    fill(store, 5)
    first = ask(store, limit=2)
    put(store, "c003", "changed")
    store.history.compact(store.resource_version)
    with pytest.raises(Expired, match="too old to display a consistent list") as caught:
        ask(store, limit=2, **{"continue": first.token})
    status = caught.value.status()
    assert (status["code"], status["reason"]) == (410, "Expired")
    pages = [ask(store, limit=9, **{"continue": status["metadata"]["continue"]})]
    assert names(pages) == ["c002", "c003", "c004"]
    assert pages[0].entries[1].obj["data"] == {"v": "changed"}
    assert decode_token(status["metadata"]["continue"]) == (NOW, ("default", "c001"))


def test_exact_and_not_older(store: Store) -> None:
    fill(store, 2)
    then = store.resource_version
    put(store, "c001", "changed")
    exact = ask(store, resourceVersion=then, resourceVersionMatch="Exact")
    assert [entry.obj["data"]["v"] for entry in exact.entries] == ["first", "first"]
    assert exact.version == then
    newer = ask(store, resourceVersion=then, resourceVersionMatch="NotOlderThan")
    assert newer.version == store.resource_version
    assert ask(store, resourceVersion=then).version == store.resource_version
    # Before there was a match, a limit made the version exact.
    assert ask(store, resourceVersion=then, limit=5).version == then
    with pytest.raises(Timeout, match="Too large resource version"):
        ask(store, resourceVersion=store.resource_version + 10**9)
    store.history.compact(store.resource_version)
    with pytest.raises(Expired, match="too old resource version"):
        ask(store, resourceVersion=then, resourceVersionMatch="Exact")


@pytest.mark.parametrize(
    ("query", "error", "words"),
    [
        ({"resourceVersionMatch": "Exact"}, Invalid, "unless resourceVersion is provided"),
        ({"resourceVersionMatch": "Newer", "resourceVersion": 5}, Invalid, "Unsupported value"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": 0}, Invalid, 'resourceVersion "0"'),
        ({"sendInitialEvents": "true"}, Invalid, "forbidden for list"),
        ({"limit": -1}, BadRequest, "limit"),
        ({"limit": "x"}, BadRequest, "limit"),
        ({"continue": "x"}, BadRequest, "continue key is not valid"),
        ({"continue": "x" * 5000}, BadRequest, "continue key is not valid"),
        ({"continue": encode_token(5, ("", "a")), "resourceVersion": 5}, BadRequest, "not allowed"),
        (
            {
                "continue": encode_token(5, ("", "a")),
                "resourceVersion": 5,
                "resourceVersionMatch": "Exact",
            },
            Invalid,
            "forbidden when continue",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    store: Store, query: dict[str, Any], error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask(store, **query)


@given(st.text(max_size=80))
def test_any_token_is_read_or_refused(text: str) -> None:
    try:
        version, key = decode_token(text)
    except BadRequest:
        return
    assert decode_token(encode_token(version, key)) == (version, key)


@given(st.integers(1, 2**62), st.text(max_size=10), st.text(max_size=10))
def test_tokens_come_back(version: int, namespace: str, name: str) -> None:
    key = (namespace.replace("/", ""), name)
    assert decode_token(encode_token(version, key)) == (version, key)


_STEP = (st.integers(0, 5), st.booleans())
_WRITES = st.lists(st.tuples(*_STEP), max_size=25)


def write(store: Store, step: int, number: int, remove: bool, namespace: str = "default") -> None:
    """Create an object, or change or remove the one that is there."""
    name = f"c{number}"
    exists = store.exists(CONFIG_MAP, namespace, name)
    if remove and exists:
        store.delete(CONFIG_MAP, namespace, name)
    elif exists:
        put(store, name, str(step), namespace)
    else:
        store.create(CONFIG_MAP, {"metadata": {"name": name, "namespace": namespace}})


@settings(max_examples=40, deadline=None)
@given(_WRITES, _WRITES)
def test_a_snapshot_is_what_was_listed_then(
    before: list[tuple[int, bool]], after: list[tuple[int, bool]]
) -> None:
    store = new_store(VirtualRuntime(seed=1), crds=[])
    for step, (number, remove) in enumerate(before):
        write(store, step, number, remove)
    then, version = store.list(CONFIG_MAP, "default"), store.resource_version
    for step, (number, remove) in enumerate(after):
        write(store, 100 + step, number, remove)
    assert snapshot(store, CONFIG_MAP, "default", version) == then
    assert snapshot(store, CONFIG_MAP, "kube-system", version) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["default", "kube-system"]), *_STEP), max_size=25))
def test_the_encoded_list_is_that_of_the_newest_state(
    steps: list[tuple[str, int, bool]],
) -> None:
    store = new_store(VirtualRuntime(seed=1), crds=[])

    def agree() -> None:
        for namespace in (None, "default", "kube-system"):
            encoded = orjson.loads(b"[" + store.encoded(CONFIG_MAP, namespace) + b"]")
            assert encoded == [entry.obj for entry in store.list(CONFIG_MAP, namespace)]

    agree()
    for step, (namespace, number, remove) in enumerate(steps):
        write(store, step, number, remove, namespace)
        agree()
    store.load([], 0)
    agree()
