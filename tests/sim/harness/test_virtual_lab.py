"""A lab in virtual time, as tests use it; and one seed is one run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from beskar7.api.errors import NotFound
from beskar7.api.kinds import BESKAR7_MACHINE, CONFIG_MAP, PHYSICAL_HOST
from beskar7.api.problems import DocumentError
from beskar7_harness.errors import LabError, NotReached, PromiseBroken
from beskar7_harness.lab import Lab, open_lab

pytestmark = pytest.mark.sim


@pytest.fixture
def small() -> Iterator[Lab]:
    with open_lab(hosts=3, managers=2, clock="virtual", seed=3) as lab:
        yield lab


def test_machines_are_provisioned_and_given_back(small: Lab) -> None:
    machine = small.create_machine()
    began = small.now()
    waited = small.wait_until(machine.claimed, machine.provisioned, timeout=30)
    assert 0 < waited == small.now() - began
    host = machine.host
    assert host is not None
    assert (host.state, host.power, host.consumer) == ("Provisioned", "On", machine.name)
    assert small.holds(machine.provisioned)
    assert not small.holds(host.available)
    machine.delete()
    small.wait_until(machine.gone, host.available, timeout=30)
    assert host.power == "Off"
    assert not machine.exists()
    with pytest.raises(NotFound):
        machine.object()
    small.judge()


def test_the_machines_own_word_is_at_hand(small: Lab) -> None:
    machine = small.create_machine()
    small.wait_until(machine.provisioned)
    host = machine.host
    assert host is not None
    assert {"set-boot", "insert-media"} <= {r.action for r in small.fleet.requests(host.name)}
    assert "boot-finished" in [event.type for event in small.fleet.events(host.name)]
    others = [other for other in small.hosts() if other != host]
    assert not any(small.fleet.events(other.name) for other in others)


def test_a_function_is_asked_whenever_something_changed(small: Lab) -> None:
    machines = small.create_machines(3)
    asked = []

    def two_are_there() -> bool:
        asked.append(small.now())
        return sum(machine.phase == "Provisioned" for machine in machines) >= 2

    small.wait_until(two_are_there, timeout=30)
    assert 2 < len(asked) < 100


def test_a_wait_in_vain_says_how_things_stand(small: Lab) -> None:
    machines = small.create_machines(4)
    with pytest.raises(NotReached) as raised:
        small.wait_until(*(machine.provisioned for machine in machines), timeout=40)
    lost = raised.value.machines
    assert len(lost) == 1
    said = str(raised.value)
    assert said.startswith("after 40s: not: machine-")
    assert f"{lost[0]} is Provisioned: it is" in said
    assert "WaitingForPhysicalHost" in said
    told = small.timeline(machine=lost[0])
    assert f"create Beskar7Machine {lost[0]}" in told
    assert "hosts: 3 Provisioned" in small.situation()


def test_a_function_in_vain_is_named(small: Lab) -> None:
    def never() -> bool:
        return False

    with pytest.raises(NotReached, match=r"not: never\(\) of line \d+ is true"):
        small.wait_until(never, timeout=1)


def test_a_condition_is_no_truth(small: Lab) -> None:
    with pytest.raises(TypeError, match=r"lab\.wait_until\(it\) waits for it"):
        assert small.machine("machine-001").provisioned
    with pytest.raises(TypeError, match=r"takes conditions such as"):
        small.wait_until("provisioned")  # type: ignore[arg-type] # the mistake
    with pytest.raises(LabError, match="from 1 to 10000 machines, not 0"):
        small.create_machines(0)
    with pytest.raises(LabError, match="has no server"):
        assert small.kubeconfig


def test_faults_come_and_go(small: Lab) -> None:
    assert small.managers.leader() in small.managers.names()
    with small.faults.during("hang", hosts="host-*") as fault:
        machine = small.create_machine()
        small.wait_until(machine.claimed)
        with small.faults.during("error", hosts=machine.host, status=503) as other:
            assert small.faults.ids() == [fault, other]
        assert small.faults.ids() == [fault]
        with pytest.raises(NotReached):
            small.wait_until(machine.provisioned, timeout=15)
    assert small.faults.ids() == []
    small.wait_until(machine.provisioned, timeout=300)


def test_a_fault_that_cannot_be_is_told_by_its_fields(small: Lab) -> None:
    with pytest.raises(DocumentError) as raised:
        small.faults.add("hnag", hosts="host-001", duration="soon")
    said = str(raised.value).splitlines()
    assert any("kind" in line and 'did you mean "hang"?' in line for line in said)
    assert any(line.startswith("faults.add: duration: ") for line in said)
    with pytest.raises(DocumentError, match="not JSON serializable"):
        small.faults.add("hang", select={"hosts": {"host-001"}})


def test_managers_are_killed_started_and_counted(small: Lab) -> None:
    leader = small.managers.leader()
    assert small.managers.kill() == leader
    assert leader not in small.managers.names()
    small.wait_until(lambda: small.managers.leader() not in ("", leader), timeout=60)
    assert len(small.managers.scale(3)) == 3
    heir = small.managers.leader()
    assert small.managers.scale(1) == [heir]
    assert list(small.managers.metrics()) == [heir]
    new = small.managers.restart()
    assert small.managers.names() == [new]
    with pytest.raises(LabError, match="no living manager is a manager-9"):
        small.managers.kill("manager-9")
    with pytest.raises(LabError, match="from 0 to 50 managers, not -1"):
        small.managers.scale(-1)


def test_the_configuration_is_followed(small: Lab) -> None:
    small.configure({"provisioning.workerCount": "2"})
    found = small.kube.get(CONFIG_MAP, "beskar7-system", "beskar7-config")
    assert found["data"]["provisioning.workerCount"] == "2"
    assert found["data"]["provisioning.bmcCooldownPeriod"] == "1s"


def test_the_api_is_used_from_outside_of_the_world(small: Lab) -> None:
    listed = small.kube.list(PHYSICAL_HOST, small.namespace)
    assert len(listed.items) == 3
    watch = small.kube.watch(
        BESKAR7_MACHINE, small.namespace, resource_version=listed.resource_version, timeout=5
    )
    small.create_machine()
    began = small.now()
    assert next(iter(watch)).object["metadata"]["name"] == "machine-001"
    # Time has passed in the world by the event's way only.
    assert small.now() - began < 0.1
    watch.close()  # type: ignore[attr-defined] # the port promises an iterator
    before = small.now()
    small.sleep(60)
    assert small.now() == before + 60


def test_an_invariant_that_broke_is_told(small: Lab) -> None:
    small.judge()
    mark = small.mark()
    host = small.kube.get(PHYSICAL_HOST, small.namespace, "host-002")
    host["status"]["state"] = "Provisioned"
    small.kube.update_status(PHYSICAL_HOST, host)
    with pytest.raises(PromiseBroken, match="legal-state-edges was violated on host-002") as raised:
        small.judge(mark)
    assert raised.value.hosts == ("host-002",)
    small.sleep(5)
    small.judge(small.mark())


def test_a_reset_gives_all_back(small: Lab) -> None:
    small.wait_until(*(m.provisioned for m in small.create_machines(3)))
    small.faults.add("latency", latency={"mean": "10ms"})
    small.managers.scale(3)
    small.reset()
    assert (small.machines(), small.faults.ids(), len(small.managers.names())) == ([], [], 2)
    assert all(small.holds(host.available) for host in small.hosts())


def played(seed: int) -> tuple[str | None, float]:
    with open_lab(hosts=3, managers=2, clock="virtual", seed=seed) as lab:
        lab.faults.add("error", hosts="host-001", status=503, probability=0.1)
        machines = lab.create_machines(3)
        lab.managers.kill()
        lab.wait_until(*(machine.provisioned for machine in machines), timeout=300)
        return lab.trace_hash, lab.now()


def test_one_seed_is_one_run_and_another_is_another() -> None:
    first = played(5)
    assert played(5) == first
    assert played(6)[0] != first[0]
