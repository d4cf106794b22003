"""The control endpoint of a live fleet: token, faults, log pages, metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from emulator.bmc.client import FleetControl, FleetControlError
from emulator.faultspec import Fault

if TYPE_CHECKING:
    from conftest import FleetProcess

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("path", ["log", "faults", "state", "metrics", "nothing"])
def test_nothing_without_the_token(fleet: FleetProcess, path: str) -> None:
    url = f"{fleet.ready['control']}/control/{path}"
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic wrong"}):
        assert requests.get(url, headers=headers, timeout=2).status_code == 401
    with pytest.raises(FleetControlError, match="token missing or wrong"):
        FleetControl(fleet.ready["control"], "wrong").state()


def test_faults_are_listed_with_whom_they_hit(fleet: FleetProcess) -> None:
    fault = Fault.from_dict(
        {"id": "slow", "kind": "latency", "select": {"fraction": 0.5}, "latency": {"mean": 0.01}}
    )
    assert fleet.control.add_fault(fault) == "slow"
    later = fleet.control.add_fault({"kind": "error", "start": 3600})
    shown = {entry["id"]: entry for entry in fleet.control.faults()}
    assert len(shown["slow"]["hosts"]) == 2
    assert (shown["slow"]["active"], shown[later]["active"]) == (True, False)
    for host in ("host-001", "host-002", "host-003", "host-004"):
        assert fleet.get(host=host).status_code == 200
    shown = {entry["id"]: entry for entry in fleet.control.faults()}
    assert (shown["slow"]["hits"], shown[later]["hits"]) == (2, 0)
    assert fleet.control.clear_faults() == 2
    assert fleet.control.faults() == []


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([{"kind": "boom"}], r"faults\[0\].kind: must be one of refused, reset-at-accept"),
        ([{"kind": "hang", "select": {"hosts": ["x"]}}], "selects none"),
        ([{"kind": "hang", "id": "a"}, {"kind": "hang", "id": "a"}], "in force already"),
        ([{"kind": "hang"}, {"kind": "error", "status": 7}], r"faults\[1\].status: must be"),
    ],
)
def test_a_bad_fault_is_named_and_none_of_its_company_stays(
    fleet: FleetProcess, faults: list[Any], message: str
) -> None:
    with pytest.raises(FleetControlError, match=message):
        fleet.control.add_faults(faults)
    assert fleet.control.faults() == []


def test_a_fault_that_is_not_there_cannot_be_cleared(fleet: FleetProcess) -> None:
    with pytest.raises(FleetControlError, match="no fault 'a/b c'"):
        fleet.control.clear_fault("a/b c")


def test_the_origin_moves_the_start(fleet: FleetProcess) -> None:
    now = fleet.control.log().now
    fleet.control.add_faults([{"id": "f", "kind": "error", "start": 100.0}], origin=now - 100.0)
    assert fleet.get().status_code == 503


@pytest.mark.parametrize("query", ["after_records=-1", "after_events=x"])
def test_a_bad_number_is_named(fleet: FleetProcess, query: str) -> None:
    token = {"Authorization": "Bearer token-of-the-control-endpoint"}
    url = f"{fleet.ready['control']}/control/log?{query}"
    answer = requests.get(url, headers=token, timeout=2)
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["error"]


def test_log_pages_follow_on(fleet: FleetProcess) -> None:
    for _ in range(3):
        fleet.get()
    page = fleet.control.log()
    last = page.records[-1].seq
    assert fleet.control.log(after_records=last - 1).records == page.records[-1:]
    fleet.get()
    assert [record.seq for record in fleet.control.log(after_records=last).records] == [last + 1]


def test_metrics_count(fleet: FleetProcess) -> None:
    before = fleet.control.metrics()
    fleet.get()
    after = fleet.control.metrics()
    assert after["requests"] == before["requests"] + 1
    assert after["in_flight"] == 0
    assert 0.0 <= after["busy"] <= after["busy_max"] + 1.0
    assert after["hosts"] == 4
