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


def test_each_leadership_is_counted_once_and_from_zero(in_world, claim_coordinator):
    """A counter that appears with its first event shows no increase by it."""

    def body(driver: Any) -> None:
        for name, lease in (
            ("beskar7_leader_election_total", MANAGER_LEASE),
            ("beskar7_claim_coordinator_leader_election_total", CLAIM_LEASE),
        ):
            started = {"event_type": "started_leading", "namespace": "beskar7-system"}
            assert sorted(values(driver, name, **started)) == [0, 1]
            assert values(driver, name, event_type="stopped_leading") == [0, 0]
            depose(driver, lease)
            driver.until(lambda n=name: sum(values(driver, n, event_type="stopped_leading")), "one")
            driver.until(lambda n=name, s=started: sum(values(driver, n, **s)) == 2, "the next")
        assert sorted(values(driver, "beskar7_leader")) == [0, 1]

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
