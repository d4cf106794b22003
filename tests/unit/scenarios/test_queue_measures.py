"""The queue's length, its workers' utilisation and what it turned away, by hand."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.engine.backlog import lengths
from scenarios.engine.measures import measure

pytestmark = pytest.mark.unit

SCENARIO = """
name: handmade
world:
  hosts: {count: 2}
  config: {provisioning.workerCount: "4"}
load: {machines: 2}
"""


def test_waits_and_work_are_read_from_the_logs(logs: Any) -> None:
    """Two hosts wait 0.7 s and 0.75 s of 12 s to be provisioned, and one 0.5 s to be given back."""
    for host in ("h1", "h2"):
        logs.host(0.0, host, state="Available")
    for name in ("m1", "m2"):
        logs.machine(1.0, name)
    logs.host(1.3, "h1", owner="m1")
    logs.host(1.5, "h2", owner="m2")
    logs.request("h1", 2.0, 2.5, "", operation=logs.provision("h1", "m1"))
    logs.request("h1", 2.5, 3.5, operation=logs.provision("h1", "m1"))
    logs.request("h2", 2.25, 2.75, operation=logs.provision("h2", "m2"))
    logs.machine(10.0, "m1", deleting=True)
    logs.request("h1", 10.5, 11.0, operation="deprovision:h1:-:2")
    logs.host(12.0, "h1", owner="", state="Available")
    logs.request("h2", 20.0, 30.0, "", operation="verify:h2:-:3")
    found = measure(logs.evidence(scenario=SCENARIO))
    assert found["queue_length"] == pytest.approx((0.7 + 0.75 + 0.5) / 12.0)
    assert found["queue_max"] == 2.0
    assert found["utilisation"] == pytest.approx((1.5 + 0.5 + 0.5) / (4 * 12.0))
    assert found["rejections"] == 0.0


def test_who_is_deleted_before_its_turn_waits_to_be_given_back_only(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    logs.machine(1.0, "m1")
    logs.host(2.0, "h1", owner="m1")
    logs.machine(4.0, "m1", deleting=True)
    logs.host(10.0, "h1", owner="", state="Available")
    found = measure(logs.evidence())
    assert found["queue_length"] == pytest.approx(8.0 / 10.0)
    assert found["queue_max"] == 1.0


def test_rejections_are_the_last_counts_of_events(logs: Any) -> None:
    def full(count: int) -> dict[str, Any]:
        return {"reason": "QueueFull", "involvedObject": {"kind": "PhysicalHost"}, "count": count}

    for time, name, count in ((1.0, "one", 1), (2.0, "one", 3), (3.0, "two", 1)):
        logs._write(time, "Event", name, "default", partial(dict.update, **full(count)))
    assert measure(logs.evidence())["rejections"] == 4.0


def test_nothing_that_changed_is_nothing_measured(logs: Any) -> None:
    found = measure(logs.evidence())
    assert (found["queue_length"], found["queue_max"], found["utilisation"]) == (None, None, None)


TIMES = st.floats(0.0, 100.0, allow_nan=False)


@given(st.lists(st.tuples(TIMES, TIMES).map(lambda pair: tuple(sorted(pair))), max_size=30))
def test_the_mean_length_is_that_of_samples_and_the_maximum_is_met(
    waits: list[tuple[float, float]],
) -> None:
    window = (10.0, 90.0)
    mean, most = lengths(waits, window)
    cuts = sorted({10.0, 90.0, *(x for wait in waits for x in wait if 10.0 < x < 90.0)})
    area, peak = 0.0, 0
    for begin, end in pairwise(cuts):
        inside = sum(a <= begin and end <= b for a, b in waits)
        area += inside * (end - begin)
        peak = max(peak, inside)
    assert mean == pytest.approx(area / 80.0, abs=1e-9)
    assert most == peak
