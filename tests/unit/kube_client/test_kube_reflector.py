"""The reflector: after whatever failures, the cache and its handlers end equal to the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from beskar7.api.errors import Forbidden, ServiceUnavailable
from beskar7.api.kinds import CONFIG_MAP, LEASE
from beskar7.kube.informers import SharedCaches, WriteThroughKube
from beskar7.kube.port import Object, ObjectList, WatchEvent
from beskar7.kube.reflector import RELIST_SECONDS, Reflector
from beskar7.runtime import Runtime, VirtualRuntime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]


def config(name: str, value: str = "") -> Object:
    return {"metadata": {"namespace": "default", "name": name}, "data": {"value": value}}


def versions(cache: Any) -> dict[str, str]:
    return {
        obj["metadata"]["name"]: obj["metadata"]["resourceVersion"] for obj in cache.list("default")
    }


def eventually(runtime: Runtime, condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    end = runtime.now() + seconds
    while not condition() and runtime.now() < end:
        runtime.sleep(0.01)
    return condition()


def shadow_of(cache: Any) -> dict[str, str]:
    """What a handler alone knows of the cache."""
    shadow: dict[str, str] = {}

    def handler(old: Object | None, new: Object | None) -> None:
        if new is not None:
            shadow[new["metadata"]["name"]] = new["metadata"]["resourceVersion"]
        elif old is not None:
            shadow.pop(old["metadata"]["name"], None)

    cache.on_change(handler)
    return shadow


def test_it_lists_and_then_follows(run: Run, world: Any) -> None:
    def main(runtime: Runtime) -> None:
        here = world(runtime)
        kube = here.kube()
        kube.create(CONFIG_MAP, config("a"))
        reflector = Reflector(kube, runtime, CONFIG_MAP, "default", watch_seconds=0.3)
        reflector.start()
        assert reflector.wait_synced(5)
        assert "a" in versions(reflector.cache)
        kube.create(CONFIG_MAP, config("b"))
        kube.patch(CONFIG_MAP, "default", "a", {"data": {"value": "new"}})
        kube.delete(CONFIG_MAP, "default", "b")
        kube.create(CONFIG_MAP, config("c"))
        assert eventually(runtime, lambda: versions(reflector.cache) == here.versions(CONFIG_MAP))
        assert reflector.lists == 1
        reflector.stop()

    run(main)


def test_a_dropped_watch_is_resumed_and_an_expired_one_lists_again(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.001)
        kube = here.kube()
        reflector = Reflector(kube, runtime, CONFIG_MAP)
        reflector.start()
        assert reflector.wait_synced(5)
        runtime.sleep(2)
        here.store.history.close()
        kube.create(CONFIG_MAP, config("during"))
        runtime.sleep(2)
        assert "during" in versions(reflector.cache)
        assert (reflector.lists, reflector.watches) == (1, 2)

        here.down.add("client")
        here.store.history.close()
        here.kube("other").create(CONFIG_MAP, config("unseen"))
        here.store.history.compact(here.store.resource_version)
        runtime.sleep(0.1)
        here.down.clear()
        runtime.sleep(5)
        assert "unseen" in versions(reflector.cache)
        assert reflector.lists == 2
        assert reflector.last_error is None

    runtime.run(main)


@pytest.mark.parametrize("seed", range(15))
def test_it_converges_under_chaos(seed: int, world: Any) -> None:
    runtime = VirtualRuntime(seed)

    def main() -> None:
        here = world(runtime, latency=0.002)
        rng = runtime.rng("chaos")
        over = runtime.event()
        caches = SharedCaches(here.kube("reader"), runtime)
        cache = caches.cache(CONFIG_MAP)
        shadow = shadow_of(cache)
        caches.start()

        def write(name: str) -> None:
            # Writes through the caches, as a manager does, and some that are somebody else's.
            own = WriteThroughKube(here.kube(name), caches, lambda: None)
            kube = own if name == "w0" else here.kube(name)
            while not over.is_set():
                runtime.sleep(rng.random() * 0.2)
                target = f"{name}-{rng.randrange(4)}"
                exists = target in here.versions(CONFIG_MAP)
                if not exists:
                    kube.create(CONFIG_MAP, config(target))
                elif rng.random() < 0.7:
                    patch = {"data": {"value": str(rng.random())}}
                    kube.patch(CONFIG_MAP, "default", target, patch)
                else:
                    kube.delete(CONFIG_MAP, "default", target)

        def disturb() -> None:
            while not over.is_set():
                runtime.sleep(rng.random() * 2)
                fault = rng.choice(["drop", "compact", "down", "drop+compact"])
                if "drop" in fault:
                    here.store.history.close()
                if "compact" in fault:
                    here.store.history.compact(here.store.resource_version)
                if fault == "down":
                    here.down.add("reader")
                    here.store.history.close()
                    runtime.sleep(rng.random() * 5)
                    here.down.clear()

        tasks = [runtime.spawn(write, f"w{n}", name=f"w{n}") for n in range(3)]
        tasks.append(runtime.spawn(disturb, name="chaos"))
        runtime.sleep(30)
        over.set()
        assert all(task.join(30) and task.error is None for task in tasks)
        runtime.sleep(15)
        truth = here.versions(CONFIG_MAP)
        assert truth
        assert {k: v for k, v in versions(cache).items() if k in truth} == truth
        assert versions(cache) == shadow == truth
        assert caches.unsynced() == {}

    runtime.run(main)


def test_a_server_that_is_down_is_asked_ever_less_often_and_found_when_it_is_back(
    world: Any,
) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.001)
        here.down.add("*")
        caches = SharedCaches(here.kube(), runtime)
        caches.cache(CONFIG_MAP)
        caches.start()
        assert not caches.wait_synced(120)
        assert caches.unsynced() == {"configmaps": "partitioned"}
        assert len(here.calls) < 30
        here.down.clear()
        assert caches.wait_synced(10.5)

    runtime.run(main)


class Endless:
    """A port whose watches end at once, or fail for a reason that waiting does not mend."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.lists = 0
        self.watches = 0

    def list(self, *_: Any, **__: Any) -> ObjectList:
        self.lists += 1
        if isinstance(self.error, Forbidden):
            raise self.error
        return ObjectList([], "1")

    def watch(self, *_: Any, **__: Any) -> Iterator[WatchEvent]:
        self.watches += 1
        if self.error is not None:
            raise self.error
        return iter(())


@pytest.mark.parametrize(
    "error", [None, Forbidden("no"), ServiceUnavailable("no"), RuntimeError("a bug")]
)
def test_no_kind_of_failure_makes_it_spin(error: Exception | None) -> None:
    runtime = VirtualRuntime(1)
    kube: Any = Endless(error)

    def main() -> None:
        reflector = Reflector(kube, runtime, CONFIG_MAP)
        reflector.start()
        runtime.sleep(60)
        assert reflector.stop()

    runtime.run(main)
    assert 5 < kube.lists + kube.watches < 60


class Parked(Iterator[WatchEvent]):
    """A stream without events that can be closed from another task."""

    def __init__(self, runtime: Runtime) -> None:
        self.closed = runtime.event()

    def __next__(self) -> WatchEvent:
        self.closed.wait()
        raise StopIteration

    def close(self) -> None:
        self.closed.set()


def test_stopping_ends_a_watch_that_waits(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        kube: Any = Endless()
        kube.watch = lambda *_, **__: Parked(runtime)
        reflector = Reflector(kube, runtime, CONFIG_MAP)
        reflector.start()
        assert reflector.wait_synced(5)
        start = runtime.now()
        assert reflector.stop(5)
        assert runtime.now() - start < 1

    run(main)


def test_each_kind_is_listed_once_whoever_reads_it(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.001)
        caches = SharedCaches(here.kube(), runtime, "default")
        first = caches.cache(CONFIG_MAP)
        caches.start()
        assert caches.cache(CONFIG_MAP) is first
        leases = caches.cache(LEASE)
        assert caches.wait_synced(5)
        assert sorted(verb for _, _, verb in here.calls if verb == "list") == ["list", "list"]
        assert len(leases) == 0

    runtime.run(main)


def test_a_write_through_is_read_from_the_cache_at_once(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.05)
        caches = SharedCaches(here.kube(), runtime)
        cache = caches.cache(CONFIG_MAP)
        caches.start()
        assert caches.wait_synced(5)
        kube = WriteThroughKube(here.kube(), caches, lambda: None)
        created = kube.create(CONFIG_MAP, config("a"))
        assert cache.get("default", "a") == created
        created["data"]["value"] = "mine"
        held = cache.get("default", "a")
        assert held is not None
        assert held["data"]["value"] == ""
        patched = kube.patch(CONFIG_MAP, "default", "a", {"data": {"value": "new"}})
        assert cache.get("default", "a") == patched

    runtime.run(main)


def test_caches_stop_at_once_while_their_watches_wait(world: Any) -> None:
    runtime = VirtualRuntime(3)

    def main() -> None:
        here = world(runtime, latency=0.001)
        caches = SharedCaches(here.kube(), runtime)
        for kind in (CONFIG_MAP, LEASE):
            caches.cache(kind)
        caches.start()
        assert caches.wait_synced(5)
        runtime.sleep(30)
        assert here.store.history.watching == 2
        before = runtime.now()
        assert caches.stop(5.0)
        assert runtime.now() == before
        assert here.store.history.watching == 0

    runtime.run(main)


class Lossy:
    """A port whose watches leave out what the server did while it is ``deaf``."""

    def __init__(self, kube: Any) -> None:
        self._kube = kube
        self.deaf = False
        self.list = kube.list

    def watch(self, *args: Any, **more: Any) -> Iterator[WatchEvent]:
        for event in self._kube.watch(*args, **more):
            if not self.deaf:
                yield event


@pytest.mark.parametrize("seed", range(5))
def test_what_a_watch_has_lost_in_silence_is_repaired_within_a_period(
    world: Any, seed: int
) -> None:
    runtime = VirtualRuntime(seed)

    def main() -> None:
        here = world(runtime, latency=0.001)
        kube = here.kube()
        for name in ("stays", "changes", "goes", "renewed"):
            kube.create(CONFIG_MAP, config(name))
        lossy = Lossy(kube)
        reflector = Reflector(lossy, runtime, CONFIG_MAP, "default")
        calls: list[tuple[str, str]] = []

        def handler(old: Object | None, new: Object | None) -> None:
            kind = "added" if old is None else "deleted" if new is None else "changed"
            calls.append((kind, (new or old or {})["metadata"]["name"]))

        reflector.start()
        assert reflector.wait_synced(5)
        reflector.cache.on_change(handler)
        runtime.sleep(1)
        calls.clear()
        lossy.deaf = True
        kube.patch(CONFIG_MAP, "default", "changes", {"data": {"value": "new"}})
        kube.delete(CONFIG_MAP, "default", "goes")
        kube.delete(CONFIG_MAP, "default", "renewed")
        kube.create(CONFIG_MAP, config("renewed"))
        kube.create(CONFIG_MAP, config("comes"))
        runtime.sleep(1)
        lossy.deaf = False
        kube.create(CONFIG_MAP, config("heard"))  # the watch goes on, and beyond what it lost
        lost_at = runtime.now()
        while versions(reflector.cache) != here.versions(CONFIG_MAP):
            assert runtime.now() < lost_at + RELIST_SECONDS
            runtime.sleep(1)
        # Real differences only, each once: nothing is told of what was right all the time.
        assert sorted(calls) == [
            ("added", "comes"),
            ("added", "heard"),
            ("added", "renewed"),
            ("changed", "changes"),
            ("deleted", "goes"),
            ("deleted", "renewed"),
        ]
        runtime.sleep(3600)
        assert len(calls) == 6
        assert 7 <= reflector.lists <= 14  # one in 5 to 10 minutes
        reflector.stop()

    runtime.run(main, until=10_000)


def test_a_list_that_is_older_than_the_watch_repairs_nothing(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        kube.create(CONFIG_MAP, config("a", "1"))
        old = kube.list(CONFIG_MAP, "default")
        reflector = Reflector(kube, runtime, CONFIG_MAP, "default")
        reflector.start()
        assert reflector.wait_synced(5)
        kube.patch(CONFIG_MAP, "default", "a", {"data": {"value": "2"}})
        runtime.sleep(1)
        told: list[Any] = []
        reflector.cache.on_change(lambda before, after: told.append(after))
        real, kube.list = kube.list, lambda *_, **__: old
        runtime.sleep(RELIST_SECONDS + 1)
        assert reflector.lists == 2
        kube.list = real
        assert [each["data"]["value"] for each in told] == ["2"]
        kube.patch(CONFIG_MAP, "default", "a", {"data": {"value": "3"}})
        runtime.sleep(1)
        assert told[-1]["data"]["value"] == "3"
        reflector.stop()

    runtime.run(main, until=10_000)


def test_a_new_reflector_does_not_go_back_behind_what_the_last_one_was_told(world: Any) -> None:
    """A manager that leads anew, on a server that lags: past changes are no news."""
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        kube.create(CONFIG_MAP, config("a", "1"))
        old = kube.list(CONFIG_MAP, "default")
        known: dict[Any, int] = {}
        first = Reflector(kube, runtime, CONFIG_MAP, "default", told=known)
        first.start()
        assert first.wait_synced(5)
        kube.patch(CONFIG_MAP, "default", "a", {"data": {"value": "2"}})
        runtime.sleep(1)
        first.stop()
        real, kube.list = kube.list, lambda *_, **__: old
        second = Reflector(kube, runtime, CONFIG_MAP, "default", told=known)
        told: list[Any] = []
        second.cache.on_change(lambda before, after: told.append(after))
        second.start()
        assert not second.wait_synced(5)
        kube.list = real
        assert second.wait_synced(15)
        assert [each["data"]["value"] for each in told] == ["2"]
        second.stop()
        # A server that stays behind was put back, and is believed.
        kube.list = lambda *_, **__: old
        third = Reflector(kube, runtime, CONFIG_MAP, "default", told=known)
        third.start()
        assert third.wait_synced(60)
        assert third.cache.get("default", "a")["data"]["value"] == "1"
        third.stop()

    runtime.run(main, until=10_000)
