"""Hosts that stay too long where they should pass through, and those that only seem to."""

from __future__ import annotations

import base64

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, PHYSICAL_HOST, SECRET
from beskar7.api.meta import parse_rfc3339

pytestmark = pytest.mark.sim

SECRET_KEY = ("default", "bmc-credentials")


def encoded(password: str) -> dict[str, str]:
    return {"password": base64.b64encode(password.encode()).decode()}


@pytest.mark.upstream("U4")
def test_idle_for_hours_is_not_stuck(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.runtime.sleep(3 * 3600)
        assert driver.states() == ["Available", "Provisioned"]
        assert not driver.events("StuckState")
        driver.create_machines(1, start=2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "claimed after hours")

    in_world(body, hosts=2)


@pytest.mark.upstream("U4")
def test_a_bmc_that_is_dead_for_an_hour_heals_by_itself(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.runtime.sleep(2)
        driver.world.add_fault({"id": "dead", "kind": "reset", "select": {}})
        driver.runtime.sleep(3600)
        (host,) = driver.hosts().values()
        assert host["status"]["state"] == "Error"
        assert host["status"]["errorMessage"], "U31"
        assert driver.condition(host, "RedfishConnectionReady")["status"] == "False"
        driver.world.clear_faults("dead")
        driver.until(lambda: driver.phases() == ["Provisioned"], "healed", limit=180)
        (host,) = driver.hosts().values()
        assert "errorMessage" not in host["status"]
        assert driver.condition(host, "RedfishConnectionReady")["status"] == "True"

    in_world(body, hosts=1)


@pytest.mark.upstream("U6")
@pytest.mark.upstream("U31")
def test_an_error_that_is_retried_stands_in_the_status_meanwhile(in_world):
    def body(driver) -> None:
        match = {"methods": ["POST"], "path": "*InsertMedia"}
        driver.world.add_fault({"id": "no", "kind": "error", "status": 500, "match": match})
        driver.create_machines(1)
        driver.until(
            lambda: "errorMessage" in driver.hosts()["host-001"]["status"], "told", limit=30
        )
        host = driver.hosts()["host-001"]
        assert host["status"]["state"] == "Provisioning", "not given up yet"
        assert driver.condition(host, "HostProvisioned")["reason"] == "RedfishQueryFailed", "U6"
        driver.world.clear_faults("no")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        assert "errorMessage" not in driver.hosts()["host-001"]["status"]

    in_world(body, hosts=1)


def test_a_drained_queue_is_no_stuck_host(in_world):
    def body(driver) -> None:
        data = {"data": {"provisioning.maxConcurrentOps": "0"}}
        driver.kube.patch(CONFIG_MAP, "beskar7-system", "beskar7-config", data)
        driver.runtime.sleep(1)
        driver.create_machines(1)
        driver.runtime.sleep(7200)
        assert driver.states() == ["Provisioning"]
        assert not driver.events("StuckState")
        data["data"]["provisioning.maxConcurrentOps"] = "5"
        driver.kube.patch(CONFIG_MAP, "beskar7-system", "beskar7-config", data)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        assert not driver.events("StuckState")

    in_world(body, hosts=1)


@pytest.mark.upstream("U9")
def test_a_boot_that_never_ends_is_noticed_although_managers_die_in_between(in_world):
    """The boot's own timeout counts in one process; the mark in the API counts in all."""

    def body(driver) -> None:
        machine = driver.world.fleet.bmcs["host-001"].machine
        driver.create_machines(1)
        driver.until(
            lambda: "requestedAt" in driver.hosts()["host-001"]["status"].get("boot", {}), "asked"
        )
        machine.media.clear()
        machine.pending = None  # the reset is lost, and nothing will ever boot
        for _ in range(4):
            driver.runtime.sleep(400)
            driver.world.kill_manager("leader")
            driver.world.start_manager()
        driver.until(lambda: bool(driver.events("StuckState")), "noticed", limit=60)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned anew")

    in_world(body, hosts=1)


def test_state_since_tells_when_the_state_was_entered(in_world):
    def body(driver) -> None:
        host = driver.hosts()["host-001"]
        first = parse_rfc3339(host["status"]["stateSince"])
        driver.runtime.sleep(600)
        assert driver.hosts()["host-001"]["status"]["stateSince"] == host["status"]["stateSince"]
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        assert parse_rfc3339(driver.hosts()["host-001"]["status"]["stateSince"]) > first + 600

    in_world(body, hosts=1)


@pytest.mark.upstream("U4")
def test_a_secret_that_comes_an_hour_late_is_in_time(in_world):
    def body(driver) -> None:
        host = driver.hosts()["host-001"]
        secret = driver.kube.get(SECRET, *SECRET_KEY)
        late = {
            "apiVersion": host["apiVersion"],
            "kind": host["kind"],
            "metadata": {"name": "late", "namespace": "default"},
            "spec": {
                "redfishConnection": host["spec"]["redfishConnection"]
                | {"credentialsSecretRef": "late"}
            },
        }
        driver.kube.create(PHYSICAL_HOST, late)
        driver.runtime.sleep(3600)
        status = driver.hosts()["late"]["status"]
        assert status["state"] == "Enrolling"
        assert "default/late does not exist" in status["errorMessage"]
        condition = driver.condition(driver.hosts()["late"], "RedfishConnectionReady")
        assert condition["reason"] == "SecretNotFound"
        assert len(driver.events("SecretNotFound")) == 1
        metadata = {"name": "late", "namespace": "default"}
        driver.kube.create(SECRET, {"metadata": metadata, "data": secret["data"]})
        driver.until(lambda: driver.states() == ["Available"] * 2, "enrolled", limit=30)
        assert "errorMessage" not in driver.hosts()["late"]["status"]

    in_world(body, hosts=1)


def test_rotated_credentials_are_proven_before_the_host_is_offered_again(in_world):
    def body(driver) -> None:
        old = driver.kube.get(SECRET, *SECRET_KEY)["data"]
        driver.kube.patch(SECRET, *SECRET_KEY, {"data": encoded("wrong")})
        driver.until(lambda: driver.states() == ["Error"], "refused")
        (host,) = driver.hosts().values()
        assert driver.condition(host, "RedfishConnectionReady")["reason"] == (
            "RedfishCredentialsRefused"
        )
        driver.create_machines(1)
        driver.runtime.sleep(30)
        assert driver.phases() == ["Pending"]
        driver.kube.patch(SECRET, *SECRET_KEY, {"data": {"password": old["password"]}})
        driver.until(lambda: driver.phases() == ["Provisioned"], "at once", limit=30)

    in_world(body, hosts=1)


def test_rotated_credentials_serve_the_next_operation_of_a_provisioned_host(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        bmc = driver.world.fleet.bmcs["host-001"]
        bmc.token = base64.b64encode(b"lab:rotated")
        driver.kube.patch(SECRET, *SECRET_KEY, {"data": encoded("rotated")})
        driver.runtime.sleep(5)
        assert driver.states() == ["Provisioned"]
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: driver.states() == ["Available"], "cleaned")
        refused = [r for r in driver.world.bmc_log(0, 0)[0] if r.status in (401, 403)]
        assert refused == []

    in_world(body, hosts=1)


def test_idle_hosts_cost_nothing_for_hours(in_world):
    def body(driver) -> None:
        driver.create_machines(2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned")
        driver.runtime.sleep(60)
        requests = len(driver.world.bmc_log(0, 0)[0])
        last = driver.world.writes(0)[0][-1].seq
        driver.runtime.sleep(6 * 3600)
        assert {record.kind for record in driver.world.writes(last)[0]} <= {"Lease"}
        assert len(driver.world.bmc_log(0, 0)[0]) == requests

    in_world(body, hosts=4)
