"""Deletion in every order, orphans, pauses: nothing stays claimed, nothing hangs for ever."""

from __future__ import annotations

from itertools import permutations

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CAPI_CLUSTER,
    NAMESPACE,
    PHYSICAL_HOST,
    SECRET,
)
from beskar7.api.meta import rfc3339
from beskar7.api.resources import MACHINE_FINALIZER, Beskar7Machine, PhysicalHost
from beskar7.controllers.host import HostReconciler

pytestmark = pytest.mark.sim

PAUSED = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}
THINGS = {
    "host": (PHYSICAL_HOST, "host-001"),
    "machine": (BESKAR7_MACHINE, "machine-001"),
    "secret": (SECRET, "bmc-credentials"),
}


def provision_one(driver) -> None:
    driver.create_machines(1)
    driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")


@pytest.mark.upstream("U17")
@pytest.mark.parametrize("pause", [0.0, 0.3, 20.0], ids=["at-once", "soon", "later"])
@pytest.mark.parametrize("order", list(permutations(THINGS)), ids="-".join)
def test_host_machine_and_secret_go_in_any_order(in_world, order, pause):
    def body(driver) -> None:
        provision_one(driver)
        for name in order:
            kind, object_name = THINGS[name]
            try:
                driver.kube.delete(kind, "default", object_name)
            except NotFound:
                assert name == "host"
            driver.runtime.sleep(pause)
        driver.until(lambda: not driver.hosts() and not driver.machines(), "all gone")
        clean = driver.world.fleet.state()["host-001"]
        told = driver.events("CleanupSkipped")
        assert bool(told) != (clean["power"] == "Off" and not clean["media"]), (clean, told)
        if order.index("secret") == 2 and pause == 20.0:
            assert not told, "there was time, and there were credentials"

    in_world(body, hosts=1)


def test_a_namespace_goes_with_all_that_is_in_it(in_world):
    def body(driver) -> None:
        provision_one(driver)
        driver.kube.delete(NAMESPACE, None, "default")
        driver.until(lambda: not driver.hosts() and not driver.machines(), "empty")

    in_world(body, hosts=2)


@pytest.mark.parametrize("when", [0.5, 2.0, 5.0])
def test_a_host_deleted_while_it_is_provisioned_serves_its_owner_to_the_end(in_world, when):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.runtime.sleep(when)
        driver.kube.delete(PHYSICAL_HOST, "default", "host-001")
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.runtime.sleep(5)
        condition = driver.condition(driver.hosts()["host-001"], "HostProvisioned")
        assert condition["reason"] == "WaitingForConsumerRelease", "persisted (U6)"
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: not driver.hosts(), "gone")
        assert driver.world.fleet.state()["host-001"]["power"] == "Off"

    in_world(body, hosts=1)


def test_a_host_whose_machine_vanished_is_released_and_cleaned(in_world):
    def body(driver) -> None:
        provision_one(driver)
        # Somebody takes the finalizer away: the machine goes without releasing anything.
        for manager in driver.world.managers():
            driver.world.kill_manager("leader" if driver.world._leader() else manager[0])
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        patch = {"metadata": {"finalizers": None}}
        driver.kube.patch(BESKAR7_MACHINE, "default", "machine-001", patch)
        assert not driver.machines()
        driver.world.start_manager()
        driver.until(lambda: driver.states() == ["Available"], "released")
        assert driver.world.fleet.state()["host-001"]["power"] == "Off"

    in_world(body, hosts=1)


def test_a_machine_that_vanishes_under_a_living_manager_releases_its_host_at_once(in_world):
    def body(driver) -> None:
        provision_one(driver)
        patch = PAUSED | {}
        driver.kube.patch(BESKAR7_MACHINE, "default", "machine-001", patch)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.runtime.sleep(30)
        assert driver.states() == ["Provisioned"], "paused: nobody lets go"
        driver.kube.patch(
            BESKAR7_MACHINE, "default", "machine-001", {"metadata": {"finalizers": None}}
        )
        driver.until(lambda: driver.states() == ["Available"], "released", limit=60)

    in_world(body, hosts=1)


def cluster(name: str, **spec: object) -> dict[str, object]:
    return {
        "apiVersion": CAPI_CLUSTER.api_version,
        "kind": "Cluster",
        "metadata": {"name": name, "namespace": "default"},
        "spec": spec,
    }


@pytest.mark.parametrize("how", ["annotation", "spec"])
def test_a_paused_cluster_stops_its_machines_and_only_them(in_world, how):
    def body(driver) -> None:
        paused = cluster("blue", **({"paused": True} if how == "spec" else {}))
        if how == "annotation":
            paused["metadata"] |= {"annotations": {"cluster.x-k8s.io/paused": ""}}
        driver.kube.create(CAPI_CLUSTER, paused)
        driver.runtime.sleep(1)
        for name in ("blue", "green"):
            driver.add_machine(name, labels={"cluster.x-k8s.io/cluster-name": name})
        driver.until(lambda: "Provisioned" in driver.phases(), "the other one")
        driver.runtime.sleep(60)
        assert driver.machines()["green"]["status"]["phase"] == "Provisioned"
        assert not driver.machines()["blue"].get("status")
        resumed = {
            "metadata": {"annotations": {"cluster.x-k8s.io/paused": None}},
            "spec": {"paused": False},
        }
        driver.kube.patch(CAPI_CLUSTER, "default", "blue", resumed)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "resumed", limit=60)

    in_world(body, hosts=2)


@pytest.mark.parametrize("looks", [True, False], ids=["looks", "does-not-look"])
def test_nothing_begins_for_an_owner_that_gives_its_host_back(in_world, monkeypatch, looks):
    """The update that does so takes seconds, and the host is looked at again meanwhile."""
    if not looks:
        monkeypatch.setattr(HostReconciler, "_owner_goes", lambda self, host: False)

    def body(driver) -> None:
        select = {"kinds": ["PhysicalHost"], "verbs": ["update"]}
        slow = {"kind": "delay", "latency": {"distribution": "constant", "mean": 5.0}}
        driver.create_machines(1)
        driver.until(lambda: driver.states() == ["Provisioning"], "claimed")
        driver.world.add_fault({"id": "slow", "target": "api", "select": select} | slow)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.runtime.sleep(1)
        assert driver.owners(), "it is not given back yet"
        before = driver.world.bmc_log(0, 0)[0][-1].seq
        woken = {"metadata": {"labels": {"a": "b"}}}
        driver.kube.patch(SECRET, "default", "bmc-credentials", woken)
        driver.until(lambda: not driver.owners(), "given back")
        asked = [record for record in driver.world.bmc_log(0, 0)[0] if record.seq > before]
        assert (asked == []) is looks

    in_world(body, hosts=1, config={"provisioning.bmcCooldownPeriod": "1s"})


def test_a_claim_that_comes_too_late_is_undone_though_others_keep_the_machine(in_world):
    """Our finalizer is gone already, another one is there."""

    def body(driver) -> None:
        provision_one(driver)
        kept = {"metadata": {"finalizers": ["beskar7.example/backup", MACHINE_FINALIZER]}}
        driver.kube.patch(BESKAR7_MACHINE, "default", "machine-001", kept)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: driver.states() == ["Available"], "cleaned")
        host = PhysicalHost(driver.hosts()["host-001"])
        host.claim(Beskar7Machine(driver.machines()["machine-001"]), rfc3339(driver.runtime.wall()))
        driver.kube.update(PHYSICAL_HOST, host.raw)
        driver.until(lambda: not driver.owners(), "released", limit=10)
        driver.until(lambda: driver.states() == ["Available"], "available", limit=60)

    in_world(body, hosts=1)
