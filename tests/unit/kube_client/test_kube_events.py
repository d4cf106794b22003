"""The event recorder: bursts become one Event with a count, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import Forbidden, InternalError
from beskar7.api.kinds import EVENT
from beskar7.api.meta import parse_rfc3339
from beskar7.kube.events import KEPT, EventRecorder
from beskar7.kube.port import Object
from beskar7.runtime import Runtime, VirtualRuntime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]

HOST: Object = {
    "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
    "kind": "PhysicalHost",
    "metadata": {"namespace": "default", "name": "h1", "uid": "u1", "resourceVersion": "7"},
    "spec": {"secret": "not to be copied"},
}


def recorder(kube: Any, runtime: Runtime, **options: Any) -> EventRecorder:
    one = EventRecorder(kube, runtime, "beskar7-controller", "mgr-1", **options)
    one.start()
    return one


def events(kube: Any) -> list[Object]:
    return list(kube.list(EVENT, "default").items)


def writes(here: Any) -> list[str]:
    return [verb for _, client, verb in here.calls if client == "mgr"]


def test_an_event_says_who_what_and_when(run: Run, world: Any) -> None:
    def main(runtime: Runtime) -> None:
        kube = world(runtime).kube()
        one = recorder(kube, runtime)
        one.event(HOST, "Normal", "Claimed", "by machine m1")
        assert one.stop(5)
        (event,) = events(kube)
        assert event["involvedObject"] == {
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
            "kind": "PhysicalHost",
            "namespace": "default",
            "name": "h1",
            "uid": "u1",
            "resourceVersion": "7",
        }
        assert (event["type"], event["reason"]) == ("Normal", "Claimed")
        assert (event["message"], event["count"]) == ("by machine m1", 1)
        assert event["source"] == {"component": "beskar7-controller", "host": "mgr-1"}
        assert abs(parse_rfc3339(event["firstTimestamp"]) - runtime.wall()) < 5
        assert event["metadata"]["name"].startswith("h1.")

    run(main)


def test_a_burst_is_one_event_and_few_writes(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.01)
        one = recorder(here.kube("mgr"), runtime)
        for _ in range(50):
            for _ in range(20):
                one.event(HOST, "Warning", "ClaimConflict", "somebody was quicker")
            runtime.sleep(0.1)
        assert one.stop(5)
        (event,) = events(here.kube())
        assert event["count"] == 1000
        assert parse_rfc3339(event["lastTimestamp"]) - parse_rfc3339(event["firstTimestamp"]) >= 4
        # Five seconds, at most one write a second, and one at the end.
        assert writes(here)[0] == "create"
        assert set(writes(here)[1:]) == {"patch"}
        assert len(writes(here)) <= 7
        assert one.dropped == 0

    runtime.run(main)


def test_other_news_is_another_event(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        one = recorder(kube, runtime)
        other = {**HOST, "metadata": {**HOST["metadata"], "name": "h2", "uid": "u2"}}
        one.event(HOST, "Normal", "Claimed", "by m1")
        one.event(HOST, "Normal", "Claimed", "by m2")
        one.event(HOST, "Normal", "Released", "by m1")
        one.event(other, "Normal", "Claimed", "by m1")
        assert one.stop()
        assert len(events(kube)) == 4

    runtime.run(main)


def test_an_event_that_the_server_forgot_is_written_anew(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        one = recorder(kube, runtime)
        one.event(HOST, "Normal", "Claimed", "by m1")
        runtime.sleep(5)
        kube.delete(EVENT, "default", events(kube)[0]["metadata"]["name"])
        one.event(HOST, "Normal", "Claimed", "by m1")
        runtime.sleep(5)
        assert [event["count"] for event in events(kube)] == [1]
        assert one.stop()

    runtime.run(main)


def test_a_server_that_is_down_delays_nobody_and_what_is_lost_is_counted(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.01)
        one = recorder(here.kube("mgr"), runtime, capacity=10)
        here.down.add("mgr")
        for number in range(30):
            one.event(HOST, "Normal", "Claimed", f"by m{number}")
        assert runtime.now() == 0
        assert one.dropped == 20
        runtime.sleep(1.5)
        here.down.clear()
        assert one.stop(10)
        assert len(events(here.kube())) == 10
        assert one.dropped == 20

    runtime.run(main)


def test_stopping_is_bounded_and_counts_what_it_gives_up(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        here = world(runtime, latency=0.01)
        kube = here.kube("mgr")
        kube.before = lambda *_: 100.0
        one = recorder(kube, runtime)
        for number in range(5):
            one.event(HOST, "Normal", "Claimed", f"by m{number}")
        runtime.sleep(1)
        assert not one.stop(2)
        assert runtime.now() == 3
        one.event(HOST, "Normal", "Claimed", "too late")
        assert one.dropped == 5

    runtime.run(main)


@pytest.mark.parametrize(
    ("error", "attempts"), [(Forbidden("no"), 1), (InternalError("busy"), 3), (KeyError("bug"), 1)]
)
def test_a_failure_is_retried_only_where_that_helps(error: Exception, attempts: int) -> None:
    runtime = VirtualRuntime(1)

    class Refusing:
        calls = 0

        def create(self, *_: Any) -> Object:
            self.calls += 1
            raise error

    def main() -> None:
        kube: Any = Refusing()
        one = recorder(kube, runtime)
        one.event(HOST, "Normal", "Claimed", "by m1")
        runtime.sleep(60)
        assert kube.calls == attempts
        assert one.dropped == 1
        assert one.stop()

    runtime.run(main)


def test_an_event_of_a_cluster_scoped_object_goes_to_default(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        one = recorder(kube, runtime)
        one.event(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
            "Warning",
            "ConfigInvalid",
            "x" * 5000,
        )
        assert one.stop()
        (event,) = events(kube)
        assert len(event["message"]) == 1024

    runtime.run(main)


def test_what_the_server_has_forgotten_is_not_remembered_either(world: Any) -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        kube = world(runtime).kube()
        one = recorder(kube, runtime)
        one.event(HOST, "Normal", "Claimed", "first")
        runtime.sleep(KEPT - 10)
        one.event(HOST, "Normal", "Claimed", "first")
        runtime.sleep(KEPT - 10)
        one.event(HOST, "Normal", "Claimed", "other")
        runtime.sleep(10)
        assert sorted(event["count"] for event in events(kube)) == [1, 2]
        # An hour after its last write the first news is news again.
        runtime.sleep(20)
        one.event(HOST, "Normal", "Claimed", "third")
        runtime.sleep(5)
        one.event(HOST, "Normal", "Claimed", "first")
        assert one.stop(5)
        assert sorted(event["count"] for event in events(kube)) == [1, 1, 1, 2]

    runtime.run(main)
