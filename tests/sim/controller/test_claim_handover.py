"""Claims that are handed over: without conflicts, without a leader, with late writes, withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import BESKAR7_MACHINE, HOST_CLAIM, LEASE, PHYSICAL_HOST
from beskar7.claim_term import CLAIM_LEASE
from beskar7.controllers.claim_protocol import ClaimProtocol
from beskar7.term import MANAGER_LEASE

pytestmark = pytest.mark.sim
LATE = 8.0
"""Seconds that a write is held up: longer than the leases of these tests."""


def claims(driver: Any) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in driver.kube.list(HOST_CLAIM).items}


def reasons(driver: Any, name: str) -> set[str]:
    status = driver.machines()[name].get("status", {})
    return {c["reason"] for c in status.get("conditions", []) if c["status"] == "False"}


def total(driver: Any, metric: str) -> float:
    """The sum of a metric's series over all living managers."""
    return sum(
        float(line.rsplit(" ", 1)[1])
        for text in driver.world.manager_metrics().values()
        for line in text.splitlines()
        if line.startswith(metric)
    )


def hold_up_takes(driver: Any, identity: str) -> list[str]:
    """Its next update of a host reaches the API only after LATE seconds; then it acts no more."""
    _, manager = driver.manager(identity)
    held: list[str] = []

    def before(verb, kind, namespace, name):
        if verb == "update" and kind == PHYSICAL_HOST and not held:
            held.append(name)
            return LATE
        if held:
            raise ServiceUnavailable("cut off")
        return None

    manager._kube.before = before
    return held


@pytest.mark.upstream("U18")
def test_a_batch_gets_distinct_hosts_without_a_conflict(in_world, claim_coordinator):
    def body(driver) -> None:
        driver.create_machines(40)
        took = driver.until(lambda: len(driver.owners()) == 40, "claimed")
        assert took < 0.5
        assert driver.two_owners() == []
        writes = [r for r in driver.world.writes(0)[0] if r.kind in ("PhysicalHost", "HostClaim")]
        assert {record.outcome for record in writes} == {"ok"}
        assigned = {c["status"]["hostRef"]["name"]: name for name, c in claims(driver).items()}
        assert assigned == driver.owners()
        by = {claim["status"]["assignedBy"] for claim in claims(driver).values()}
        assert by == {driver.holder(CLAIM_LEASE)} != {driver.holder(MANAGER_LEASE)}
        assert total(driver, 'beskar7_claim_coordinator_results_total{namespace="default"') == 40
        assert total(driver, "beskar7_host_claim_optimistic_total") == 0
        assert total(driver, "beskar7_claim_coordinator_queue_length") == 0

    in_world(body, hosts=48, managers=2, args=claim_coordinator)


@pytest.mark.upstream("U18")
def test_every_manager_contends_under_its_own_name_and_again_after_a_loss(
    in_world, claim_coordinator
):
    def body(driver) -> None:
        first = driver.holder(CLAIM_LEASE)
        assert {name for name, _ in driver.world.managers()} >= {first}
        driver.kube.delete(LEASE, "beskar7-system", CLAIM_LEASE)
        driver.runtime.sleep(10)
        driver.world.start_manager()
        driver.manager(driver.holder(CLAIM_LEASE))[0].kill()
        driver.runtime.sleep(10)
        second = driver.holder(CLAIM_LEASE)
        assert second
        assert dict(driver.world.managers())[second]
        started = 'leader_election_total{event_type="started_leading"'
        text = driver.world.manager_metrics()[second]
        assert f'beskar7_claim_coordinator_{started},namespace="beskar7-system"}} 1.0' in text
        elected = [
            event
            for event in driver.events("LeaderElected")
            if event["involvedObject"]["name"] == CLAIM_LEASE
        ]
        assert elected
        driver.create_machines(2)
        driver.until(lambda: len(driver.owners()) == 2, "served by the new leader", limit=5)

    in_world(body, managers=3, args=claim_coordinator)


@pytest.mark.upstream("U21")
@pytest.mark.parametrize("protocol", ["as it is", "broken"])
def test_a_deposed_leaders_late_write_gives_nobody_a_second_host(
    in_world, claim_coordinator, monkeypatch, protocol
):
    if protocol == "broken":
        # As a protocol would that believes in clocks: the old leader is deposed, so forget it.
        monkeypatch.setattr(ClaimProtocol, "settle", lambda self, claim: self._give_back(claim, ""))

    def body(driver) -> None:
        held = hold_up_takes(driver, driver.holder(CLAIM_LEASE))
        driver.create_machines(1)
        driver.until(lambda: held, "assigned", limit=1)
        # Whoever begins anew would now choose another host.
        better = next(name for name in driver.hosts() if name not in held)
        patch = {"metadata": {"annotations": {"beskar7.io/priority": "10"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", better, patch)
        driver.until(lambda: driver.owners(), "claimed all the same", limit=LATE)
        driver.runtime.sleep(2 * LATE)
        if protocol == "broken":
            (violation,) = driver.two_owners()
            assert violation.invariant == "single-owner"
            assert violation.machine == "machine-001"
        else:
            assert driver.two_owners() == []
            assert list(driver.owners()) == held, "the very write was repeated"

    config = {"hostSelection.algorithm": "priority"}
    in_world(body, managers=2, args=claim_coordinator, config=config)


@pytest.mark.parametrize("protocol", ["as it is", "broken"])
def test_a_late_write_for_a_machine_that_went_away_fails(
    in_world, claim_coordinator, monkeypatch, protocol
):
    if protocol == "broken":
        monkeypatch.setattr(ClaimProtocol, "_outdate", lambda self, claim: None)

    def body(driver) -> None:
        held = hold_up_takes(driver, driver.holder(CLAIM_LEASE))
        driver.create_machines(1)
        driver.until(lambda: held, "assigned", limit=1)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: not driver.machines(), "gone", limit=2)
        driver.runtime.sleep(2 * LATE)
        assert claims(driver) == {}
        taken = [
            record
            for record in driver.world.writes(0)[0]
            if record.kind == "PhysicalHost" and "consumerRef" in (record.object or {})["spec"]
        ]
        assert [record.outcome for record in taken] == [
            "Conflict" if protocol == "as it is" else "ok"
        ] + (["ok"] if protocol == "broken" else []) * (len(taken) - 1)
        driver.until(lambda: not driver.owners(), "an orphan is released, too", limit=60)

    in_world(body, managers=2, args=claim_coordinator)


def test_without_a_leader_claims_are_served_optimistically(in_world, claim_coordinator):
    def body(driver) -> None:
        lease = driver.kube.get(LEASE, "beskar7-system", CLAIM_LEASE)
        # Somebody who never renews, and whose lease lasts: nobody can take over for an hour.
        lease["spec"] |= {"holderIdentity": "ghost", "leaseDurationSeconds": 3600}
        driver.kube.update(LEASE, lease)
        driver.runtime.sleep(1.0)  # until the leader has noticed
        driver.create_machines(3)
        took = driver.until(lambda: len(driver.owners()) == 3, "claimed", limit=10)
        assert took < 3.0 + 2 * 0.5 + 1.0, "renew deadline, retry periods, a look"
        assert driver.holder(CLAIM_LEASE) == "ghost"
        assert total(driver, "beskar7_host_claim_optimistic_total") >= 3
        driver.runtime.sleep(5)
        driver.create_machines(1, start=4)
        assert driver.until(lambda: len(driver.owners()) == 4, "claimed", limit=10) < 0.5
        assert driver.two_owners() == []

    in_world(body, managers=2, args=claim_coordinator)


def test_a_leader_that_serves_nothing_does_not_hold_claims_up_for_ever(in_world, claim_coordinator):
    def body(driver) -> None:
        _, manager = driver.manager(driver.holder(CLAIM_LEASE))

        def before(verb, kind, namespace, name):
            if verb == "update_status" and kind == HOST_CLAIM:
                raise ServiceUnavailable("not this one")

        manager._kube.before = before
        driver.create_machines(2)
        assert driver.until(lambda: len(driver.owners()) == 2, "claimed", limit=20) < 5.0
        assert driver.two_owners() == []

    in_world(body, managers=2, args=claim_coordinator)


@pytest.mark.upstream("U22")
@pytest.mark.parametrize("handed_over", [True, False])
def test_a_machine_that_no_host_can_satisfy_says_which_requirement_excludes_how_many(
    in_world, claim_coordinator, handed_over
):
    def body(driver) -> None:
        driver.create_machine("picky", requiredTags=["gpu"], minCPUCores=8)
        driver.until(lambda: "NoMatchingHost" in reasons(driver, "picky"), "told", limit=5)
        (message,) = {
            c["message"]
            for c in driver.machines()["picky"]["status"]["conditions"]
            if c["reason"] == "NoMatchingHost"
        }
        assert "tag gpu excludes 2" in message
        assert "minCPUCores" not in message, "that, all hosts satisfy"
        if handed_over:
            status = claims(driver)["picky"]["status"]
            assert (status["phase"], status["message"]) == ("Unfulfillable", message)
        driver.kube.patch(PHYSICAL_HOST, "default", "host-002", {"spec": {"tags": ["gpu"]}})
        took = driver.until(lambda: driver.owners() == {"host-002": "picky"}, "served", limit=90)
        assert took < 1.0, "woken"

    in_world(body, hosts=2, managers=2, args=claim_coordinator if handed_over else None)


def test_a_wish_that_changes_while_the_claim_is_open_is_the_one_that_is_served(
    in_world, claim_coordinator
):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: len(driver.owners()) == 1, "the only plain host is taken")
        driver.create_machine("picky", requiredTags=["gpu"])
        driver.until(lambda: "picky" in claims(driver), "handed over", limit=5)
        patch = {"spec": {"hostRequirements": {"requiredTags": None, "minCPUCores": 4}}}
        driver.kube.patch(BESKAR7_MACHINE, "default", "picky", patch)
        driver.until(lambda: "picky" in driver.owners().values(), "served", limit=5)
        claim = claims(driver)["picky"]
        assert claim["spec"]["requirements"] == {"minCPUCores": 4}
        assert driver.two_owners() == []

    in_world(body, hosts=2, managers=2, args=claim_coordinator)


def test_the_best_waiting_claim_gets_the_host_that_becomes_free(in_world, claim_coordinator):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        for name, wish in (("picky", {"minCPUCores": 4}), ("plain", {}), ("late", {})):
            driver.create_machine(name, **wish)
            driver.runtime.sleep(1.5)
        driver.until(lambda: len(claims(driver)) == 4, "all wait", limit=5)
        served = []
        for gone in ("machine-001", "plain", "late"):
            driver.kube.delete(BESKAR7_MACHINE, "default", gone)
            driver.until(
                lambda gone=gone: set(driver.owners().values()) - {gone}, "the next has it"
            )
            served += driver.owners().values()
        assert served == ["plain", "late", "picky"], "150 points go before 100, the older first"

    in_world(body, hosts=1, managers=2, args=claim_coordinator)


def test_a_machine_made_again_under_its_name_gets_a_host_of_its_own(in_world, claim_coordinator):
    def body(driver) -> None:
        for _ in range(3):
            driver.create_machines(1)
            driver.until(lambda: len(driver.owners()) == 1, "claimed", limit=30)
            driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
            driver.until(lambda: not driver.machines(), "gone")
        driver.until(lambda: not driver.owners(), "all free")
        assert driver.two_owners() == []
        assert claims(driver) == {}

    in_world(body, hosts=3, managers=2, args=claim_coordinator)
