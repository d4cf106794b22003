"""The write log: every attempt, in order, bounded, and never a secret's value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from beskar7.api.errors import ApiError, Conflict
from beskar7.api.kinds import PHYSICAL_HOST, SECRET
from beskar7.runtime import VirtualRuntime
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store
from emulator.kube.store.writelog import WriteRecord
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

BY = Call(client="beskar7-manager/mgr-1")


def test_every_attempt_is_recorded(store: Store, host: Callable[..., dict[str, Any]]) -> None:
    before = store.log.last
    created = store.create(PHYSICAL_HOST, host(), call=BY)
    stale = created.copy()
    patched = store.patch(
        PHYSICAL_HOST, "default", "h1", {"status": {"state": "x"}}, status=True, call=BY
    )
    stale["spec"]["consumerRef"] = {"name": "m1"}
    with pytest.raises(Conflict):
        store.update(PHYSICAL_HOST, stale, call=BY)
    deleted, _ = store.delete(PHYSICAL_HOST, "default", "h1", call=BY)
    with pytest.raises(ApiError):
        store.patch(PHYSICAL_HOST, "default", "h1", [], "json", call=BY)

    records = store.log.records(before)
    assert [(r.verb, r.outcome) for r in records] == [
        ("create", "ok"),
        ("patch_status", "ok"),
        ("update", "Conflict"),
        ("delete", "ok"),
        ("patch", "NotFound"),
    ]
    assert [r.seq for r in records] == list(range(before + 1, before + 6))
    assert {(r.client, r.kind, r.namespace, r.name) for r in records} == {
        ("beskar7-manager/mgr-1", "PhysicalHost", "default", "h1")
    }
    create, patch, update, delete, absent = records
    assert (create.object, create.previous) == (created.obj, None)
    assert (patch.object, patch.previous) == (patched.obj, created.obj)
    assert (update.object, update.previous) == (stale, patched.obj)
    assert (update.uid, update.resource_version) == (created.uid, "")
    assert delete.object == deleted.obj
    assert (absent.object, absent.uid) == ({"jsonPatch": []}, "")


def test_a_write_that_changes_nothing_is_recorded_under_the_old_version(
    store: Store, host: Callable[..., dict[str, Any]]
) -> None:
    created = store.create(PHYSICAL_HOST, host())
    store.update(PHYSICAL_HOST, created.copy())
    record = store.log.records()[-1]
    assert (record.outcome, record.resource_version) == ("ok", str(created.version))
    assert record.object == record.previous


def test_values_of_secrets_never_enter(store: Store) -> None:
    meta: dict[str, Any] = {"name": "bmc", "namespace": "default"}
    meta["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}
    store.create(SECRET, {"metadata": meta, "stringData": {"password": "hunter2"}})
    with pytest.raises(ApiError):
        store.create(SECRET, {"metadata": meta, "stringData": {"password": "hunter2"}})
    store.patch(SECRET, "default", "bmc", {"data": {"password": "aHVudGVyMg=="}})
    operations = [{"op": "add", "path": "/data/p", "value": "aHVudGVyMg=="}]
    store.patch(SECRET, "default", "bmc", operations, "json")
    for bad in ({"stringData": "hunter2"}, {"data": ["hunter2"]}):
        with pytest.raises(ApiError):
            store.create(SECRET, {"metadata": {"name": "b", "namespace": "default"}, **bad})
    with pytest.raises(ApiError):
        store.patch(SECRET, "default", "bmc", {"jsonPatch": ["hunter2"], "type": "x"})
    store.delete(SECRET, "default", "bmc")
    said = store.log.encoded()
    assert b"hunter2" not in said
    assert b"aHVudGVyMg" not in said
    record = next(r for r in store.log.records() if r.kind == "Secret")
    assert record.object is not None
    assert record.object["data"] == {"password": "REDACTED"}


def test_the_ring_is_bounded_and_says_what_it_lost(
    runtime: VirtualRuntime, host: Callable[..., dict[str, Any]]
) -> None:
    store = new_store(runtime, log_capacity=4)
    before = store.log.last
    for number in range(6):
        store.create(PHYSICAL_HOST, host(f"h{number}"))
    assert [r.name for r in store.log.records(before)] == ["h2", "h3", "h4", "h5"]
    assert store.log.dropped == store.log.last - 4
    answer = orjson.loads(store.log.encoded(before))
    assert (answer["dropped"], answer["last"]) == (2, store.log.last)
    assert orjson.loads(store.log.encoded(store.log.last - 2))["dropped"] == 0


def test_pages_follow_each_other(store: Store, host: Callable[..., dict[str, Any]]) -> None:
    for number in range(5):
        store.create(PHYSICAL_HOST, host(f"h{number}"))
    seen: list[int] = []
    after = 0
    while True:
        page = orjson.loads(store.log.encoded(after, limit=2))
        if not page["writes"]:
            break
        seen += [record["seq"] for record in page["writes"]]
        after = page["last"]
    assert seen == list(range(1, store.log.last + 1))
    assert after == page["last"]


def test_records_travel_as_json(store: Store, host: Callable[..., dict[str, Any]]) -> None:
    store.create(PHYSICAL_HOST, host())
    direct = store.log.records()
    travelled = [
        WriteRecord.from_json(record) for record in orjson.loads(store.log.encoded())["writes"]
    ]
    assert travelled == direct
    assert [WriteRecord.from_json(record.to_json()) for record in direct] == direct
