"""The in-process port in virtual time: latencies, faults, watches, death before the answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from beskar7.api.errors import ApiError, BadRequest, Conflict, Expired, ServiceUnavailable
from beskar7.api.kinds import PHYSICAL_HOST, Kind
from beskar7.kube import port
from beskar7.kube.port import Kube
from beskar7.runtime import VirtualRuntime
from emulator.kube.inprocess import InProcessKube, LatencyModel, ObjectList, WatchEvent
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

Host = Callable[..., dict[str, Any]]
FIXED = LatencyModel(request=0.5, delivery=2.0, sigma=0.0)


@pytest.fixture
def kube(store: Store, runtime: VirtualRuntime) -> InProcessKube:
    return InProcessKube(store, runtime, client="beskar7-manager/a", latency=FIXED)


def test_it_is_the_port() -> None:
    methods = [name for name in vars(Kube) if not name.startswith("_")]
    assert len(methods) >= 8
    for name in methods:
        wanted = inspect.signature(getattr(Kube, name)).parameters.values()
        given = inspect.signature(getattr(InProcessKube, name)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in given] == [
            (p.name, p.kind, p.default) for p in wanted
        ]
    for ours, ports in ((WatchEvent, port.WatchEvent), (ObjectList, port.ObjectList)):
        assert [field.name for field in fields(ours)] == [field.name for field in fields(ports)]


def test_a_round_of_calls(runtime: VirtualRuntime, kube: InProcessKube, host: Host) -> None:
    def main() -> None:
        sent = host(labels={"rack": "r1"})
        made = kube.create(PHYSICAL_HOST, sent)
        assert runtime.now() == 1.0  # half a second to the commit, half a second back
        assert "uid" not in sent["metadata"]
        made["spec"]["bootIsoSource"] = "http://images/a.iso"
        updated = kube.update(PHYSICAL_HOST, made)
        with pytest.raises(Conflict):
            kube.update(PHYSICAL_HOST, made)
        updated["status"] = {"state": "Available"}
        kube.update_status(PHYSICAL_HOST, updated)
        kube.patch(
            PHYSICAL_HOST, "default", "h1", {"status": {"ready": True}}, subresource="status"
        )
        replace = [{"op": "replace", "path": "/metadata/labels/rack", "value": "r2"}]
        kube.patch(PHYSICAL_HOST, "default", "h1", replace, type="json")
        got = kube.get(PHYSICAL_HOST, "default", "h1")
        got["spec"].clear()  # what is returned is the caller's own
        listed = kube.list(PHYSICAL_HOST, label_selector="rack=r2")
        assert [item["status"] for item in listed.items] == [{"state": "Available", "ready": True}]
        assert listed.items[0]["spec"]["bootIsoSource"]
        assert kube.list(PHYSICAL_HOST, field_selector="metadata.name!=h1").items == []
        kube.delete(PHYSICAL_HOST, "default", "h1", uid=got["metadata"]["uid"])
        assert kube.list(PHYSICAL_HOST).items == []

    runtime.run(main)


def test_the_client_is_known_by_its_name(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube, host: Host
) -> None:
    runtime.run(lambda: kube.create(PHYSICAL_HOST, host()))
    record = store.log.records()[-1]
    assert (record.client, record.verb, record.time) == ("beskar7-manager/a", "create", 0.5)


def test_a_watch_delivers_late_in_order_and_ends(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube, host: Host
) -> None:
    seen: list[tuple[float, str, str]] = []

    def main() -> None:
        version = str(store.resource_version)

        def write() -> None:
            runtime.sleep(5)
            store.create(PHYSICAL_HOST, host("a"))
            store.create(PHYSICAL_HOST, host("b"))
            runtime.sleep(1)
            store.delete(PHYSICAL_HOST, "default", "a")

        runtime.spawn(write, name="writer")
        for event in kube.watch(PHYSICAL_HOST, resource_version=version, timeout=20):
            meta = event.object["metadata"]
            seen.append((runtime.now(), event.type, meta.get("name", meta["resourceVersion"])))

    runtime.run(main)
    assert seen == [
        (7.0, "ADDED", "a"),
        (7.0, "ADDED", "b"),
        (8.0, "DELETED", "a"),
        (20.0, "BOOKMARK", str(store.resource_version)),
    ]
    assert store.history.watching == 0


def test_closing_a_watch_unregisters_it(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube, host: Host
) -> None:
    def main() -> None:
        store.create(PHYSICAL_HOST, host())
        watch = kube.watch(PHYSICAL_HOST, resource_version="", timeout=60)
        assert next(watch).type == "ADDED"  # without a version: all that exists, first
        assert store.history.watching == 1
        watch.close()
        assert store.history.watching == 0
        assert list(watch) == []
        watch.close()
        kube.watch(PHYSICAL_HOST, resource_version="", timeout=60).close()  # never begun

    runtime.run(main)


@pytest.mark.parametrize("pending", [False, True])
def test_a_watch_is_closed_from_another_task_at_once(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube, host: Host, pending: bool
) -> None:
    """Whether it waits for events or, ``pending``, for the delivery of one."""
    ended: list[float] = []

    def main() -> None:
        version = str(store.resource_version)
        watch = kube.watch(PHYSICAL_HOST, resource_version=version, timeout=3600)

        def follow() -> None:
            assert list(watch) == []
            ended.append(runtime.now())

        task = runtime.spawn(follow, name="follow")
        runtime.sleep(10)
        if pending:
            store.create(PHYSICAL_HOST, host())
            runtime.sleep(0.5)  # of the two seconds that the delivery takes
        closed = runtime.now()
        watch.close()
        assert task.join(1)
        assert ended == [closed]
        assert store.history.watching == 0

    runtime.run(main)


def test_an_object_must_say_what_it_is_as_over_http(
    runtime: VirtualRuntime, kube: InProcessKube, host: Host
) -> None:
    def main() -> None:
        for missing in ("apiVersion", "kind"):
            sent = host()
            del sent[missing]
            with pytest.raises(BadRequest, match="is missing"):
                kube.create(PHYSICAL_HOST, sent)
        made = kube.create(PHYSICAL_HOST, host())
        with pytest.raises(BadRequest, match="does not match"):
            kube.update(PHYSICAL_HOST, {**made, "kind": "Other"})

    runtime.run(main)


def test_bad_versions_and_selectors(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube
) -> None:
    def watch(version: str, **options: Any) -> None:
        list(kube.watch(PHYSICAL_HOST, resource_version=version, timeout=1, **options))

    def main() -> None:
        with pytest.raises(Expired):
            watch("1")
        with pytest.raises(BadRequest):
            watch("abc")
        with pytest.raises(BadRequest):
            watch("", label_selector="a in")
        with pytest.raises(BadRequest, match="field label not supported"):
            kube.list(PHYSICAL_HOST, field_selector="spec.x=1")

    runtime.run(main)


def test_faults_come_before_the_commit(
    runtime: VirtualRuntime, store: Store, kube: InProcessKube, host: Host
) -> None:
    def before(verb: str, kind: Kind, namespace: str, name: str) -> float | None:
        if verb == "create":
            raise ServiceUnavailable(f"no {kind} {namespace}/{name} today")
        return 10.0

    kube.before = before

    def main() -> None:
        with pytest.raises(ServiceUnavailable, match="no PhysicalHost default/h1 today"):
            kube.create(PHYSICAL_HOST, host())
        assert kube.list(PHYSICAL_HOST).items == []
        assert runtime.now() == 11.0

    runtime.run(main)


@pytest.mark.parametrize(("after", "written"), [(0.25, False), (0.75, True)])
def test_a_process_may_die_between_commit_and_answer(
    runtime: VirtualRuntime, store: Store, host: Host, after: float, written: bool
) -> None:
    answered: list[bool] = []

    def main() -> None:
        process = runtime.group("mgr")
        kube = InProcessKube(store, process, latency=FIXED)

        def work() -> None:
            kube.create(PHYSICAL_HOST, host())
            answered.append(True)

        def watch() -> None:
            list(kube.watch(PHYSICAL_HOST, resource_version="", timeout=60))

        process.spawn(work, name="work")
        process.spawn(watch, name="watch")
        runtime.sleep(after)
        process.kill()
        runtime.sleep(5)

    runtime.run(main)
    assert bool(store.list(PHYSICAL_HOST)) is written
    assert not answered
    assert store.history.watching == 0
    assert not store.lock.locked()


def test_the_seed_fixes_the_whole_run(host: Host) -> None:
    def once(seed: int) -> str:
        runtime = VirtualRuntime(seed=seed)
        store = new_store(runtime)

        def client(number: int) -> None:
            kube = InProcessKube(store, runtime, client=f"c{number}")
            for step in range(5):
                try:
                    kube.create(PHYSICAL_HOST, host(f"h{(number + step) % 4}"))
                except ApiError:
                    kube.delete(PHYSICAL_HOST, "default", f"h{(number + step) % 4}")

        def main() -> None:
            tasks = [runtime.spawn(client, n, name=f"c{n}") for n in range(3)]
            for task in tasks:
                task.join()

        try:
            runtime.run(main)
        finally:
            digest = runtime.trace_hash
        return digest

    assert once(1) == once(1)
    assert once(1) != once(2)


def test_a_limit_holds_up_calls_and_neither_watches_nor_a_patient_client(
    runtime: VirtualRuntime, store: Store
) -> None:
    kube = InProcessKube(store, runtime, latency=FIXED, limit=lambda: runtime.sleep(10.0))

    def main() -> None:
        kube.list(PHYSICAL_HOST)
        assert runtime.now() == 11.0
        list(kube.watch(PHYSICAL_HOST, resource_version="0", timeout=2.0))
        assert runtime.now() < 20.0
        before = runtime.now()
        kube.with_timeout(3.0).list(PHYSICAL_HOST)
        assert runtime.now() == before + 1.0

    runtime.run(main)
