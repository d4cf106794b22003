"""BMCs that do not answer, or want peace: what they cost the others, and how they come back."""

from __future__ import annotations

from itertools import pairwise

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, SECRET
from beskar7.coordination.pool import STALLED_AFTER

pytestmark = pytest.mark.sim


def metrics(driver) -> str:
    return next(iter(driver.world.manager_metrics().values()))


def hang(driver, *hosts: str) -> None:
    driver.world.add_fault({"id": "dead", "kind": "hang", "select": {"hosts": list(hosts)}})


def test_the_circuit_of_a_dead_bmc_opens_is_seen_and_closes_when_it_is_back(in_world):
    def body(driver) -> None:
        hang(driver, "host-001")
        driver.create_machines(1)
        driver.until(lambda: driver.events("BMCCircuitOpen"), "open")
        (event,) = driver.events("BMCCircuitOpen")
        assert event["type"] == "Warning"
        assert event["involvedObject"]["name"] == "host-001"
        address = driver.world.fleet.bmcs["host-001"].spec.address
        assert f'beskar7_bmc_circuit_state{{bmc_address="{address}:8000"}}' in metrics(driver)
        driver.runtime.sleep(1200)
        assert len(driver.events("BMCCircuitOpen")) == 1, "one outage is one story"
        requests = [r for r in driver.world.bmc_log(0, 0)[0] if r.fault == "dead"]
        spans = [later.start - former.end for former, later in pairwise(requests)]
        assert max(spans) < 120, "it is looked for again within a bounded time"
        assert len(requests) < 40, "and is not hammered"
        driver.world.clear_faults("dead")
        seconds = driver.until(lambda: driver.phases() == ["Provisioned"], "found again")
        assert seconds < 60 + 60 + 30, "longest wait, a call under way, the boot"
        assert driver.events("BMCCircuitClosed")
        assert "beskar7_bmc_circuit_state{" not in metrics(driver)

    in_world(body, hosts=1)


@pytest.mark.upstream("U13")
@pytest.mark.upstream("U14")
def test_dead_bmcs_hold_neither_workers_nor_room_nor_write_slots(in_world):
    """Upstream one dead BMC stopped its only worker; here ten hang, and there are two."""
    times: dict[int, float] = {}
    for dead in (0, 10):

        def body(driver, dead=dead) -> None:
            if dead:
                hang(driver, *(f"host-{number:03d}" for number in range(1, dead + 1)))
            began = driver.runtime.now()
            driver.create_machines(20)
            well = 20 - dead
            driver.until(lambda: driver.phases().count("Provisioned") >= well, "the healthy ones")
            times[dead] = driver.runtime.now() - began

        in_world(
            body,
            hosts=20,
            config={"provisioning.workerCount": "2", "provisioning.maxConcurrentOps": "2"},
        )
    # Half of the hosts remain, so half of the time; a dead one takes a worker once, for a moment,
    # where it used to be a minute for each of its requests.
    assert times[10] < times[0] / 2 + 10 * STALLED_AFTER + 2.0, times


def test_new_credentials_close_the_circuit(in_world):
    def body(driver) -> None:
        hang(driver, "host-001")
        driver.create_machines(1)
        driver.until(lambda: driver.events("BMCCircuitOpen"), "open")
        driver.runtime.sleep(600)

        def trials() -> int:
            return len([r for r in driver.world.bmc_log(0, 0)[0] if r.fault == "dead"])

        before = trials()
        driver.until(lambda: trials() > before, "another trial failed, so the next one is far")
        driver.world.clear_faults("dead")
        driver.runtime.sleep(1)
        name = driver.hosts()["host-001"]["spec"]["redfishConnection"]["credentialsSecretRef"]
        driver.kube.patch(SECRET, "default", name, {"metadata": {"labels": {"rotated": "yes"}}})
        driver.until(lambda: "beskar7_bmc_circuit_state{" not in metrics(driver), "closed", 5.0)

    in_world(body, hosts=1)


def test_a_bmc_that_says_retry_after_gets_it_and_no_other_waits(in_world):
    def body(driver) -> None:
        driver.world.add_fault(
            {
                "id": "busy",
                "kind": "error",
                "status": 503,
                "retry_after": 90,
                "count": 1,
                "select": {"hosts": ["host-001"]},
            }
        )
        began = driver.runtime.now()
        driver.create_machines(2)
        driver.until(lambda: "Provisioned" in driver.phases(), "the other one")
        assert driver.runtime.now() - began < 60
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "both")
        records = [r for r in driver.world.bmc_log(0, 0)[0] if r.host == "host-001"]
        refused = next(i for i, record in enumerate(records) if record.fault == "busy")
        assert records[refused + 1].start - records[refused].end >= 90.0 - 1e-6

    in_world(body, hosts=2)


@pytest.mark.upstream("U15")
def test_every_request_to_a_bmc_belongs_to_an_operation_of_the_queue(in_world):
    def body(driver) -> None:
        driver.create_machines(3)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "provisioned")
        for name in list(driver.machines()):
            driver.kube.delete(BESKAR7_MACHINE, "default", name)
        driver.until(lambda: driver.states() == ["Available"] * 3, "released")
        last: dict[str, tuple[str, float]] = {}
        ended: set[str] = set()
        for record in driver.world.bmc_log(0, 0)[0]:
            assert record.operation.split(":")[0] in {
                "inspect", "verify", "provision", "deprovision"
            }  # fmt: skip
            former, end = last.get(record.host, (record.operation, 0.0))
            assert record.start >= end
            if former != record.operation:
                ended.add(former)
            assert record.operation not in ended, "two operations meet on one BMC"
            last[record.host] = (record.operation, record.end)

    in_world(body, hosts=3)


@pytest.mark.upstream("U17")
def test_a_deleted_hosts_clean_up_waits_for_its_turn_and_its_bmcs_rest(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.kube.delete(PHYSICAL_HOST, "default", "host-001")
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: not driver.hosts(), "gone")
        writes = [r for r in driver.world.bmc_log(0, 0)[0] if r.action]
        kinds = list(dict.fromkeys(record.operation.split(":")[0] for record in writes))
        assert kinds == ["provision", "deprovision"]
        first = [r for r in writes if r.operation.startswith("provision:")]
        second = [r for r in writes if r.operation.startswith("deprovision:")]
        assert second[0].start - first[-1].end >= 10.0
        assert driver.world.fleet.state()["host-001"]["power"] == "Off"

    in_world(body, hosts=1)
