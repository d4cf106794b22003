"""What a manager remembers of machines goes with them, however they fared."""

from __future__ import annotations

import gc

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.controllers.claim_coordinator import ClaimCoordinator
from beskar7.controllers.claims import Claims
from beskar7.controllers.handover import Handover
from beskar7.controllers.underway import ClaimsUnderWay
from beskar7.controllers.waiting import WaitingMachines
from beskar7.coordination.operations import bmc_id

pytestmark = pytest.mark.sim
MAPS = {
    ClaimsUnderWay: ("_since", "_active", "_put_off"),
    Handover: ("_since",),
    Claims: ("_failures", "_tried", "_in_doubt"),
    WaitingMachines: ("_waiting", "_lengths"),
    ClaimCoordinator: ("_open", "_busy", "_failures", "_not_before"),
}


def remembered() -> dict[str, int]:
    """Entries of each map in all that is alive."""
    found = {}
    for item in gc.get_objects():
        for name in MAPS.get(type(item), ()):
            key = f"{type(item).__name__}.{name}"
            found[key] = found.get(key, 0) + len(getattr(item, name))
    return {key: count for key, count in found.items() if count}


@pytest.mark.parametrize("handed_over", [False, True])
def test_machines_that_fought_for_hosts_leave_nothing(in_world, claim_coordinator, handed_over):
    """Managers that are all active meet in their claims, so that each machine has had conflicts."""
    args = {"leader-elect": "false"} | (claim_coordinator if handed_over else {})
    config = {"hostSelection.algorithm": "first-available"}

    def body(driver) -> None:
        def streams() -> set[str]:
            return set(driver.world.streams)

        driver.create_machines(6)
        driver.until(lambda: len(driver.owners()) == 4, "claimed")
        for start in (7, 13):
            for name in driver.machines():
                driver.kube.delete(BESKAR7_MACHINE, "default", name)
            driver.until(lambda: not driver.machines(), "gone")
            driver.until(lambda: set(driver.states()) == {"Available"}, "released")
            driver.runtime.sleep(120)
            assert remembered() == {}
            assert not [name for name in streams() if "/machine-" in name]
            driver.create_machines(6, start)
            driver.until(lambda: len(driver.owners()) == 4, "claimed")

    gc.collect()
    in_world(body, managers=3, args=args, config=config)


def test_a_host_that_is_gone_leaves_no_series_and_no_streams(in_world):
    """One was provisioned and cleaned, so that its BMC had to rest; one's BMC does not answer."""

    def body(driver) -> None:
        def told() -> str:
            return "".join(driver.world.manager_metrics().values())

        def left(bmcs: list[str]) -> list[str]:
            series = [line for line in told().splitlines() if any(bmc in line for bmc in bmcs)]
            mine = ("operation-id/", "bmc-circuit/", "host-backoff/")
            return series + [name for name in driver.world.streams if name.startswith(mine)]

        bmcs = [
            bmc_id(host["spec"]["redfishConnection"]["address"]) for host in driver.hosts().values()
        ]
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: driver.states() == ["Available"] * 2, "clean")
        hang = {"id": "dead", "kind": "hang", "select": {"hosts": ["host-002"]}}
        driver.world.add_fault(hang)
        driver.create_machines(2, 2)
        driver.until(lambda: "beskar7_bmc_circuit_state{" in told(), "suspected")
        assert "beskar7_bmc_cooldown_waits_total{" in told()
        for name in driver.machines():
            driver.kube.delete(BESKAR7_MACHINE, "default", name)
        for name in driver.hosts():
            driver.kube.delete(PHYSICAL_HOST, "default", name)
        driver.until(lambda: [*driver.hosts()] == ["host-002"], "one is gone")
        assert not [line for line in left(bmcs[:1]) if bmcs[0] in line]
        driver.world.clear_faults("dead")
        driver.until(lambda: not driver.hosts(), "gone")
        driver.runtime.sleep(5)
        assert left(bmcs) == []

    in_world(body, hosts=2)
