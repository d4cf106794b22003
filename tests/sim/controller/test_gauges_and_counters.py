"""What a manager's gauges and counters say is true at every moment, and summed over managers."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import LEASE
from beskar7.claim_term import CLAIM_LEASE
from beskar7.term import MANAGER_LEASE

pytestmark = pytest.mark.sim

QUEUE = "beskar7_provisioning_queue_"
DRAINED = {"provisioning.maxConcurrentOps": "0", "provisioning.maxQueueSize": "10"}


def values(driver: Any, name: str, **labels: str) -> list[float]:
    """The samples of a name with at least these labels, of all managers."""
    return [
        sample.value
        for identity, _ in driver.world.managers()
        for family in driver.manager(identity)[1].metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def depose(driver: Any, lease: str) -> None:
    """Somebody else holds the lease, for a while: he never renews it."""
    held = driver.kube.get(LEASE, "beskar7-system", lease)
    held["spec"] |= {"holderIdentity": "ghost", "leaseDurationSeconds": 30}
    driver.kube.update(LEASE, held)


def test_a_drained_queue_shows_what_waits_until_its_term_ends(in_world):
    def body(driver: Any) -> None:
        assert values(driver, f"{QUEUE}capacity") == [10]
        driver.create_machines(12)
        driver.until(lambda: values(driver, f"{QUEUE}length") == [10], "a full queue")
        driver.until(lambda: sum(values(driver, f"{QUEUE}rejections_total")) > 0, "rejections")
        assert values(driver, f"{QUEUE}processing_count", namespace="default") == [0]
        depose(driver, MANAGER_LEASE)
        driver.until(lambda: values(driver, "beskar7_leader") == [0], "the end of the term")
        # A follower that went on to show them would keep an alarm alive that nobody can end.
        driver.until(lambda: values(driver, f"{QUEUE}length") == [], "no queue")
        assert values(driver, f"{QUEUE}capacity") == [0]
        driver.until(lambda: values(driver, f"{QUEUE}length") == [10], "the next term's queue")

    in_world(body, hosts=12, config=DRAINED)


def test_every_manager_tells_how_often_leases_passed_on(in_world, claim_coordinator):
    """Also of leaders that nobody had the time to ask."""

    def body(driver: Any) -> None:
        def told(lease: str) -> list[float]:
            return values(driver, "beskar7_lease_transitions", lease=lease)

        for lease in (MANAGER_LEASE, CLAIM_LEASE):
            assert told(lease) == [0, 0]
            depose(driver, lease)
            driver.until(lambda name=lease: told(name) == [1, 1], "told by both")
        assert sorted(values(driver, "beskar7_leader")) == [0, 1]

    in_world(body, managers=2, args=claim_coordinator)


def test_what_was_not_seen_of_a_lease_is_not_told(in_world, claim_coordinator):
    """A manager that begins with 0 where its predecessor left at 5 looks like five changes."""

    def body(driver: Any) -> None:
        depose(driver, CLAIM_LEASE)
        first = driver.world.managers()[0][0]
        driver.until(lambda: told(driver, first) == [1], "told")
        identity = driver.world.start_manager()
        seen = set()
        driver.until(
            lambda: seen.update(told(driver, identity)) or driver.manager(identity)[1].ready,
            "the new one knows its leader",
        )
        assert seen <= {1.0}

    def told(driver: Any, identity: str) -> list[float]:
        registry = driver.manager(identity)[1].metrics.registry
        value = registry.get_sample_value("beskar7_lease_transitions", {"lease": CLAIM_LEASE})
        return [] if value is None else [value]

    in_world(body, args=claim_coordinator)


def test_terms_of_claim_leadership_are_counted_from_zero(in_world, claim_coordinator):
    """A counter that appears with its first event shows no increase by it."""

    def body(driver: Any) -> None:
        name = "beskar7_claim_coordinator_leader_election_total"
        assert sorted(values(driver, name, event_type="started_leading")) == [0, 1]
        assert values(driver, name, event_type="stopped_leading") == [0, 0]

    in_world(body, managers=2, args=claim_coordinator)


def test_rejections_are_counted_from_zero(in_world):
    def body(driver: Any) -> None:
        assert values(driver, f"{QUEUE}rejections_total", namespace="default") == [0]

    in_world(body)


def test_requests_are_told_apart_by_vendor(in_world):
    def body(driver: Any) -> None:
        name = "beskar7_bmc_request_duration_seconds_count"
        driver.create_machines(2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned")
        for vendor in ("dell", "hpe"):
            assert sum(values(driver, name, vendor=vendor)) > 10

    in_world(body, hosts=2, vendors="{dell: 1, hpe: 1}")
