"""In a storm of machines, claims go before what follows from them, and hold nobody up for long."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.controllers.underway import LONGEST

pytestmark = pytest.mark.sim
STORM = 12


def writes(driver: Any) -> list[Any]:
    return [record for record in driver.world.writes(0)[0] if record.outcome == "ok"]


def takes(driver: Any) -> list[int]:
    """The places, in the order of all writes, of those that claimed a host."""
    return [
        record.seq
        for record in writes(driver)
        if (record.kind, record.verb) == ("PhysicalHost", "update")
        and record.object["spec"].get("consumerRef")
    ]


def follow_ups(driver: Any, after: int) -> list[int]:
    """The places of statuses and finalizers that were written after write ``after``."""
    found = []
    for record in writes(driver):
        status = record.verb == "update_status" and record.kind != "HostClaim"
        finalizer = (record.kind, record.verb) == ("Beskar7Machine", "update")
        if record.seq > after and (status or finalizer):
            found.append(record.seq)
    return found


@pytest.mark.parametrize("handed_over", [False, True])
def test_what_follows_from_claims_is_written_after_the_last_of_them(
    in_world, claim_coordinator, handed_over
):
    def body(driver) -> None:
        driver.runtime.sleep(5)
        before = writes(driver)[-1].seq
        for number in range(1, STORM + 1):
            driver.runtime.spawn(driver.create_machines, 1, number, name=f"create-{number}")
        driver.until(lambda: len(takes(driver)) == STORM, "claimed")
        driver.until(lambda: driver.phases() == ["Provisioned"] * STORM, "provisioned")
        last = max(takes(driver))
        early = [seq for seq in follow_ups(driver, before) if seq < last]
        if handed_over:
            # One machine may have its host before the second one is there.
            assert len(early) <= 1
        else:
            # Each machine's finalizer goes before its own claim, and its status straight after.
            hosts = {r.seq for r in writes(driver) if r.kind == "PhysicalHost"}
            assert [seq for seq in early if seq in hosts] == []

    args = claim_coordinator if handed_over else {}
    in_world(body, hosts=STORM, args=args, config={"provisioning.bmcCooldownPeriod": "1s"})


def test_a_machine_that_no_host_is_left_for_holds_nobody_up(in_world, claim_coordinator):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: len(driver.owners()) == 1, "claimed")
        driver.create_machine("waits")
        driver.until(lambda: "Pending" in driver.phases(), "told to wait")
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: list(driver.owners().values()) == ["waits"], "claimed by who waited")
        driver.create_machine("waits-too")
        took = driver.until(lambda: "Available" not in driver.states(), "taken up")
        assert took < LONGEST / 2

    in_world(body, hosts=1, args=claim_coordinator)


def test_a_machine_that_goes_before_it_has_a_finalizer_leaves_its_host_free(
    in_world, claim_coordinator
):
    def body(driver) -> None:
        for number in range(1, STORM + 1):
            driver.runtime.spawn(driver.create_machines, 1, number, name=f"create-{number}")
        while len(driver.machines()) < STORM:
            driver.runtime.sleep(0.001)
        bare = [m for m in driver.machines().values() if not m["metadata"].get("finalizers")]
        assert bare
        for name in driver.machines():
            driver.kube.delete(BESKAR7_MACHINE, "default", name)
        driver.until(lambda: not driver.machines(), "gone")
        driver.until(lambda: driver.states() == ["Available"] * STORM, "free")
        assert driver.owners() == {}
        assert driver.two_owners() == []

    in_world(body, hosts=STORM, args=claim_coordinator)
