"""What a manager remembers of machines goes with them, however they fared."""

from __future__ import annotations

import gc

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.controllers.claim_coordinator import ClaimCoordinator
from beskar7.controllers.claims import Claims
from beskar7.controllers.handover import Handover
from beskar7.controllers.underway import ClaimsUnderWay
from beskar7.controllers.waiting import WaitingMachines

pytestmark = pytest.mark.sim
MAPS = {
    ClaimsUnderWay: ("_since", "_active", "_put_off"),
    Handover: ("_since",),
    Claims: ("_failures", "_tried"),
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
