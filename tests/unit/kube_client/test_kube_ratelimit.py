"""The token bucket: never more than burst + qps * t requests in any t seconds, and none refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.kube.ratelimit import TokenBucket
from beskar7.runtime import VirtualRuntime

pytestmark = pytest.mark.unit


@given(
    qps=st.floats(0.5, 50.0),
    burst=st.integers(1, 20),
    pauses=st.lists(st.floats(0.0, 2.0), min_size=1, max_size=40),
)
def test_no_window_holds_more_than_the_bucket_and_its_refill(
    qps: float, burst: int, pauses: list[float]
) -> None:
    runtime = VirtualRuntime(seed=1)
    times: list[float] = []

    def main() -> None:
        bucket = TokenBucket(runtime, qps, burst)

        def ask() -> None:
            bucket.acquire()
            times.append(runtime.now())

        tasks = []
        for pause in pauses:
            runtime.sleep(pause)
            tasks.append(runtime.spawn(ask, name="ask"))
        assert all(task.join(1000.0) for task in tasks)

    runtime.run(main)
    assert len(times) == len(pauses)
    for first in range(len(times)):
        for last in range(first, len(times)):
            window = times[last] - times[first]
            assert last - first + 1 <= burst + qps * window + 1e-6


def test_a_rested_bucket_lets_a_burst_through_at_once() -> None:
    runtime = VirtualRuntime(seed=1)

    def main() -> list[float]:
        bucket = TokenBucket(runtime, qps=2.0, burst=3)
        return [bucket.acquire() for _ in range(5)]

    assert runtime.run(main) == pytest.approx([0.0, 0.0, 0.0, 0.5, 0.5])


@pytest.mark.parametrize(("qps", "burst"), [(0.0, 1), (-1.0, 1), (1.0, 0)])
def test_a_bucket_that_lets_nobody_through_is_refused(qps: float, burst: int) -> None:
    with pytest.raises(ValueError, match="qps must be above 0"):
        TokenBucket(VirtualRuntime(seed=1), qps, burst)
