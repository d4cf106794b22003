"""What goes wrong stands in the API's conditions, where operators look, and not in memory."""

from __future__ import annotations

import pytest

from beskar7.api.kinds import PHYSICAL_HOST

pytestmark = pytest.mark.sim

STEPS = {
    "insert the image": {"methods": ["POST"], "path": "*InsertMedia"},
    "set the boot source": {"methods": ["PATCH"], "path": "*/Systems/*"},
    "power on": {"methods": ["POST"], "path": "*ComputerSystem.Reset"},
}


@pytest.mark.upstream("U6")
@pytest.mark.parametrize("step", STEPS)
def test_a_step_that_a_bmc_refuses_stands_in_the_hosts_condition(in_world, step):
    def body(driver) -> None:
        refused = {"id": "no", "kind": "error", "status": 500, "match": STEPS[step]}
        driver.world.add_fault(refused)
        driver.create_machines(1)

        def told() -> bool:
            condition = driver.condition(driver.hosts()["host-001"], "HostProvisioned")
            return condition.get("reason") == "RedfishQueryFailed"

        driver.until(told, "told", limit=30)
        assert any(record.fault == "no" for record in driver.world.bmc_log(0, 0)[0])
        condition = driver.condition(driver.hosts()["host-001"], "HostProvisioned")
        assert (condition["status"], condition["severity"]) == ("False", "Error")
        assert "HTTP 500" in condition["message"]
        driver.until(lambda: driver.states() == ["Error"], "given up for now", limit=120)
        assert told(), "and it is still there"
        # Whoever takes over has nothing but the API.
        driver.world.kill_manager("leader")
        driver.world.start_manager()
        driver.world.clear_faults("no")
        driver.until(lambda: driver.phases() == ["Provisioned"], "healed")
        condition = driver.condition(driver.hosts()["host-001"], "HostProvisioned")
        assert condition["status"] == "True"

    in_world(body, hosts=1)


@pytest.mark.upstream("U6")
def test_a_deleted_host_that_waits_for_its_owner_says_so(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.kube.delete(PHYSICAL_HOST, "default", "host-001")
        driver.runtime.sleep(5)
        condition = driver.condition(driver.hosts()["host-001"], "HostProvisioned")
        assert condition["reason"] == "WaitingForConsumerRelease"

    in_world(body, hosts=1)
