"""``recover hosts`` in virtual time (row 21 of the guide's blocks)."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, NAMESPACE, PHYSICAL_HOST, SECRET
from beskar7.api.resources import PAUSED_ANNOTATION, RETRY_ANNOTATION
from beskar7.operations import recover
from beskar7.operations.recover import Manner, Outcome, RecoveryRefused

pytestmark = pytest.mark.sim

SLOW = {
    "bmc.retryDelay": "30s",
    "hostSelection.maxBackoffDelay": "5m",
    "provisioning.retryAttempts": "0",
}
"""The first failure is Error, and whoever is not asked tries again half a minute later."""


def break_bmc(desk: Any, *hosts: str, status: int = 500) -> None:
    """Their BMCs fail until the fault ``bmc`` is cleared; their machines wait for them."""
    select = {"hosts": list(hosts)}
    desk.world.add_fault({"id": "bmc", "kind": "error", "status": status, "select": select})
    count = len(desk.states())
    desk.create_machines(count)
    desk.until(lambda: desk.states().count("Error") == len(hosts), "in Error", 900)
    well = count - len(hosts)
    desk.until(lambda: desk.phases().count("Provisioned") == well, "the others", 900)


def outcomes(report: Any) -> dict[str, str]:
    return {each["host"]: each["outcome"] for each in report.subjects}


def test_hosts_in_error_are_of_use_again_and_their_owners_keep_them(at_desk: Any) -> None:
    """Row 21: the state changes, the owner stays, and success is told of what succeeded."""

    def body(desk: Any) -> None:
        break_bmc(desk, "host-001", "host-002")
        owner = desk.host("host-001")["spec"]["consumerRef"]["uid"]
        desk.world.clear_faults("bmc")
        desk.runtime.sleep(1.0)
        began = desk.runtime.now()
        report = recover.hosts(desk.cluster())
        assert report.outcome is Outcome.DONE, report
        assert len(report.found) == 2
        assert "HTTP 500" in report.found[0]
        assert outcomes(report) == {
            "default/host-001": "recovered",
            "default/host-002": "recovered",
        }
        assert desk.runtime.now() - began < 60
        assert desk.host("host-001")["spec"]["consumerRef"]["uid"] == owner
        assert desk.phases() == ["Provisioned"] * 3
        assert recover.hosts(desk.cluster()).outcome is Outcome.NOTHING_TO_DO

    at_desk(body, replicas=1, config=SLOW)


def test_a_host_that_fails_again_is_told_as_one_that_failed(at_desk: Any) -> None:
    """Row 21: errors are not hidden behind a word of success."""

    def body(desk: Any) -> None:
        break_bmc(desk, "host-001")
        report = recover.hosts(desk.cluster())
        assert (report.outcome, report.exit_code) == (Outcome.NOT_REACHED, 1)
        (subject,) = report.subjects
        assert subject["outcome"] == "failed again"
        assert "HTTP 500" in subject["now"]
        assert RETRY_ANNOTATION not in desk.host("host-001")["metadata"]["annotations"]
        assert desk.journal() is None

    at_desk(body, replicas=1, config=SLOW)


def test_a_host_whose_owner_is_gone_is_cleaned_before_anybody_gets_it(at_desk: Any) -> None:
    """Row 21: its owner is not just struck out."""

    def body(desk: Any) -> None:
        desk.create_machines(3)
        desk.until(lambda: desk.phases() == ["Provisioned"] * 3, "provisioned")
        owner = desk.host("host-001")["spec"]["consumerRef"]["name"]
        desk.scale(0)
        desk.until(lambda: desk.pods() == [], "stopped")
        patch = {"metadata": {"finalizers": None}}
        desk.kube.patch(BESKAR7_MACHINE, "default", owner, patch)
        desk.kube.delete(BESKAR7_MACHINE, "default", owner)
        process = desk.process()
        reports: list[Any] = []
        cluster = desk.cluster(process)
        task = process.spawn(lambda: reports.append(recover.hosts(cluster)), name="hosts")
        desk.until(lambda: desk.journal() is not None, "begun")
        desk.scale(1)
        task.join()
        (report,) = reports
        assert "is gone" in report.found[0]
        assert report.outcome is Outcome.DONE, report
        assert outcomes(report) == {"default/host-001": "recovered"}
        host = desk.host("host-001")
        assert "consumerRef" not in host["spec"]
        assert host["status"]["state"] == "Available"
        assert host["status"]["observedPowerState"] == "Off"
        actions = [each.action for each in desk.world.bmc_log(0, 0)[0] if each.host == "host-001"]
        assert [action for action in actions if action][-2:] == ["reset:ForceOff", "eject-media"]

    at_desk(body, replicas=1)


def test_what_needs_hands_says_so_and_is_left_alone(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        break_bmc(desk, "host-001", "host-002", "host-003", status=401)
        paused = {"metadata": {"annotations": {PAUSED_ANNOTATION: "true"}}}
        desk.kube.patch(PHYSICAL_HOST, "default", "host-002", paused)
        before = len(desk.world.bmc_log(0, 0)[0])
        report = recover.hosts(desk.cluster())
        assert report.exit_code == 1
        assert set(outcomes(report).values()) == {"needs hands"}
        whys = {each["host"]: each["why"] for each in report.subjects}
        assert "tried as soon as its Secret changes" in whys["default/host-001"]
        assert "paused" in whys["default/host-002"]
        assert len(desk.world.bmc_log(0, 0)[0]) == before, "a BMC may lock an account"
        # Who names a host takes that upon himself.
        desk.world.clear_faults("bmc")
        report = recover.hosts(desk.cluster(), ["default/host-001"])
        assert outcomes(report) == {"default/host-001": "recovered"}

    at_desk(body, replicas=1, config=SLOW)


def test_without_credentials_there_is_nothing_to_try(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        break_bmc(desk, "host-001")
        secret = desk.host("host-001")["spec"]["redfishConnection"]["credentialsSecretRef"]
        desk.kube.delete(SECRET, "default", secret)
        trouble = "SecretNotFound"
        desk.until(lambda: trouble in str(desk.host("host-001")["status"]), "noticed", 900)
        report = recover.hosts(desk.cluster())
        assert outcomes(report)["default/host-001"] == "needs hands"
        assert "does not exist" in report.found[0]

    at_desk(body, replicas=1)


def test_names_are_checked_before_anything_is_done(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        with pytest.raises(RecoveryRefused, match="no PhysicalHost host-9"):
            recover.hosts(desk.cluster(), ["host-9"])
        desk.kube.create(NAMESPACE, {"metadata": {"name": "other"}})
        twin = desk.host("host-001")
        twin["metadata"] = {"name": "host-001", "namespace": "other"}
        desk.kube.create(PHYSICAL_HOST, twin)
        with pytest.raises(RecoveryRefused, match="default/host-001, other/host-001"):
            recover.hosts(desk.cluster(), ["host-001"])
        report = recover.hosts(desk.cluster(), ["default/host-001"])
        assert (report.exit_code, outcomes(report)) == (0, {"default/host-001": "nothing to do"})
        assert [write for write in desk.written() if "PhysicalHost" in write] == []

    at_desk(body, replicas=1)


def test_what_is_asked_of_a_controller_that_is_away_can_be_taken_back(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        break_bmc(desk, "host-001")
        desk.dies_at(3, recover.hosts)  # with its mark on the host
        desk.scale(0)
        assert desk.journal() is not None
        undone = recover.hosts(desk.cluster(), (), Manner(abort=True))
        assert undone.outcome is Outcome.ABORTED
        assert RETRY_ANNOTATION not in desk.host("host-001")["metadata"]["annotations"]
        assert desk.journal() is None

    at_desk(body, replicas=1, config=SLOW)


def test_whoever_comes_next_carries_on_wherever_it_was_broken_off(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        break_bmc(desk, "host-001")
        number = 1
        while desk.dies_at(number, recover.hosts):
            desk.world.clear_faults("bmc")
            report = recover.hosts(desk.cluster())
            if report.exit_code:  # the controller had been asked, and failed, before the death
                assert outcomes(report) == {"default/host-001": "failed again"}
                report = recover.hosts(desk.cluster())
            assert report.exit_code == 0, (number, report)
            assert desk.journal() is None, number
            desk.until(lambda: desk.states() == ["Provisioned"], "recovered", 60)
            break_again(desk)
            number += 1
        assert number > 4

    at_desk(body, hosts=1, replicas=1, config=SLOW)


def break_again(desk: Any) -> None:
    """The owner of host-001 goes, and the next one finds its BMC broken."""
    name = desk.host("host-001")["spec"]["consumerRef"]["name"]
    desk.kube.delete(BESKAR7_MACHINE, "default", name)
    desk.until(lambda: "Available" in desk.states(), "released")
    select = {"hosts": ["host-001"]}
    desk.world.add_fault({"id": "bmc", "kind": "error", "status": 500, "select": select})
    desk.add_machine(name)
    desk.until(lambda: "Error" in desk.states(), "broken again", 900)
