"""The controller: what each kind of error means, stopping, and what wakes a request."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.errors import ApiError, Conflict, NotFound, ServiceUnavailable, TooManyRequests
from beskar7.api.kinds import CONFIG_MAP
from beskar7.api.meta import ObjectKey
from beskar7.kube.cache import Cache
from beskar7.kube.controller import (
    DONE,
    GONE,
    Controller,
    PermanentError,
    Request,
    Result,
    TemporaryError,
)
from beskar7.kube.port import Object
from beskar7.runtime import Runtime, VirtualRuntime

pytestmark = pytest.mark.unit

Run = Callable[[Callable[[Runtime], Any]], Any]
KEY = ObjectKey("ns", "a")


def attempts(
    outcomes: list[Result | Exception], seconds: float
) -> tuple[list[float], list[str], Controller]:
    """When a request was reconciled within so many virtual seconds, with what outcome."""
    runtime = VirtualRuntime(1)
    times: list[float] = []
    seen: list[str] = []

    def reconcile(request: Request) -> Result:
        assert request == KEY
        times.append(runtime.now())
        step = outcomes[min(len(times), len(outcomes)) - 1]
        if isinstance(step, Exception):
            raise step
        return step

    controller = Controller(
        runtime, "test", reconcile, observe=lambda request, outcome, took, why: seen.append(outcome)
    )

    def main() -> None:
        controller.start()
        controller.queue.add(KEY)
        runtime.sleep(seconds)

    runtime.run(main)
    return times, seen, controller


def test_success_is_done_once() -> None:
    times, seen, _ = attempts([DONE], 100)
    assert (times, seen) == ([0], ["success"])


def test_an_object_that_is_gone_is_done_too() -> None:
    assert attempts([GONE], 100)[1] == ["not_found"]


def test_requeue_after_comes_back_then() -> None:
    times, seen, _ = attempts([Result(requeue_after=30), DONE], 100)
    assert (times, seen) == ([0, 30], ["requeue", "success"])


def test_a_conflict_is_tried_again_quickly_and_quietly(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        times, seen, controller = attempts([Conflict("changed"), Conflict("changed"), DONE], 10)
    assert seen == ["requeue", "requeue", "success"]
    assert times[-1] < 0.02
    assert caplog.records == []
    assert controller.queue.failures(KEY) == 0


def test_not_found_is_tried_again() -> None:
    assert attempts([NotFound("no such secret"), DONE], 10)[1] == ["not_found", "success"]


def test_a_temporary_error_says_when() -> None:
    times, seen, _ = attempts([TemporaryError("no host yet", delay=7), DONE], 100)
    assert (times, seen) == ([0, 7], ["requeue", "success"])


def test_a_temporary_error_without_a_delay_backs_off() -> None:
    times, _, _ = attempts([TemporaryError("busy")], 2)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] <= 0.005
    assert all(later > 1.5 * earlier for earlier, later in itertools.pairwise(gaps))


def test_a_permanent_error_waits_for_a_change() -> None:
    times, seen, _ = attempts([PermanentError("no image")], 5000)
    assert (times, seen) == ([0], ["error"])


def test_a_server_that_says_when_is_obeyed_within_reason() -> None:
    busy = TooManyRequests("slow down", details={"retryAfterSeconds": 3})
    assert attempts([busy, DONE], 10)[0] == [0, 3]
    endless = ServiceUnavailable("later", details={"retryAfterSeconds": 10**9})
    assert attempts([endless, DONE], 100)[0] == [0, 60]


def test_an_api_error_is_one_line_and_a_bug_has_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    attempts([ServiceUnavailable("connection refused"), DONE], 1)
    assert [record.exc_info for record in caplog.records] == [None]
    caplog.clear()
    _, seen, _ = attempts([ZeroDivisionError("a bug"), DONE], 1)
    assert seen == ["error", "success"]
    assert caplog.records[0].exc_info is not None
    assert "ns/a" in caplog.records[0].message


def test_an_observer_that_fails_stops_no_worker() -> None:
    runtime = VirtualRuntime(1)
    done: list[Request] = []

    def observe(*_: object) -> None:
        raise RuntimeError("metrics are broken")

    def reconcile(request: Request) -> Result:
        done.append(request)
        return DONE

    def main() -> None:
        controller = Controller(runtime, "test", reconcile, observe=observe)
        controller.start()
        controller.queue.add(KEY)
        controller.queue.add(ObjectKey("ns", "b"))
        runtime.sleep(1)
        assert len(done) == 2

    runtime.run(main)


def test_stopping_finishes_what_runs_and_starts_nothing(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        started, finished = runtime.queue(), []

        def reconcile(request: Request) -> Result:
            started.put(request)
            runtime.sleep(0.1)
            finished.append(request.name)
            return DONE

        controller = Controller(runtime, "test", reconcile, workers=2)
        for name in "abc":
            controller.queue.add(ObjectKey("ns", name))
        controller.start()
        started.get(5)
        started.get(5)
        assert controller.stop(5)
        assert sorted(finished) == ["a", "b"]

    run(main)


def test_stopping_does_not_wait_for_ever() -> None:
    runtime = VirtualRuntime(1)

    def main() -> None:
        def reconcile(request: Request) -> Result:
            runtime.sleep(1000)
            return DONE

        controller = Controller(runtime, "test", reconcile)
        controller.start()
        controller.queue.add(KEY)
        runtime.sleep(1)
        assert not controller.stop(5)
        assert runtime.now() == 6

    runtime.run(main)


def test_one_request_is_never_with_two_workers(run: Run) -> None:
    def main(runtime: Runtime) -> None:
        inside = {"a": 0, "b": 0}
        worst = {"a": 0, "b": 0}
        runs: list[str] = []
        lock = runtime.lock()

        def reconcile(request: Request) -> Result:
            with lock:
                inside[request.name] += 1
                worst[request.name] = max(worst[request.name], inside[request.name])
            runtime.sleep(0.002)
            with lock:
                inside[request.name] -= 1
                runs.append(request.name)
            return DONE

        controller = Controller(runtime, "test", reconcile, workers=4)
        controller.start()
        for _ in range(40):
            controller.queue.add(ObjectKey("ns", "a"))
            controller.queue.add(ObjectKey("ns", "b"))
            runtime.sleep(0.001)
        assert controller.stop(5)
        assert worst == {"a": 1, "b": 1}
        assert len(runs) > 4

    run(main)


def test_a_watch_enqueues_what_an_object_points_at_before_and_after() -> None:
    runtime = VirtualRuntime(1)
    requests: list[str] = []

    def obj(version: int, *owners: str) -> Object:
        metadata = {"namespace": "ns", "name": "h", "uid": "u", "resourceVersion": str(version)}
        return {"metadata": metadata, "owners": list(owners)}

    def mapper(of: Object) -> list[Request]:
        return [ObjectKey("ns", owner) for owner in of["owners"]]

    def reconcile(request: Request) -> Result:
        requests.append(request.name)
        return DONE

    def main() -> None:
        cache = Cache(runtime, CONFIG_MAP)
        controller = Controller(runtime, "test", reconcile)
        controller.watch(cache, mapper)
        # What the first list brings waits behind what changes now.
        cache.replace([obj(1, "initial")], "1")
        controller.queue.add(ObjectKey("ns", "urgent"))
        controller.start()
        runtime.sleep(1)
        assert requests == ["urgent", "initial"]
        requests.clear()
        cache.apply("MODIFIED", obj(2, "second"))
        runtime.sleep(1)
        assert requests == ["initial", "second"]
        requests.clear()
        cache.apply("DELETED", obj(3, "second"))
        runtime.sleep(1)
        assert requests == ["second"]

    runtime.run(main)


def test_no_workers_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="workers must be at least 1, not 0"):
        Controller(VirtualRuntime(1), "test", lambda request: DONE, workers=0)


def test_an_unknown_api_error_backs_off() -> None:
    times, seen, _ = attempts([ApiError("odd"), DONE], 10)
    assert seen == ["error", "success"]
    assert 0 < times[1] <= 0.005


def test_conflicts_are_tried_again_at_once_and_then_ever_later() -> None:
    times, seen, _ = attempts([Conflict("changed"), Conflict("changed"), DONE], 5)
    assert times == pytest.approx([0.0, 0.005, 0.015])
    assert seen == ["requeue", "requeue", "success"]
    times, _, _ = attempts([Conflict("changed")], 3)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:3] == pytest.approx([0.005, 0.01, 0.015])
    assert gaps[-1] > 0.5, "somebody who always wins is not raced for ever"


def test_workers_can_be_added_and_taken_away_while_it_runs() -> None:
    runtime = VirtualRuntime(1)
    at_once = most = 0

    def reconcile(request: Request) -> Result:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        runtime.sleep(1.0)
        at_once -= 1
        return DONE

    def main() -> None:
        nonlocal most
        controller = Controller(runtime, "test", reconcile, workers=2)
        controller.resize(3)
        controller.start()

        def burst() -> int:
            nonlocal most
            most = 0
            for number in range(30):
                controller.queue.add(ObjectKey("ns", str(number)))
            runtime.sleep(40.0)
            return most

        assert burst() == 3
        controller.resize(8)
        assert burst() == 8
        controller.resize(1)
        burst()  # each surplus worker ends with the request that it gets
        assert burst() == 1
        assert controller.stop(5.0)

    runtime.run(main)
