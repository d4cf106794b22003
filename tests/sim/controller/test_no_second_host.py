"""A machine that has a host gets no second one, whatever its manager fails to see."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.meta import rfc3339
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.controllers.claims import Claims

pytestmark = pytest.mark.sim

AFFECTED = {"target": "api", "id": "blind"}
HOSTS = {"clients": ["beskar7-manager/*"], "kinds": ["PhysicalHost"]}
FREED = {"spec": {"hostRequirements": {"requiredTags": None}}}


def waiting_machine(driver: Any) -> Beskar7Machine:
    """It had its chance: its finalizer is there, and no host fits it, until ``FREED``."""
    driver.create_machine("m", requiredTags=["gpu"])
    driver.until(lambda: driver.phases() == ["Pending"], "waiting")
    return Beskar7Machine(driver.machines()["m"])


@pytest.mark.upstream("U21")
@pytest.mark.parametrize("believed", ["the server", "the cache"])
def test_a_claim_that_no_watch_told_of_is_found_at_the_server(in_world, monkeypatch, believed):
    """As after a predecessor's last write, which reaches the server late."""
    if believed == "the cache":
        monkeypatch.setattr(Claims, "owned", lambda self, machine: [])

    def body(driver: Any) -> None:
        machine = waiting_machine(driver)
        # Whoever chooses anew takes the other host.
        patch = {"metadata": {"annotations": {"beskar7.io/priority": "10"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-002", patch)
        driver.runtime.sleep(1)
        driver.world.add_fault(AFFECTED | {"kind": "drop-watch", "select": HOSTS})
        host = PhysicalHost(driver.hosts()["host-001"])
        host.claim(machine, rfc3339(driver.runtime.wall()))
        driver.kube.update(PHYSICAL_HOST, host.raw)
        driver.kube.patch(BESKAR7_MACHINE, "default", "m", FREED)
        driver.until(lambda: "hostRef" in driver.machines()["m"]["status"], "associated", limit=30)
        both = believed == "the cache"
        assert sorted(driver.owners()) == (["host-001", "host-002"] if both else ["host-001"])
        driver.world.clear_faults("blind")
        driver.runtime.sleep(30)
        # And who came to two in spite of that gives back the one that its status does not name.
        assert sorted(driver.owners()) == (["host-002"] if both else ["host-001"])

    in_world(body, hosts=2, config={"hostSelection.algorithm": "priority"})


@pytest.mark.upstream("U21")
def test_a_list_from_before_the_claim_is_not_believed(in_world):
    """A server that is behind its like, while no watch tells of hosts."""

    def body(driver: Any) -> None:
        machine = waiting_machine(driver)
        patch = {"metadata": {"annotations": {"beskar7.io/priority": "10"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-002", patch)
        driver.runtime.sleep(1)
        driver.world.add_fault(AFFECTED | {"kind": "drop-watch", "select": HOSTS})
        driver.world.add_fault(
            {"target": "api", "id": "behind", "kind": "stale-list", "age": 60.0, "select": HOSTS}
        )
        host = PhysicalHost(driver.hosts()["host-001"])
        host.claim(machine, rfc3339(driver.runtime.wall()))
        driver.kube.update(PHYSICAL_HOST, host.raw)
        driver.kube.patch(BESKAR7_MACHINE, "default", "m", FREED)
        driver.runtime.sleep(30)
        assert sorted(driver.owners()) == ["host-001"]
        for fault in ("behind", "blind"):
            driver.world.clear_faults(fault)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned", limit=120)
        assert sorted(driver.owners()) == ["host-001"]

    in_world(body, hosts=2, config={"hostSelection.algorithm": "priority"})


@pytest.mark.upstream("U21")
def test_while_hosts_cannot_be_listed_nothing_is_claimed(in_world):
    def body(driver: Any) -> None:
        waiting_machine(driver)
        driver.world.add_fault(
            AFFECTED | {"kind": "error", "status": 500, "select": HOSTS | {"verbs": ["list"]}}
        )
        driver.kube.patch(BESKAR7_MACHINE, "default", "m", FREED)
        driver.runtime.sleep(120)
        assert driver.owners() == {}, "whether it has a host is not known"
        driver.world.clear_faults("blind")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        assert len(driver.owners()) == 1
        assert driver.two_owners() == []

    in_world(body, hosts=2)
