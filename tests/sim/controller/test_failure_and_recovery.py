"""BMCs that fail and come back, managers that die or are cut off, hosts that are deleted."""

from __future__ import annotations

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST, SECRET

pytestmark = pytest.mark.sim


@pytest.mark.upstream("U4")
def test_a_bmc_that_fails_and_comes_back_heals_its_host_and_its_machine(in_world):
    def body(driver) -> None:
        driver.world.add_fault({"id": "down", "kind": "error", "status": 500, "select": {}})
        driver.create_machines(1)
        driver.until(lambda: driver.states() == ["Error"], "in Error")
        (host,) = driver.hosts().values()
        assert "HTTP 500" in host["status"]["errorMessage"]
        assert driver.events("ProvisioningFailed")
        (machine,) = driver.machines().values()
        assert machine["status"]["phase"] == "Provisioning"
        driver.runtime.sleep(1800)
        assert driver.states() == ["Error"], "half an hour of outage is not for good (U4)"
        driver.world.clear_faults("down")
        driver.until(lambda: driver.phases() == ["Provisioned"], "healed", limit=120)
        (host,) = driver.hosts().values()
        assert "errorMessage" not in host["status"]

    in_world(body, hosts=1)


def test_a_hanging_bmc_does_not_delay_the_others(in_world):
    def body(driver) -> None:
        driver.world.add_fault({"id": "stuck", "kind": "hang", "select": {"hosts": ["host-001"]}})
        driver.create_machines(4)
        took = driver.until(lambda: driver.phases().count("Provisioned") == 3, "three provisioned")
        assert took < 60
        driver.world.clear_faults("stuck")
        driver.until(lambda: driver.phases() == ["Provisioned"] * 4, "all four")

    in_world(body)


@pytest.mark.upstream("U21")
@pytest.mark.parametrize("seed", range(6))
def test_a_leader_killed_at_any_time_leaves_nothing_undone_or_doubled(in_world, seed):
    def body(driver) -> None:
        driver.create_machines(4)
        driver.runtime.sleep(driver.runtime.rng("when").uniform(0.0, 8.0))
        driver.world.kill_manager("leader")
        driver.until(lambda: driver.phases() == ["Provisioned"] * 4, "taken over")
        owners = [host["spec"]["consumerRef"]["uid"] for host in driver.hosts().values()]
        assert len(set(owners)) == 4

    in_world(body, managers=2, seed=seed)


def test_a_leader_that_is_cut_off_from_the_api_stops_touching_bmcs(in_world):
    def body(driver) -> None:
        leader = driver.world._leader()
        _, manager = driver.world._managers[leader]

        def partition(verb, kind, namespace, name):
            raise ServiceUnavailable("cut off")

        manager._kube.before = partition
        cut = driver.runtime.now()
        driver.create_machines(3)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 3, "the other one led")
        late = [
            record
            for record in driver.world.bmc_log(0, 0)[0]
            if record.action and record.agent.endswith(leader) and record.start > cut + 10.0
        ]
        assert late == [], "after its renew deadline a leader without the API must not act"

    in_world(body, managers=2)


def test_a_host_deleted_while_owned_waits_for_its_owner_and_is_cleaned(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        (name,) = driver.hosts()
        driver.kube.delete(PHYSICAL_HOST, "default", name)
        driver.runtime.sleep(60)
        (host,) = driver.hosts().values()
        assert host["metadata"]["deletionTimestamp"]
        assert host["spec"]["consumerRef"]["name"] == "machine-001"
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(lambda: not driver.hosts(), "gone")
        state = driver.world.fleet.state()[name]
        assert state["power"] == "Off"
        assert not state["media"]

    in_world(body, hosts=1)


def test_a_paused_host_is_left_alone(in_world):
    def body(driver) -> None:
        patch = {"metadata": {"annotations": {"cluster.x-k8s.io/paused": "true"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
        driver.runtime.sleep(1)
        driver.create_machines(1)
        driver.runtime.sleep(120)
        assert driver.states() == ["Available"]
        assert driver.phases() == ["Pending"]
        patch["metadata"]["annotations"]["cluster.x-k8s.io/paused"] = None
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", patch)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned once unpaused")

    in_world(body, hosts=1)


def test_an_idle_world_writes_nothing_but_leases(in_world):
    def body(driver) -> None:
        driver.create_machines(2)
        driver.until(lambda: driver.phases() == ["Provisioned"] * 2, "provisioned")
        driver.runtime.sleep(60)
        before, _ = driver.world.writes(0)
        requests, _ = driver.world.bmc_log(0, 0)
        driver.runtime.sleep(3600)
        after, _ = driver.world.writes(before[-1].seq)
        assert {record.kind for record in after} == {"Lease"}
        assert len(driver.world.bmc_log(0, 0)[0]) == len(requests)

    in_world(body)


@pytest.mark.upstream("U20")
def test_a_host_that_becomes_free_wakes_the_machine_that_waits_longest(in_world):
    def body(driver) -> None:
        driver.create_machines(1)
        driver.until(lambda: driver.phases() == ["Provisioned"], "provisioned")
        driver.create_machines(1, start=2)
        driver.runtime.sleep(1)
        driver.create_machines(1, start=3)
        driver.runtime.sleep(1)
        driver.kube.delete(BESKAR7_MACHINE, "default", "machine-001")
        driver.until(
            lambda: "hostRef" in driver.machines()["machine-002"].get("status", {}), "claimed"
        )
        hosts = [r for r in driver.world.writes(0)[0] if r.kind == "PhysicalHost" and r.object]
        freed = max(
            r.time
            for r in hosts
            if r.verb == "update_status" and r.object["status"].get("state") == "Available"
        )
        (claimed,) = {
            r.time
            for r in hosts
            if r.verb == "update"
            and r.object["spec"].get("consumerRef", {}).get("name") == "machine-002"
        }
        assert 0 < claimed - freed < 0.5, "woken, not found by the next look after a minute"
        assert driver.machines()["machine-003"]["status"]["phase"] == "Pending"

    in_world(body, hosts=1)


def test_who_missed_a_change_looks_after_the_conflict_and_not_at_the_next_list(in_world):
    """That would be ten minutes later."""

    def body(driver) -> None:
        deaf = {"kind": "lose-event", "select": {"kinds": ["PhysicalHost"]}}
        driver.world.add_fault({"id": "deaf", "target": "api"} | deaf)
        changed = {"metadata": {"labels": {"example.com/changed": "unseen"}}}
        driver.kube.patch(PHYSICAL_HOST, "default", "host-001", changed)
        driver.runtime.sleep(1)
        credentials = driver.kube.patch(SECRET, "default", "bmc-credentials", changed)
        version = credentials["metadata"]["resourceVersion"]

        def proven() -> bool:
            (host,) = driver.hosts().values()
            return host["status"]["goodCredentials"]["secretVersion"] == version

        driver.until(proven, "asked with the new Secret", limit=30)

    in_world(body, hosts=1)
