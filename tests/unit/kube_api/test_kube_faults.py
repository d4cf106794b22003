"""The API's faults: read from data, and what an in-process client sees of each, to the second."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import (
    ApiError,
    Conflict,
    Expired,
    InternalError,
    NotFound,
    ServiceUnavailable,
    TooManyRequests,
)
from beskar7.api.kinds import CONFIG_MAP, PHYSICAL_HOST
from beskar7.runtime import VirtualRuntime
from emulator.fields import FieldError
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.faults.faultspec import KINDS, ApiFault
from emulator.kube.inprocess import InProcessKube, LatencyModel
from emulator.kube.store.store import Store
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

INSTANT = LatencyModel(0.0, 0.0, 0.0)
ME, OTHER = "beskar7-manager/a", "kubectl/v1.32.4"


def fault(kind: str, **fields: Any) -> ApiFault:
    if kind in ("latency", "delay"):
        fields.setdefault("latency", {"mean": 1.0})
    return ApiFault.from_dict({"id": "f", "kind": kind, **fields})


def config_map(name: str = "m", **data: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}, "data": data}


class World:
    def __init__(self, seed: int = 7) -> None:
        self.runtime = VirtualRuntime(seed)
        self.store: Store = new_store(self.runtime)
        self.faults = ApiFaults(self.runtime, self.store.forget_history)

    def client(self, agent: str = ME) -> InProcessKube:
        return InProcessKube(
            self.store, self.runtime, client=agent, latency=INSTANT, faults=self.faults
        )

    def play(self, body: Callable[[InProcessKube], Any]) -> Any:
        """Run ``body`` with a client, in virtual time that starts at 0."""
        return self.runtime.run(lambda: body(self.client()))


@pytest.fixture
def world() -> World:
    return World()


def seconds(world: World, call: Callable[[], Any], error: type[ApiError] | None = None) -> float:
    begun = world.runtime.now()
    if error is None:
        call()
    else:
        with pytest.raises(error):
            call()
    return round(world.runtime.now() - begun, 6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back(kind: str) -> None:
    of_kind = {"clock-skew": {"offset": -60, "drift": 0.01}, "memory-leak": {"rate": 8}}
    more = of_kind.get(kind, {})
    read = fault(kind, start=1, duration=2, select={"clients": ["a/*"]}, **more)
    assert ApiFault.from_dict(read.to_dict()) == read


def test_a_leak_is_of_its_clients_and_of_its_time(world: World) -> None:
    select = {"clients": ["beskar7-manager/a*"]}
    leak = fault("memory-leak", rate=8, start=10, duration=20, select=select)

    def body(_: InProcessKube) -> list[float]:
        world.faults.add(leak)
        found = []
        for _ in range(4):
            found.append(world.faults.leaking("beskar7-manager/a-1"))
            assert world.faults.leaking("beskar7-manager/b-1") == 0.0
            world.runtime.sleep(12.0)
        return found

    assert world.play(body) == [0.0, 8 * 2**20, 8 * 2**20, 0.0]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "sleepy"}, r"fault\.kind: must be one of latency, error, hang"),
        ({"kind": "error", "age": 2}, r"fault\.age: only for kind stale-list, not error"),
        ({"kind": "hang", "status": 500}, r"fault\.status: only for kind error"),
        ({"kind": "error", "status": 200}, r"fault\.status: must be a whole number from 400"),
        ({"kind": "latency"}, r"fault\.latency: missing"),
        ({"kind": "delay"}, r"fault\.latency: missing; kind delay"),
        ({"kind": "loss", "direction": "up"}, r"fault\.direction: must be one of both, calls"),
        ({"kind": "hang", "direction": "calls"}, r"only for kind delay or loss, not hang"),
        ({"kind": "restart", "duration": 1, "every": 2}, r"restart takes no repetition"),
        ({"kind": "hang", "every": 2}, r"fault\.every: needs a duration"),
        ({"kind": "error", "select": {"hosts": ["h"]}}, r"fault\.select\.hosts: unknown field"),
        ({"kind": "error", "select": {"verbs": ["PUT"]}}, r"fault\.select\.verbs: .*update"),
        ({"kind": "lose-event", "select": {"verbs": ["get"]}}, r"one of watch"),
        ({"kind": "partition", "select": {"kinds": ["Lease"]}}, r"partition selects clients only"),
        ({"kind": "restart", "count": 2}, r"neither count nor probability"),
        ({"kind": "clock-skew"}, r"fault\.offset: kind clock-skew needs an offset or a drift"),
        ({"kind": "memory-leak"}, r"fault\.rate: missing; kind memory-leak needs MiB per second"),
        ({"kind": "memory-leak", "rate": 0}, r"fault\.rate: must be a number from 0\.001"),
        ({"kind": "hang", "rate": 2}, r"fault\.rate: only for kind memory-leak, not hang"),
        ({"kind": "hang", "offset": 2}, r"fault\.offset: only for kind clock-skew, not hang"),
        ({"kind": "error", "probability": 1.5}, r"fault\.probability: must be a number from 0 to"),
        ({"kind": "error", "target": "bmc"}, r"fault\.target: must be api here"),
        ({"kind": "error", "id": ""}, r"fault\.id: must be text of 1"),
        ([], r"fault: must be a mapping"),
    ],
)
def test_what_cannot_be_is_told_by_its_field(fields: Any, said: str) -> None:
    data = {"id": "f", **fields} if isinstance(fields, dict) else fields
    with pytest.raises(FieldError, match=said):
        ApiFault.from_dict(data)


def test_latency_and_its_window(world: World) -> None:
    def body(kube: InProcessKube) -> list[float]:
        world.faults.add(fault("latency", start=5, duration=10))
        times = []
        for _ in range(3):
            times.append(seconds(world, lambda: kube.list(PHYSICAL_HOST)))
            world.runtime.sleep(6.0)
        return times

    assert world.play(body) == [0.0, 1.0, 1.0]


def test_a_client_gives_a_slow_server_up(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        world.faults.add(fault("latency", latency={"mean": 60}))
        assert (
            seconds(world, lambda: kube.create(CONFIG_MAP, config_map()), ServiceUnavailable) == 10
        )
        world.faults.clear()
        with pytest.raises(NotFound):
            kube.get(CONFIG_MAP, "default", "m")

    world.play(body)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (409, Conflict),
        (410, Expired),
        (429, TooManyRequests),
        (500, InternalError),
        (503, ServiceUnavailable),
    ],
)
def test_errors(world: World, status: int, error: type[ApiError]) -> None:
    def body(kube: InProcessKube) -> ApiError:
        world.faults.add(fault("error", status=status, count=1, select={"verbs": ["create"]}))
        kube.list(CONFIG_MAP)
        with pytest.raises(ApiError) as caught:
            kube.create(CONFIG_MAP, config_map())
        kube.create(CONFIG_MAP, config_map())  # once, it was said
        return caught.value

    found = world.play(body)
    assert found.code == status
    assert isinstance(found, error) or found.reason == error.reason
    assert found.details.get("retryAfterSeconds") == (1 if status == 429 else None)


def test_whom_it_hits(world: World) -> None:
    select = {
        "clients": ["beskar7-manager/*"],
        "verbs": ["get", "update"],
        "kinds": ["ConfigMap"],
        "namespaces": ["def*"],
        "names": ["m*"],
    }

    def body(kube: InProcessKube) -> None:
        for name in ("m", "other"):
            kube.create(CONFIG_MAP, config_map(name))
        world.faults.add(fault("error", select=select))
        with pytest.raises(ServiceUnavailable):
            kube.get(CONFIG_MAP, "default", "m")
        kube.get(CONFIG_MAP, "default", "other")
        kube.list(CONFIG_MAP)
        kube.patch(CONFIG_MAP, "default", "m", {"data": {"a": "1"}})
        found = world.client(OTHER).get(CONFIG_MAP, "default", "m")
        with pytest.raises(ServiceUnavailable):
            kube.update(CONFIG_MAP, found)

    world.play(body)


@pytest.mark.parametrize("kind", ["error", "reset", "hang", "partition"])
def test_a_lost_answer_may_have_taken_effect(world: World, kind: str) -> None:
    def body(kube: InProcessKube) -> None:
        for perform in (False, True):
            world.faults.add(fault(kind, duration=3, perform=perform))
            name = f"m-{str(perform).lower()}"
            create = lambda name=name: kube.create(CONFIG_MAP, config_map(name))  # noqa: E731 - short
            waited = seconds(world, create, ServiceUnavailable)
            assert waited == (3 if kind in ("hang", "partition") else 0)
            world.faults.clear()
            assert world.store.exists(CONFIG_MAP, "default", name) is perform

    world.play(body)


def test_a_hang_ends_with_the_clients_patience_or_by_clearing(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        world.faults.add(fault("hang"))
        assert seconds(world, lambda: kube.list(CONFIG_MAP), ServiceUnavailable) == 10
        world.runtime.timer(2.0, world.faults.clear, name="clear")
        assert seconds(world, lambda: kube.list(CONFIG_MAP), ServiceUnavailable) == 2
        kube.list(CONFIG_MAP)

    world.play(body)


@pytest.mark.parametrize("direction", ["calls", "answers"])
def test_a_lost_call_waits_for_the_clients_patience(world: World, direction: str) -> None:
    def body(kube: InProcessKube) -> None:
        world.faults.add(fault("loss", direction=direction, duration=1))
        create = lambda: kube.create(CONFIG_MAP, config_map())  # noqa: E731 - short
        assert seconds(world, create, ServiceUnavailable) == 10
        assert world.store.exists(CONFIG_MAP, "default", "m") is (direction == "answers")

    world.play(body)


def test_what_is_lost_both_ways_is_the_call_or_the_answer(world: World) -> None:
    def body(kube: InProcessKube) -> list[bool]:
        world.faults.add(fault("loss"))
        for number in range(40):
            with pytest.raises(ServiceUnavailable):
                kube.create(CONFIG_MAP, config_map(f"m-{number}"))
        return [world.store.exists(CONFIG_MAP, "default", f"m-{n}") for n in range(40)]

    done = world.play(body)
    assert 8 < sum(done) < 32


@pytest.mark.parametrize(("direction", "took"), [("both", 6), ("calls", 3), ("answers", 3)])
def test_a_slow_network(world: World, direction: str, took: float) -> None:
    def body(kube: InProcessKube) -> None:
        world.faults.add(fault("delay", direction=direction, latency={"mean": 3}))
        assert seconds(world, lambda: kube.create(CONFIG_MAP, config_map())) == took
        with pytest.raises(NotFound):
            kube.get(CONFIG_MAP, "default", "absent")

    world.play(body)


def test_a_call_arrives_after_its_client_gave_up_or_died(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        world.faults.add(fault("delay", direction="calls", latency={"mean": 12}))
        create = lambda name="m": kube.create(CONFIG_MAP, config_map(name))  # noqa: E731 - short
        assert seconds(world, create, ServiceUnavailable) == 10
        assert not world.store.exists(CONFIG_MAP, "default", "m")
        world.runtime.sleep(2.1)
        assert world.store.exists(CONFIG_MAP, "default", "m")
        process = world.runtime.group("manager")
        dying = InProcessKube(
            *(world.store, process), client=ME, latency=INSTANT, faults=world.faults
        )
        process.spawn(lambda: dying.create(CONFIG_MAP, config_map("last")), name="dying")
        world.runtime.sleep(1.0)
        process.kill()
        world.runtime.sleep(12.0)
        assert world.store.exists(CONFIG_MAP, "default", "last")

    world.play(body)


def test_a_slow_network_delays_what_watches_tell_and_keeps_its_order(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        seen: list[Any] = []
        follow(world, kube, seen)
        slow = fault("delay", latency={"mean": 2}, duration=1, select={"clients": [ME]})
        world.faults.add(slow)
        world.client(OTHER).create(CONFIG_MAP, config_map("a"))
        world.runtime.sleep(1.5)
        world.client(OTHER).create(CONFIG_MAP, config_map("b"))
        world.runtime.sleep(5.0)
        assert seen == [(2.0, "a"), (2.0, "b")]

    world.play(body)


def test_a_partition_that_comes_again(world: World) -> None:
    def body(kube: InProcessKube) -> list[float]:
        world.faults.add(fault("partition", start=1, duration=2, every=5, times=2))
        seen: list[Any] = []
        waits = []
        for _ in range(13):
            begun = world.runtime.now()
            with contextlib.suppress(ServiceUnavailable):
                kube.list(CONFIG_MAP)
            waits.append(round(world.runtime.now() - begun, 6))
            follow(world, kube, seen)
            world.runtime.sleep(1.0)
        cut = sorted({time for time, what in seen if what == "ServiceUnavailable"})
        assert cut == [3.0, 8.0]
        return waits

    assert [wait for wait in world.play(body) if wait] == [2.0, 2.0]


def follow(world: World, kube: InProcessKube, seen: list[Any], timeout: float = 100.0) -> None:
    """A task that watches from now on, noting names and the time; its end too."""
    version = str(world.store.resource_version)

    def body() -> None:
        try:
            for event in kube.watch(CONFIG_MAP, None, resource_version=version, timeout=timeout):
                name = event.object["metadata"].get("name", event.type)
                seen.append((round(world.runtime.now(), 3), name))
        except ApiError as error:
            seen.append((round(world.runtime.now(), 3), error.reason))

    world.runtime.spawn(body, name="watcher")
    world.runtime.sleep(0.0)


def test_watches_are_dropped_when_the_fault_begins(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        seen: list[Any] = []
        others: list[Any] = []
        follow(world, kube, seen)
        follow(world, world.client(OTHER), others)
        world.faults.add(fault("drop-watch", start=2, duration=3, select={"clients": [ME]}))
        kube.create(CONFIG_MAP, config_map("a"))
        world.runtime.sleep(3.0)
        follow(world, kube, seen)
        world.runtime.sleep(3.0)
        assert seen == [(0.0, "a"), (2.0, "ServiceUnavailable"), (3.0, "ServiceUnavailable")]
        follow(world, kube, seen)
        kube.create(CONFIG_MAP, config_map("b"))
        world.runtime.sleep(1.0)
        assert seen[3:] == [(6.0, "b")]
        assert others == [(0.0, "a"), (6.0, "b")]

    world.play(body)


def test_events_are_lost_and_nothing_says_so(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        seen: list[Any] = []
        follow(world, kube, seen, timeout=5.0)
        world.faults.add(fault("lose-event", count=2, select={"names": ["l*"]}))
        for name in ("kept", "l1", "l2", "l3"):
            kube.create(CONFIG_MAP, config_map(name))
        world.runtime.sleep(6.0)
        assert seen == [(0.0, "kept"), (0.0, "l3"), (5.0, "BOOKMARK")]
        assert world.faults.list()[0].hits == 2

    world.play(body)


def test_a_stale_list_is_a_state_that_was(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        kube.create(CONFIG_MAP, config_map("old", a="1"))
        kube.create(CONFIG_MAP, config_map("going"))
        old = kube.list(CONFIG_MAP, "default")
        world.runtime.sleep(10.0)
        kube.patch(CONFIG_MAP, "default", "old", {"data": {"a": "2"}})
        kube.delete(CONFIG_MAP, "default", "going")
        kube.create(CONFIG_MAP, config_map("new"))
        world.faults.add(fault("stale-list", age=4.0))
        stale = kube.list(CONFIG_MAP, "default")
        assert stale == old
        assert kube.get(CONFIG_MAP, "default", "old")["data"] == {"a": "2"}
        # A watch from there catches up, event by event.
        caught: list[Any] = []
        for event in kube.watch(
            CONFIG_MAP, "default", resource_version=stale.resource_version, timeout=1
        ):
            caught.append((event.type, event.object["metadata"].get("name")))
        assert caught[:3] == [("MODIFIED", "old"), ("DELETED", "going"), ("ADDED", "new")]
        world.runtime.sleep(5.0)
        assert [item["metadata"]["name"] for item in kube.list(CONFIG_MAP).items] == ["new", "old"]

    world.play(body)


def test_a_partition_silences_one_client(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        seen: list[Any] = []
        others: list[Any] = []
        follow(world, kube, seen)
        follow(world, world.client(OTHER), others)
        world.faults.add(fault("partition", start=1, duration=20, select={"clients": [ME]}))
        world.runtime.sleep(2.0)
        world.client(OTHER).create(CONFIG_MAP, config_map("unseen"))
        assert seconds(world, lambda: kube.list(CONFIG_MAP), ServiceUnavailable) == 10
        assert seen == []
        world.runtime.sleep(20.0)
        assert seen == [(21.0, "ServiceUnavailable")]
        assert others == [(2.0, "unseen")]
        kube.list(CONFIG_MAP)

    world.play(body)


def test_a_restart_cuts_everything_and_forgets(world: World) -> None:
    def body(kube: InProcessKube) -> None:
        kube.create(CONFIG_MAP, config_map("a"))
        before = kube.list(CONFIG_MAP).resource_version
        seen: list[Any] = []
        follow(world, kube, seen)
        world.faults.add(fault("restart", start=1, duration=2))
        world.runtime.sleep(1.5)
        assert seen == [(1.0, "ServiceUnavailable")]
        with pytest.raises(ServiceUnavailable):
            kube.get(CONFIG_MAP, "default", "a")
        world.runtime.sleep(2.0)
        assert kube.get(CONFIG_MAP, "default", "a")
        with pytest.raises(Expired):
            list(kube.watch(CONFIG_MAP, None, resource_version=before, timeout=1))
        assert int(kube.list(CONFIG_MAP).resource_version) > int(before)

    world.play(body)


def test_chance_is_the_seeds_and_each_clients_own() -> None:
    def luck(seed: int, others: int) -> list[bool]:
        world = World(seed)

        def body(kube: InProcessKube) -> list[bool]:
            world.faults.add(fault("error", probability=0.5))
            found = []
            for _ in range(40):
                for _ in range(others):
                    with contextlib.suppress(ServiceUnavailable):
                        world.client(OTHER).list(CONFIG_MAP)
                try:
                    kube.list(CONFIG_MAP)
                    found.append(True)
                except ServiceUnavailable:
                    found.append(False)
            return found

        return world.play(body)

    first = luck(1, others=0)
    assert luck(1, others=2) == first
    assert luck(2, others=0) != first
    assert 8 <= sum(first) <= 32


def test_an_empty_set_changes_nothing() -> None:
    def trace(faults: bool) -> str:
        world = World()
        kube = InProcessKube(
            world.store, world.runtime, client=ME, faults=world.faults if faults else None
        )

        def body() -> None:
            for number in range(5):
                kube.create(CONFIG_MAP, config_map(f"m{number}"))
                kube.list(CONFIG_MAP)

        world.runtime.run(body)
        return world.runtime.trace_hash

    assert trace(True) == trace(False)


def test_ids_are_taken_once(world: World) -> None:
    world.faults.add(fault("reset"))
    with pytest.raises(FieldError, match=r"'f' is in force already"):
        world.faults.add(fault("reset"))
    assert world.faults.next_id() != "f"
    assert world.faults.clear("nobody") == 0
    assert world.faults.clear() == 1


def test_a_client_gives_up_by_its_own_patience(world: World) -> None:
    world.faults.add(fault("latency", latency={"mean": 4.0}))

    def body(kube: InProcessKube) -> tuple[float, float]:
        return (
            seconds(world, lambda: kube.list(CONFIG_MAP)),
            seconds(world, lambda: kube.with_timeout(1.5).list(CONFIG_MAP), ServiceUnavailable),
        )

    assert world.play(body) == (4.0, 1.5)
