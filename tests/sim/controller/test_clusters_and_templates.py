"""Failure domains, the control-plane endpoint, templates in use."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    CAPI_CLUSTER,
    GROUP,
    PHYSICAL_HOST,
)

pytestmark = pytest.mark.sim

CONTROL_PLANE = {"cluster.x-k8s.io/cluster-name": "blue", "cluster.x-k8s.io/control-plane": ""}
WORKER = {"cluster.x-k8s.io/cluster-name": "blue"}


def create_cluster(driver, *, owner: str = "", **spec: Any) -> None:
    """``owner``: the uid of the Cluster ``blue``."""
    metadata: dict[str, Any] = {"name": "blue", "namespace": "default"}
    if owner:
        api_version = CAPI_CLUSTER.api_version
        metadata["ownerReferences"] = [
            {"apiVersion": api_version, "kind": "Cluster", "name": "blue", "uid": owner}
        ]
    driver.kube.create(
        BESKAR7_CLUSTER,
        {
            "apiVersion": BESKAR7_CLUSTER.api_version,
            "kind": "Beskar7Cluster",
            "metadata": metadata,
            "spec": spec,
        },
    )


def the_cluster(driver) -> dict[str, Any]:
    return driver.kube.get(BESKAR7_CLUSTER, "default", "blue")


def cluster_ready(driver) -> bool:
    return bool(the_cluster(driver).get("status", {}).get("ready"))


def cluster_writes(driver) -> int:
    return sum(record.kind == "Beskar7Cluster" for record in driver.world.writes(0)[0])


@pytest.mark.upstream("U27")
def test_the_endpoint_is_that_of_the_first_control_plane_machine_that_is_ready(in_world):
    def body(driver) -> None:
        create_cluster(driver)
        driver.add_machine("worker", labels=WORKER)
        driver.add_machine(
            "other", labels=CONTROL_PLANE | {"cluster.x-k8s.io/cluster-name": "green"}
        )
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned")
        driver.runtime.sleep(30)
        cluster = the_cluster(driver)
        assert "controlPlaneEndpoint" not in cluster.get("spec", {})
        condition = driver.condition(cluster, "ControlPlaneEndpointReady")
        assert (condition["status"], condition["reason"]) == ("False", "ControlPlaneEndpointNotSet")
        driver.add_machine("first", labels=CONTROL_PLANE)
        driver.until(lambda: cluster_ready(driver), "endpoint")
        cluster = the_cluster(driver)
        address = driver.machines()["first"]["status"]["addresses"][0]["address"]
        wanted = {"host": address, "port": 6443}
        assert cluster["spec"]["controlPlaneEndpoint"] == wanted
        assert cluster["status"]["controlPlaneEndpoint"] == wanted
        assert driver.condition(cluster, "Ready")["status"] == "True"
        driver.kube.delete(BESKAR7_MACHINE, "default", "first")
        driver.until(lambda: "first" not in driver.machines(), "gone")
        driver.runtime.sleep(30)
        assert the_cluster(driver)["spec"]["controlPlaneEndpoint"] == wanted, "it does not move"

    in_world(body)


def test_an_endpoint_that_the_user_gave_is_kept(in_world):
    def body(driver) -> None:
        given = {"host": "api.blue.lab", "port": 443}
        create_cluster(driver, controlPlaneEndpoint=given)
        driver.until(lambda: cluster_ready(driver), "ready")
        driver.add_machine("first", labels=CONTROL_PLANE)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.runtime.sleep(10)
        cluster = the_cluster(driver)
        assert cluster["spec"]["controlPlaneEndpoint"] == given
        assert cluster["status"]["controlPlaneEndpoint"] == given

    in_world(body)


def test_failure_domains_are_the_hosts_zones_and_follow_them(in_world):
    def body(driver) -> None:
        zones = {
            host["metadata"]["labels"]["topology.kubernetes.io/zone"]
            for host in driver.hosts().values()
        }
        create_cluster(driver)
        driver.runtime.sleep(2)
        found = the_cluster(driver)["status"]["failureDomains"]
        assert found == {zone: {"controlPlane": True} for zone in zones}
        patch = {"metadata": {"labels": {"topology.kubernetes.io/zone": "attic"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
        driver.runtime.sleep(2)
        assert "attic" in the_cluster(driver)["status"]["failureDomains"]

    in_world(body)


def test_a_cluster_is_left_alone_while_nothing_that_concerns_it_changes(in_world):
    def body(driver) -> None:
        create_cluster(driver)
        driver.runtime.sleep(5)
        before = cluster_writes(driver)
        text = driver.world.manager_metrics()["manager-1"]
        driver.create_machines(4)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 4, "provisioned")
        after = driver.world.manager_metrics()["manager-1"]
        assert cluster_writes(driver) == before
        assert reconciles(after, "beskar7cluster") == reconciles(text, "beskar7cluster") > 0
        assert reconciles(after, "physicalhost") > reconciles(text, "physicalhost")

    in_world(body)


def reconciles(text: str, controller: str) -> float:
    lines = [
        line
        for line in text.splitlines()
        if line.startswith("beskar7_controller_reconciliation_total{")
        and f'controller="{controller}"' in line
    ]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_cluster_waits_for_its_owner_follows_its_pause_and_goes(in_world):
    def body(driver) -> None:
        create_cluster(driver)
        driver.runtime.sleep(30)
        assert "status" not in the_cluster(driver), "its owner is required, and not there"
        driver.kube.delete(BESKAR7_CLUSTER, "default", "blue")
        owner = driver.kube.create(
            CAPI_CLUSTER,
            {
                "apiVersion": CAPI_CLUSTER.api_version,
                "kind": "Cluster",
                "metadata": {"name": "blue", "namespace": "default"},
                "spec": {"paused": True},
            },
        )
        create_cluster(driver, owner=owner["metadata"]["uid"])
        driver.runtime.sleep(30)
        assert "status" not in the_cluster(driver), "paused"
        driver.kube.patch(CAPI_CLUSTER, "default", "blue", {"spec": {"paused": False}})
        driver.runtime.sleep(5)
        assert the_cluster(driver)["status"]["failureDomains"]
        driver.kube.delete(BESKAR7_CLUSTER, "default", "blue")
        driver.until(lambda: not driver.kube.list(BESKAR7_CLUSTER).items, "gone")

    in_world(body, args={"require-owner-machine": "true"})


def create_template(driver) -> None:
    driver.kube.create(
        BESKAR7_MACHINE_TEMPLATE,
        {
            "apiVersion": BESKAR7_MACHINE_TEMPLATE.api_version,
            "kind": "Beskar7MachineTemplate",
            "metadata": {"name": "pool", "namespace": "default"},
            "spec": {
                "template": {"spec": {"imageURL": "http://i.lab/a.iso", "osFamily": "kairos"}}
            },
        },
    )


def test_a_template_in_use_outlives_its_deletion_until_its_last_machine(in_world):
    def body(driver) -> None:
        driver.without_admission()
        create_template(driver)
        for name in ("a", "b", "not-of-it"):
            driver.add_machine(name)
            if name != "not-of-it":
                annotations = {
                    "cluster.x-k8s.io/cloned-from-name": "pool",
                    "cluster.x-k8s.io/cloned-from-groupkind": f"Beskar7MachineTemplate.{GROUP}",
                }
                patch = {"metadata": {"annotations": annotations}}
                driver.kube.patch(BESKAR7_MACHINE, "default", name, patch)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "provisioned")
        driver.kube.delete(BESKAR7_MACHINE_TEMPLATE, "default", "pool")
        driver.runtime.sleep(60)
        (event,) = driver.events("TemplateInUse")
        assert event["message"] == "Deletion waits for a, b"
        driver.kube.delete(BESKAR7_MACHINE, "default", "a")
        driver.runtime.sleep(60)
        assert driver.kube.list(BESKAR7_MACHINE_TEMPLATE).items, "b still needs it"
        driver.kube.delete(BESKAR7_MACHINE, "default", "b")
        driver.until(lambda: not driver.kube.list(BESKAR7_MACHINE_TEMPLATE).items, "gone", limit=60)
        assert "not-of-it" in driver.machines()

    in_world(body)


def test_a_template_that_nobody_uses_goes_at_once(in_world):
    def body(driver) -> None:
        create_template(driver)
        driver.runtime.sleep(5)
        driver.kube.delete(BESKAR7_MACHINE_TEMPLATE, "default", "pool")
        driver.until(lambda: not driver.kube.list(BESKAR7_MACHINE_TEMPLATE).items, "gone", limit=5)

    in_world(body, hosts=1)
