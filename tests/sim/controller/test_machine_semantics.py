"""What Cluster API expects of a Beskar7Machine: owner, provider ID, addresses, conditions."""

from __future__ import annotations

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, CAPI_GROUP, PHYSICAL_HOST, SECRET, Kind

pytestmark = pytest.mark.sim

MACHINE = Kind(CAPI_GROUP, "v1beta1", "Machine", "machines")


def own(driver, name: str) -> None:
    """Give it an owner Machine. Its bootstrap data is not there, and is not for us to await."""
    owner = driver.kube.create(
        MACHINE,
        {
            "apiVersion": MACHINE.api_version,
            "kind": MACHINE.kind,
            "metadata": {"name": "owner", "namespace": "default"},
            "spec": {"clusterName": "blue", "bootstrap": {}, "infrastructureRef": {}},
        },
    )
    reference = {
        "apiVersion": MACHINE.api_version,
        "kind": MACHINE.kind,
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    patch = {"metadata": {"ownerReferences": [reference]}}
    driver.kube.patch(BESKAR7_MACHINE, "default", name, patch)


def test_a_required_owner_is_waited_for_and_its_coming_is_enough(in_world):
    def body(driver) -> None:
        driver.add_machine("m")
        driver.runtime.sleep(120)
        machine = driver.machines()["m"]
        assert driver.condition(machine, "Ready")["reason"] == "WaitingForOwnerMachine"
        assert driver.states() == ["Available"]
        own(driver, "m")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned", limit=60)

    in_world(body, hosts=1, args={"require-owner-machine": "true"})


@pytest.mark.upstream("U26")
@pytest.mark.parametrize("owner", ["never came", "taken away", "gone"])
def test_deletion_needs_no_owner(in_world, owner):
    def body(driver) -> None:
        driver.add_machine("m")
        if owner == "gone":
            own(driver, "m")
            driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
            # The garbage collector then deletes what it owned.
            driver.kube.delete(MACHINE, "default", "owner")
        elif owner == "taken away":
            own(driver, "m")
            driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
            orphaned = {"metadata": {"ownerReferences": None}}
            driver.kube.patch(BESKAR7_MACHINE, "default", "m", orphaned)
            driver.kube.delete(BESKAR7_MACHINE, "default", "m")
        else:
            driver.runtime.sleep(5)
            driver.kube.delete(BESKAR7_MACHINE, "default", "m")
        driver.until(lambda: not driver.machines(), "gone", limit=20)
        driver.until(lambda: driver.states() == ["Available"], "released")

    in_world(body, hosts=1, args={"require-owner-machine": "true"})


@pytest.mark.upstream("U1")
@pytest.mark.upstream("U2")
def test_a_provisioned_machine_says_all_that_cluster_api_reads(in_world):
    def body(driver) -> None:
        host = driver.hosts()["host-001"]
        assert host["status"]["ready"], "enrolled and claimable"
        driver.add_machine("m")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        machine, host = driver.machines()["m"], driver.hosts()["host-001"]
        assert machine["spec"]["providerID"] == "b7://default/host-001"
        assert machine["status"]["ready"] is True
        assert machine["status"]["addresses"] == host["status"]["addresses"] != []
        for type in ("Ready", "InfrastructureReady", "PhysicalHostAssociated"):
            assert driver.condition(machine, type)["status"] == "True"
        writes = [r for r in driver.world.bmc_log(0, 0)[0] if r.action]
        driver.runtime.sleep(3600)
        assert [r for r in driver.world.bmc_log(0, 0)[0] if r.action] == writes, "U2, U3"

    in_world(body, hosts=1)


@pytest.mark.upstream("U3")
@pytest.mark.upstream("U36")
def test_a_provisioned_host_stays_so_and_its_media_goes_in_once(in_world):
    def body(driver) -> None:
        driver.add_machine("m")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        for number in range(20):
            patch = {"metadata": {"labels": {"touched": str(number)}}}
            driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
            driver.runtime.sleep(30)
        states = [
            record.object["status"]["state"]
            for record in driver.world.writes(0)[0]
            if record.kind == "PhysicalHost" and record.object and record.object.get("status")
        ]
        assert states[states.index("Provisioned") :].count("Provisioning") == 0
        actions = [r.action for r in driver.world.bmc_log(0, 0)[0]]
        assert actions.count("insert-media") == 1

    in_world(body, hosts=1)


@pytest.mark.upstream("U8")
def test_a_machine_that_lost_its_host_fails_and_takes_no_other(in_world):
    def body(driver) -> None:
        driver.add_machine("m")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        lost = driver.host_of("m")["metadata"]["name"]
        driver.kube.delete(PHYSICAL_HOST, "default", lost)
        driver.kube.patch(PHYSICAL_HOST, "default", lost, {"metadata": {"finalizers": None}})
        driver.until(lambda: driver.phases() == ["Failed"], "failed")
        status = driver.machines()["m"]["status"]
        assert status["failureReason"] == "PhysicalHostLost"
        assert f"b7://default/{lost}" in status["failureMessage"]
        assert driver.states() == ["Available"], "the other host stays free"
        driver.runtime.sleep(120)
        told = [event["count"] for event in driver.events("PhysicalHostLost")]
        assert told == [1], "once, however often it is looked at"
        driver.kube.delete(BESKAR7_MACHINE, "default", "m")
        driver.until(lambda: not driver.machines(), "gone")

    in_world(body, hosts=2)


@pytest.mark.upstream("U8")
@pytest.mark.parametrize(
    ("provider_id", "reason"),
    [
        ("beskar7://default/host-001", "InvalidProviderID"),
        ("b7://default", "InvalidProviderID"),
        ("b7://elsewhere/host-001", "ProviderIDNamespaceMismatch"),
    ],
)
def test_a_provider_id_that_is_none_of_ours_is_refused(in_world, provider_id, reason):
    def body(driver) -> None:
        driver.without_admission()
        driver.add_machine("m", providerID=provider_id)
        driver.until(lambda: driver.phases() == ["Failed"], "failed")
        status = driver.machines()["m"]["status"]
        assert status["failureReason"] == reason
        assert "b7://default/HOST" in status["failureMessage"]

    in_world(body, hosts=1)


@pytest.mark.upstream("U5")
def test_release_powers_off_and_ejects_before_the_host_is_available(in_world):
    def body(driver) -> None:
        driver.add_machine("m")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.kube.delete(BESKAR7_MACHINE, "default", "m")
        driver.until(lambda: driver.states() == ["Available"], "released")
        state = driver.world.fleet.state()["host-001"]
        assert (state["power"], state["media"]) == ("Off", {})

    in_world(body, hosts=1)


@pytest.mark.upstream("U25")
def test_admission_lets_a_host_go_that_is_being_provisioned(in_world):
    """The Secret has lost its username besides: what was accepted once is not judged again."""

    def body(driver) -> None:
        driver.add_machine("m")
        driver.until(lambda: driver.states() == ["Provisioning"], "provisioning")
        name = driver.hosts()["host-001"]["spec"]["redfishConnection"]["credentialsSecretRef"]
        driver.kube.patch(SECRET, "default", name, {"data": {"username": None}})
        assert driver.states() == ["Provisioning"]
        driver.kube.delete(BESKAR7_MACHINE, "default", "m")
        driver.kube.delete(PHYSICAL_HOST, "default", "host-001")
        driver.until(lambda: not driver.machines(), "the machine is gone", limit=60)
        driver.until(lambda: not driver.hosts(), "and its host, too")

    in_world(body, hosts=1)


@pytest.mark.upstream("U7")
def test_a_host_without_an_image_waits_for_one(in_world):
    def body(driver) -> None:
        reference = {
            "apiVersion": "lab/v1",
            "kind": "Other",
            "name": "by-hand",
            "namespace": "default",
            "uid": "u-1",
        }
        patch = {"spec": {"consumerRef": reference}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
        driver.runtime.sleep(3600)
        host = driver.hosts()["host-001"]
        assert host["status"]["state"] == "Claimed"
        assert driver.condition(host, "HostProvisioned")["reason"] == "WaitingForBootInfo"
        patch = {"spec": {"bootIsoSource": "http://images.lab/late.iso"}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
        driver.until(lambda: driver.states() == ["Provisioned"], "provisioned")
        booted = driver.world.fleet.state()["host-001"]["booted"]
        assert booted == "Cd:http://images.lab/late.iso"

    in_world(body, hosts=1)
