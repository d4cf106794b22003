"""The provisioning queue as operators turn its knobs: full, drained, misconfigured."""

from __future__ import annotations

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP

pytestmark = pytest.mark.sim


def configure(driver, **data: str) -> None:
    patch = {"data": {key.replace("_", "."): value for key, value in data.items()}}
    driver.kube.patch(CONFIG_MAP, "beskar7-system", "beskar7-config", patch)


@pytest.mark.upstream("U16")
def test_a_full_queue_says_so_and_loses_nothing(in_world):
    def body(driver) -> None:
        driver.create_machines(30)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 30, "all provisioned")
        full = driver.events("QueueFull")
        assert full
        assert all(event["type"] == "Warning" for event in full)
        text = next(iter(driver.world.manager_metrics().values()))
        assert "beskar7_provisioning_queue_rejections_total" in text

    in_world(
        body,
        hosts=30,
        config={
            "provisioning.maxQueueSize": "10",
            "provisioning.maxConcurrentOps": "2",
            "provisioning.bmcCooldownPeriod": "1s",
        },
    )


def test_zero_concurrent_operations_drain_live_and_nothing_starts_until_raised(in_world):
    def body(driver) -> None:
        configure(driver, provisioning_maxConcurrentOps="0")
        driver.runtime.sleep(1)
        driver.create_machines(3)
        driver.runtime.sleep(60)
        assert driver.states().count("Provisioning") == 3
        writes = [record for record in driver.world.bmc_log(0, 0)[0] if record.action]
        assert writes == []
        configure(driver, provisioning_maxConcurrentOps="5")
        driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "provisioned after the drain")

    in_world(body)


def test_an_invalid_value_keeps_the_last_good_ones_and_is_told(in_world):
    def body(driver) -> None:
        configure(driver, provisioning_maxConcurrentOps="many")
        driver.until(lambda: driver.events("InvalidConfiguration"), "told")
        (event,) = driver.events("InvalidConfiguration")
        assert "provisioning.maxConcurrentOps" in event["message"]
        assert event["involvedObject"]["name"] == "beskar7-config"
        driver.create_machines(2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned all the same")

    in_world(body)


@pytest.mark.upstream("U35")
def test_the_vendors_cooldown_holds_when_none_is_configured(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: driver.states() == ["Available"], "released")
        spans: dict[str, list[float]] = {}
        for record in driver.world.bmc_log(0, 0)[0]:
            if record.action:
                spans.setdefault(record.operation, []).extend((record.start, record.end))
        (first, second) = sorted(spans.values())
        assert min(second) - max(first) >= 10.0, "Dell's, by the guide's table"

    in_world(body, hosts=1)
