"""A host in Error that is to be tried at once; and what a deleted lease does not undo."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import LEASE, PHYSICAL_HOST
from beskar7.api.resources import RETRY_ANNOTATION
from beskar7.term import MANAGER_LEASE

pytestmark = pytest.mark.sim

BACKOFF = {"hostSelection.maxBackoffDelay": "5m", "bmc.retryDelay": "30s"}


def broken(driver: Any) -> None:
    """host-001 refuses its credentials, which is tried again after ten backoffs only."""
    fault = {"id": "no", "kind": "error", "status": 401, "select": {"hosts": ["host-001"]}}
    driver.world.add_fault(fault)
    driver.create_machines(1)
    driver.until(lambda: "Error" in driver.states(), "in Error")


def ask(driver: Any) -> None:
    patch = {"metadata": {"annotations": {RETRY_ANNOTATION: "now"}}}
    driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)


def asked(driver: Any) -> bool:
    return RETRY_ANNOTATION in driver.hosts()["host-001"]["metadata"].get("annotations", {})


def requests(driver: Any) -> int:
    return len(driver.world.bmc_log(0, 0)[0])


def test_a_retry_is_made_at_once_and_its_mark_taken_away(in_world: Any) -> None:
    def body(driver: Any) -> None:
        broken(driver)
        driver.runtime.sleep(60)
        driver.world.clear_faults("no")
        driver.runtime.sleep(60)
        assert driver.states() == ["Error"], "the backoff is far longer"
        ask(driver)
        took = driver.until(lambda: driver.phases() == ["Provisioned"], "recovered")
        assert took < 30
        assert not asked(driver)

    in_world(body, hosts=1, config=BACKOFF)


def test_a_retry_that_fails_is_one_retry(in_world: Any) -> None:
    def body(driver: Any) -> None:
        broken(driver)
        driver.runtime.sleep(60)
        before = requests(driver)
        ask(driver)
        driver.until(lambda: not asked(driver), "tried")
        assert requests(driver) > before, "its BMC was asked before the mark went"
        once = requests(driver)
        driver.runtime.sleep(120)
        assert requests(driver) == once
        assert driver.states() == ["Error"]

    in_world(body, hosts=1, config=BACKOFF)


def test_where_there_is_nothing_to_try_the_mark_goes_and_the_bmc_is_left_alone(
    in_world: Any,
) -> None:
    def body(driver: Any) -> None:
        before = requests(driver)
        ask(driver)
        driver.until(lambda: not asked(driver), "taken away", limit=5)
        assert requests(driver) == before
        assert driver.states() == ["Available"]

    in_world(body, hosts=1)


def test_who_takes_over_makes_the_retry_that_was_asked_of_the_one_that_died(
    in_world: Any,
) -> None:
    def body(driver: Any) -> None:
        broken(driver)
        driver.runtime.sleep(60)
        driver.world.kill_manager("leader")
        ask(driver)
        driver.world.clear_faults("no")
        driver.until(lambda: driver.phases() == ["Provisioned"], "recovered", limit=60)
        assert not asked(driver)

    in_world(body, hosts=1, managers=2, config=BACKOFF)


def test_a_lease_that_was_deleted_does_not_make_bmcs_forget_their_rest(in_world: Any) -> None:
    def body(driver: Any) -> None:
        def writes() -> list[Any]:
            return [record for record in driver.world.bmc_log(0, 0)[0] if record.action]

        driver.create_machines(1)
        driver.until(lambda: bool(writes()), "written to")
        driver.world.kill_manager("leader")
        driver.kube.delete(LEASE, "beskar7-system", MANAGER_LEASE)
        driver.runtime.sleep(0.5)
        last = max(record.end for record in writes())
        driver.world.start_manager()
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned", limit=120)
        later = [record.start for record in writes() if record.start > last]
        assert later, "the boot had not been asked for"
        assert min(later) >= last + 10.0, "Dell's cooldown, across managers"

    in_world(body, hosts=1)
