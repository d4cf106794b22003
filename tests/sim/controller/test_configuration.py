"""The ConfigMap followed by running managers; flags above it; what it may not say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP, LEASE
from beskar7.config import CONFIG_MAP_NAME

pytestmark = pytest.mark.sim

SYSTEM = "beskar7-system"


def manager(driver: Any, identity: str) -> Any:
    return driver.world._managers[identity][1]


def configure(driver: Any, **values: str) -> None:
    data = {key.replace("__", "."): value for key, value in values.items()}
    driver.kube.patch(CONFIG_MAP, SYSTEM, CONFIG_MAP_NAME, {"data": data})
    driver.runtime.sleep(1.0)


@pytest.mark.upstream("U34")
def test_every_manager_follows_and_a_bad_value_changes_nothing(in_world: Any) -> None:
    def body(driver: Any) -> None:
        managers = [manager(driver, f"manager-{number}") for number in (1, 2)]
        configure(driver, provisioning__workerCount="9", reconcile__maxConcurrentReconciles="4")
        for each in managers:
            assert each.configuration.tuning.worker_count == 9
            assert each.configuration.tuning.max_concurrent_reconciles == 4
        configure(driver, provisioning__workerCount="none at all")
        for each in managers:
            assert each.configuration.tuning.worker_count == 9
            assert "provisioning.workerCount" in each.configuration.problem
            shown = json.loads(json.dumps(each.configuration.shown()))
            assert shown["configMap"]["valid"] is False
            assert shown["effective"]["provisioning.workerCount"] == "9"
            assert "beskar7_configuration_valid 0.0" in each.metrics.exposition().decode()
        # One Event, by the leader, and not one for each manager.
        (event,) = driver.events("InvalidConfiguration")
        assert event.get("count", 1) == 1
        assert event["involvedObject"]["name"] == CONFIG_MAP_NAME
        configure(driver, provisioning__workerCount="5")
        assert managers[0].configuration.tuning.worker_count == 5
        assert managers[0].configuration.problem == ""
        driver.create_machines(2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned")

    in_world(body, managers=2)


@pytest.mark.upstream("U34")
@pytest.mark.parametrize(
    ("config", "starts"),
    [
        ({"bmc.maxRetries": "2", "provisioning.exponentialBackoff": "false"}, [0, 20, 40]),
        ({"bmc.maxRetries": "2", "bmc.retryDelay": "20s"}, [0, 20, 60]),
        ({"bmc.retryDelay": "20s", "provisioning.retryAttempts": "1"}, [0, 20]),
        (
            {
                "bmc.maxRetries": "2",
                "bmc.retryDelay": "30s",
                "provisioning.maxRetryDelay": "12s",
            },
            [0, 12, 24],
        ),
    ],
)
def test_a_bmc_sees_as_many_tries_and_as_far_apart_as_configured(
    in_world: Any, config: dict[str, str], starts: list[float]
) -> None:
    def body(driver: Any) -> None:
        match = {"methods": ["POST"], "path": "*InsertMedia"}
        driver.world.add_fault({"id": "no", "kind": "error", "status": 500, "match": match})
        driver.create_machines(1)
        driver.until(lambda: driver.states() == ["Error"], "given up")
        times = [r.start for r in driver.world.bmc_log(0, 0)[0] if r.fault == "no"]
        assert [time - times[0] for time in times] == pytest.approx(starts, abs=2.0)

    common = {"provisioning.bmcCooldownPeriod": "1s", "bmc.retryDelay": "20s"}
    longest = {"hostSelection.maxBackoffDelay": "60s"}
    in_world(body, hosts=1, config=common | longest | config)


def test_a_flag_holds_whatever_the_config_map_says(in_world: Any) -> None:
    def body(driver: Any) -> None:
        configure(driver, reconcile__maxConcurrentReconciles="4")
        tuning = manager(driver, "manager-1").configuration.tuning
        assert tuning.max_concurrent_reconciles == 7
        assert manager(driver, "manager-1").configuration.shown()["fixedByFlags"] == [
            "reconcile.maxConcurrentReconciles"
        ]

    in_world(body, args={"max-concurrent-reconciles": "7"})


def test_an_election_has_the_times_of_the_config_map(in_world: Any) -> None:
    def body(driver: Any) -> None:
        lease = driver.kube.get(LEASE, SYSTEM, "beskar7-controller-manager")
        assert lease["spec"]["leaseDurationSeconds"] == 30

    in_world(
        body,
        config={"leaderElection.leaseDuration": "30s", "leaderElection.renewDeadline": "20s"},
    )


def test_leases_can_live_elsewhere(in_world: Any) -> None:
    def body(driver: Any) -> None:
        assert driver.kube.get(LEASE, "kube-system", "beskar7-controller-manager")
        assert driver.kube.list(LEASE, SYSTEM).items == []

    in_world(body, args={"leader-elect-resource-namespace": "kube-system"})


def test_a_change_that_no_watch_told_of_is_found_by_the_resync(in_world: Any) -> None:
    """A wake-up that was lost, not an event: the object is right in the cache, nobody looked."""

    def body(driver: Any) -> None:
        term = manager(driver, "manager-1")._term
        queue = term._host_controller.queue
        lost: list[object] = []
        real = queue.add
        queue.add = lambda key, **options: lost.append(key)
        driver.create_machines(1)
        driver.runtime.sleep(30.0)
        assert lost
        assert len(driver.owners()) == 1, "claimed"
        assert set(driver.states()) == {"Available"}, "and nobody provisions"
        queue.add = real
        took = driver.until(lambda: driver.phases() == ["Provisioned"], "found by the resync")
        assert took <= 60.0 + 30.0

    in_world(body, config={"reconcile.syncPeriod": "60s"})


def test_a_bmc_that_is_known_gets_the_time_that_is_configured_now(in_world: Any) -> None:
    """Its client is kept from one operation to the next."""

    def body(driver: Any) -> None:
        slow = {"kind": "latency", "latency": {"mean": 12.0}, "match": {"path": "*/VirtualMedia"}}
        driver.world.add_fault({"id": "slow"} | slow)
        driver.create_machines(1)
        driver.until(lambda: driver.events("ProvisioningFailed"), "timed out")
        configure(driver, bmc__requestTimeout="20s")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned", 300.0)

    in_world(body, hosts=1, config={"bmc.requestTimeout": "10s", "bmc.maxRetries": "1"})
