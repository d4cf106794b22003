"""After a storm with faults no metric is without a sample: none is a promise only."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from beskar7.api.kinds import BESKAR7_CLUSTER, BESKAR7_MACHINE, LEASE, PHYSICAL_HOST
from beskar7.claim_term import CLAIM_LEASE

pytestmark = pytest.mark.sim

HOSTS = 12
CONFIG = {
    "provisioning.maxQueueSize": "10",
    "provisioning.maxConcurrentOps": "1",
    "provisioning.bmcCooldownPeriod": "20s",
    "bmc.connectionTimeout": "5s",
    "bmc.requestTimeout": "10s",
}


def sampled(driver: Any) -> dict[str, bool]:
    """Whether any manager has a sample, by metric."""
    found: dict[str, bool] = {}
    for identity, alive in driver.world.managers():
        metrics = driver.manager(identity)[1].metrics
        for metric in (*vars(metrics).values(), *vars(metrics.controllers).values()):
            if alive and isinstance(metric, MetricWrapperBase):
                (family,) = metric.collect()
                found[family.name] = found.get(family.name, False) or bool(family.samples)
    return found


def outcomes(driver: Any, name: str, label: str) -> set[str]:
    """The values of a label that were counted at least once."""
    return {
        sample.labels[label]
        for identity, alive in driver.world.managers()
        for family in driver.manager(identity)[1].metrics.registry.collect()
        for sample in family.samples
        if alive and sample.name == name and sample.value > 0
    }


def value(driver: Any, name: str) -> float:
    """The sum over all managers."""
    return sum(
        sample.value
        for identity, alive in driver.world.managers()
        for family in driver.manager(identity)[1].metrics.registry.collect()
        for sample in family.samples
        if alive and sample.name == name
    )


def without_claim_leader(driver: Any) -> None:
    """Somebody who never renews holds the lease for an hour: nobody can take over."""
    lease = driver.kube.get(LEASE, "beskar7-system", CLAIM_LEASE)
    lease["spec"] |= {"holderIdentity": "ghost", "leaseDurationSeconds": 3600}
    driver.kube.update(LEASE, lease)
    driver.runtime.sleep(5.0)
    driver.create_machines(1, start=100)
    driver.until(lambda: driver.phases() == ["Provisioned"], "served all the same")


def break_things(driver: Any) -> None:
    """One BMC hangs for good; the API fails on machines, and refuses claims, for a while."""
    driver.world.add_fault({"id": "dead", "kind": "hang", "select": {"hosts": ["host-002"]}})
    managers = {"clients": ["beskar7-manager/*"], "verbs": ["update"]}
    for kind, status, seconds in (("Beskar7Machine", 500, 1), ("PhysicalHost", 409, 5)):
        fault = {"target": "api", "id": kind, "kind": "error", "status": status}
        select = managers | {"kinds": [kind]}
        driver.world.add_fault(fault | {"select": select, "duration": seconds})


def assert_what_is_told_apart(driver: Any) -> None:
    reconciled = "beskar7_controller_reconciliation_total"
    assert outcomes(driver, reconciled, "controller") >= {
        "physicalhost",
        "beskar7machine",
        "beskar7cluster",
    }
    assert {"success", "error", "requeue"} <= outcomes(driver, reconciled, "outcome")
    assert "" not in outcomes(driver, "beskar7_controller_errors_total", "error_type")
    claims = "beskar7_host_claim_attempts_total"
    assert {"success", "conflict"} <= outcomes(driver, claims, "outcome")
    ended = "beskar7_concurrent_provisioning_operations_total"
    assert outcomes(driver, ended, "operation_type") >= {
        *("inspect", "provision", "verify", "deprovision")
    }
    assert len(outcomes(driver, ended, "outcome")) > 1, "the dead BMC's are no successes"


@pytest.mark.upstream("U24")
def test_every_metric_has_a_sample_after_a_storm_with_faults(in_world, claim_coordinator):
    """Claims are handed over, as long as there is a claim leader; for a while there is none."""

    def body(driver: Any) -> None:
        zone = {"metadata": {"labels": {"topology.kubernetes.io/zone": "a"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", zone)
        metadata = {"name": "blue", "namespace": "default"}
        cluster = {"apiVersion": BESKAR7_CLUSTER.api_version, "kind": "Beskar7Cluster"}
        driver.kube.create(BESKAR7_CLUSTER, cluster | {"metadata": metadata, "spec": {}})
        break_things(driver)
        driver.create_machines(HOSTS + 2)
        driver.until(lambda: driver.phases().count("Provisioned") == HOSTS - 1, "the healthy ones")
        driver.until(lambda: driver.events("BMCCircuitOpen"), "the dead one left alone")
        assert value(driver, "beskar7_host_claim_queue_length") == 2
        # Seen while it lasts: these gauges are of what is, and nothing is once all is well.
        during = sampled(driver)
        driver.world.clear_faults("dead")
        driver.until(lambda: driver.phases().count("Provisioned") == HOSTS, "all hosts")
        for name in list(driver.machines()):
            driver.kube.delete(BESKAR7_MACHINE, "default", name)
        driver.until(lambda: set(driver.states()) == {"Available"}, "released", limit=3600)
        without_claim_leader(driver)
        driver.runtime.sleep(3600.0)  # until the hourly look at credentials
        missing = {name for name, there in sampled(driver).items() if not there}
        assert missing <= {"beskar7_bmc_circuit_state"}
        assert during["beskar7_bmc_circuit_state"]
        assert_what_is_told_apart(driver)

    in_world(body, hosts=HOSTS, managers=2, args=claim_coordinator, config=CONFIG)
