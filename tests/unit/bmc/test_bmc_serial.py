"""A BMC works on one action at a time, in the order in which they came; reads go on beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from emulator.bmc.inprocess import FleetAdapter

if TYPE_CHECKING:
    from conftest import Client

    from emulator.bmc.fleet import Fleet

pytestmark = pytest.mark.unit
SLOW = {"kind": "latency", "latency": {"mean": 2.0}}
"""Every answer takes two seconds, in a fleet whose own latency is none."""


BUSY = {"id": "busy", "kind": "error", "status": 503}


def send(
    fleet: Fleet, client: Client, method: str, path: str, body: Any = None, *, ok: bool = True
) -> float:
    """One request over the adapter; when it was answered."""
    session = requests.Session()
    session.mount("http://", FleetAdapter(fleet, fleet.runtime))
    url = f"http://{client.bmc.spec.address}{path}"
    assert session.request(method, url, json=body, headers=client.headers).ok is ok
    return fleet.runtime.now()


@given(gaps=st.lists(st.floats(0.0, 5.0), min_size=1, max_size=5))
def test_actions_follow_one_another_and_reads_do_not_wait(
    in_a_world: Callable[..., None], gaps: list[float]
) -> None:
    def body(client: Client) -> None:
        fleet = client.fleet
        runtime = fleet.runtime
        runtime.sleep(1.0)
        came, free = [], 0.0
        expected = []
        waits = []
        for index, gap in enumerate(gaps):
            runtime.sleep(gap)
            came.append(runtime.now())
            free = max(free, came[-1]) + 2.0
            expected.append(free)
            path = f"{client.media}/{client.disc}/Actions/VirtualMedia.InsertMedia"
            order = {"Image": f"http://images/{index}.iso"}
            waits.append(runtime.spawn(send, fleet, client, "POST", path, order, name=f"w{index}"))
        # Read while the last of them is still waited for.
        runtime.sleep(0.0)
        begin = runtime.now()
        assert send(fleet, client, "GET", client.system) == pytest.approx(begin + 2.0)
        for wait in waits:
            wait.join()
        writes = [r for r in fleet.log().records if r.action]
        assert [r.start for r in writes] == pytest.approx(came)
        assert [r.end for r in writes] == pytest.approx(expected)
        inserted = [e for e in fleet.log().events if e.type == "media-inserted"]
        assert [e.time for e in inserted] == pytest.approx([end - 1.0 for end in expected])
        # Those of one instant have no order among them.
        assert [came[int(e.detail[-5])] for e in inserted] == pytest.approx(came)

    in_a_world(body, faults=[SLOW])


def test_actions_that_a_fault_hits_wait_their_turn(in_a_world: Callable[..., None]) -> None:
    def body(client: Client) -> None:
        fleet = client.fleet
        tasks = [
            fleet.runtime.spawn(
                lambda: send(fleet, client, "PATCH", client.system, {"AssetTag": "x"}, ok=False),
                name=f"patch-{index}",
            )
            for index in range(3)
        ]
        for task in tasks:
            task.join()
        assert [(r.status, r.end) for r in fleet.log().records] == [
            *((503, 2.0), (503, 4.0), (503, 6.0))
        ]

    in_a_world(body, faults=[SLOW, BUSY])


def test_another_bmc_does_not_wait(in_a_world: Callable[..., None]) -> None:
    def body(client: Client) -> None:
        fleet = client.fleet
        other = type(client)(fleet, "host-002")
        tasks = [
            fleet.runtime.spawn(
                send, fleet, who, "PATCH", who.system, {"AssetTag": "x"}, name=f"patch-{index}"
            )
            for index, who in enumerate((client, client, other))
        ]
        for task in tasks:
            task.join()
        ends = [(r.host, r.end) for r in fleet.log().records]
        assert ends == [("host-001", 2.0), ("host-002", 2.0), ("host-001", 4.0)]

    in_a_world(body, faults=[SLOW])
