"""kill -9 at every call of a claim that is handed over: each machine ends with one host or none.

The calls are numbered from the machines' creation. A manager dies before its call has reached the
API, or after it was performed and before the answer came back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM, PHYSICAL_HOST
from beskar7.claim_term import CLAIM_LEASE
from beskar7.term import MANAGER_LEASE

pytestmark = pytest.mark.sim

COUNTED = (BESKAR7_MACHINE, HOST_CLAIM, PHYSICAL_HOST)
APART, TOGETHER = True, False
"""Whether two managers share the leases, or one has both; chance decides, so seeds are tried."""


class Death:
    """Kills a manager at its ``call``-th call (from 0) about a machine, a claim or a host."""

    def __init__(self, driver: Any, identity: str, call: int, performed: bool) -> None:
        self.at = ""
        self.calls = 0
        process, manager = driver.manager(identity)
        kube = manager._kube
        inner = kube._call

        def counted(verb, kind, namespace, name, run, *rest):
            if kind not in COUNTED or verb == "watch" or not process.alive:
                return inner(verb, kind, namespace, name, run, *rest)
            number, self.calls = self.calls, self.calls + 1
            if number != call:
                return inner(verb, kind, namespace, name, run, *rest)
            self.at = f"{verb} {kind}"

            def last():
                result = run()
                process.kill()
                return result

            if not performed:
                process.kill()
            return inner(verb, kind, namespace, name, last if performed else run, *rest)

        kube._call = counted


def leases(driver: Any) -> dict[str, str]:
    return {"reconciler": driver.holder(MANAGER_LEASE), "coordinator": driver.holder(CLAIM_LEASE)}


@pytest.fixture
def seed_with(in_world: Any, claim_coordinator: Any) -> Callable[..., int]:
    """The first seed with which the leases are held as asked, in a world of so many hosts."""

    def search(apart: bool, *, hosts: int) -> int:
        for seed in range(1, 40):
            held = in_world(leases, hosts=hosts, managers=2, args=claim_coordinator, seed=seed)
            if (len(set(held.values())) == 2) is apart:
                return seed
        pytest.fail(f"no seed with the leases {'apart' if apart else 'together'}")

    return search


def claimed(driver: Any, machines: int) -> bool:
    return len(set(driver.owners().values())) == machines


@pytest.mark.parametrize("performed", [False, True], ids=["before", "performed"])
@pytest.mark.parametrize(
    ("victim", "apart"),
    [("reconciler", APART), ("coordinator", APART), ("reconciler", TOGETHER)],
    ids=["reconciler", "coordinator", "both"],
)
def test_a_death_at_any_call_of_a_claim(
    in_world, claim_coordinator, seed_with, victim, apart, performed
):
    seen: list[str] = []
    seed = seed_with(apart, hosts=4)

    def body(driver, call: int) -> bool:
        death = Death(driver, leases(driver)[victim], call, performed)
        driver.create_machines(2)
        driver.until(lambda: claimed(driver, 2), f"claimed, with a death at call {call}", limit=30)
        driver.until(
            lambda: all("hostRef" in m.get("status", {}) for m in driver.machines().values()),
            "known to the machines",
            limit=30,
        )
        driver.runtime.sleep(10)  # what is late has come by then
        assert len(driver.owners()) == 2, driver.owners()
        assert driver.two_owners() == []
        seen.append(death.at)
        return bool(death.at)

    call = 0
    while in_world(
        lambda driver, call=call: body(driver, call),
        hosts=4,
        managers=2,
        args=claim_coordinator,
        seed=seed,
    ):
        call += 1
    # Two claims: what each of the two has to do at the very least.
    expected = {"reconciler": "create HostClaim", "coordinator": "update PhysicalHost"}[victim]
    assert seen.count(expected) == 2, seen


@pytest.mark.parametrize("performed", [False, True], ids=["before", "performed"])
@pytest.mark.parametrize("victim", ["reconciler", "coordinator"])
@pytest.mark.parametrize("millis", [5, 8, 12])
def test_a_death_at_any_call_while_the_machine_goes_away(
    in_world, claim_coordinator, seed_with, victim, performed, millis
):
    seen: list[str] = []
    seed = seed_with(APART, hosts=2)

    def body(driver, call: int) -> bool:
        death = Death(driver, leases(driver)[victim], call, performed)
        driver.create_machines(1)
        driver.runtime.sleep(millis / 1000)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: not driver.machines(), f"gone, with a death at call {call}", limit=60)
        driver.until(
            lambda: not driver.owners() and driver.states() == ["Available"] * 2, "free", limit=60
        )
        driver.runtime.sleep(10)
        assert driver.owners() == {}
        assert driver.kube.list(HOST_CLAIM).items == [], "no litter"
        seen.append(death.at)
        return bool(death.at)

    call = 0
    while in_world(
        lambda driver, call=call: body(driver, call),
        hosts=2,
        managers=2,
        args=claim_coordinator,
        seed=seed,
    ):
        call += 1
    assert len(seen) > (4 if victim == "reconciler" else 0), seen


@pytest.mark.parametrize("performed", [False, True], ids=["before", "performed"])
@pytest.mark.parametrize("call", [7, 24, 41])
def test_a_change_of_leader_in_mid_batch(in_world, claim_coordinator, seed_with, call, performed):
    def body(driver) -> None:
        death = Death(driver, leases(driver)["coordinator"], call, performed)
        driver.create_machines(25)
        driver.until(lambda: death.at, "dead", limit=1)
        assert len(driver.owners()) < 25, "in mid-batch"
        driver.until(lambda: claimed(driver, 25), "claimed", limit=30)
        driver.runtime.sleep(10)
        assert len(driver.owners()) == 25
        assert driver.two_owners() == []

    seed = seed_with(APART, hosts=30)
    in_world(body, hosts=30, managers=2, args=claim_coordinator, seed=seed)
