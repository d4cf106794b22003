"""``recover split-brain`` in virtual time (row 19 of the guide's blocks)."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.errors import ServiceUnavailable
from beskar7.api.kinds import LEASE
from beskar7.claim_term import CLAIM_LEASE
from beskar7.flags import manager_settings
from beskar7.manifests.objects import NAME
from beskar7.manifests.rights import NAMESPACE
from beskar7.manifests.webhooks import webhook_configurations
from beskar7.operations import recover
from beskar7.operations.recover import Manner, Outcome, RecoveryRefused
from beskar7.operations.recover.damage import WEBHOOKS

pytestmark = pytest.mark.sim


def split(desk: Any) -> None:
    """Each of the replicas leads: somebody turned the election off."""
    desk.add_arg("--leader-elect=false")
    desk.until(lambda: len(desk.leaders()) == desk.replicas(), "split")


def whole(desk: Any, replicas: int) -> None:
    assert (desk.replicas(), len(desk.pods())) == (replicas, replicas)
    assert desk.leaders() == [desk.holder()]
    assert desk.journal() is None
    assert not [arg for arg in desk.args() if "leader-elect=false" in arg]


def test_one_leads_again_and_there_are_as_many_as_before(at_desk: Any) -> None:
    """Row 19: the right lease, waits instead of naps, and not three replicas whatever it was."""

    def body(desk: Any) -> None:
        split(desk)
        steps: list[tuple[str, str]] = []
        manner = Manner(tell=lambda step: steps.append((step.name, step.outcome)))
        report = recover.split_brain(desk.cluster(), manner)
        assert report.outcome is Outcome.DONE, report
        assert report.found[0].startswith("2 managers lead at once")
        assert [name for name, outcome in steps if outcome == "done"] == [
            "stop",
            "clear-leases",
            "elect",
            "start-one",
            "scale-back",
            "verify",
        ]
        whole(desk, 2)
        desk.create_machines(2)
        desk.until(lambda: desk.phases() == ["Provisioned"] * 2, "provisioned")

    at_desk(body, replicas=2)


def test_both_leases_are_cleared_and_led_again_and_webhooks_are_thought_of(at_desk: Any) -> None:
    """Row 19: fail-closed webhooks refuse writes while nobody serves them; no step makes any."""

    def body(desk: Any) -> None:
        for configuration in webhook_configurations(NAMESPACE):
            if configuration["kind"] == WEBHOOKS.kind:
                desk.kube.create(WEBHOOKS, configuration)
        desk.until(lambda: desk.holder(CLAIM_LEASE) != "", "claims are led")
        planned = recover.split_brain(desk.cluster(), Manner(dry_run=True, force=True))
        assert "the webhooks refuse" in planned.steps[0].plan
        assert f"delete Lease {NAME} and {CLAIM_LEASE}" in planned.steps[1].plan
        report = recover.split_brain(desk.cluster(), Manner(force=True))
        assert report.outcome is Outcome.DONE, report
        assert desk.holder(CLAIM_LEASE) in desk.pods()
        guarded = {"PhysicalHost", "Beskar7Machine", "Beskar7Cluster", "Beskar7MachineTemplate"}
        assert not [write for write in desk.written() if write.split()[1] in guarded]
        assert f"delete Lease {CLAIM_LEASE}" in desk.written()
        whole(desk, 2)

    at_desk(body, replicas=2, args={"enable-claim-coordinator-leader-election": "true"})


def test_hosts_that_several_managers_worked_on_are_named(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        desk.create_machines(1)
        desk.until(lambda: desk.phases() == ["Provisioned"], "provisioned")
        (before,) = [host for host, machine in desk.owners().items() if machine]
        desk.runtime.sleep(3.0)  # the API tells whole seconds
        split(desk)
        desk.add_machine("late")
        desk.until(lambda: "late" in desk.owners().values(), "claimed")
        (meanwhile,) = [host for host, machine in desk.owners().items() if machine == "late"]
        report = recover.split_brain(desk.cluster())
        (advice,) = [text for text in report.advice if "worked on" in text]
        assert f"default/{meanwhile}" in advice
        assert before not in advice

    at_desk(body, replicas=2)


def test_without_a_split_brain_nothing_is_touched(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        pods = desk.pods()
        assert recover.split_brain(desk.cluster()).outcome is Outcome.NOTHING_TO_DO
        assert recover.split_brain(desk.cluster(), Manner(abort=True)).exit_code == 0
        assert (desk.written(), desk.pods()) == ([], pods)
        split(desk)
        planned = recover.split_brain(desk.cluster(), Manner(dry_run=True))
        assert planned.outcome is Outcome.PLANNED
        assert "from 3 to 0" in planned.steps[0].plan
        declined = recover.split_brain(desk.cluster(), Manner(agree=lambda _: False))
        assert declined.exit_code == 1
        assert desk.written() == []

    at_desk(body)


def test_a_leader_that_has_just_died_is_no_split_brain(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        desk.world.kill_manager("leader")
        assert recover.split_brain(desk.cluster()).outcome is Outcome.NOTHING_TO_DO

    at_desk(body)


def test_a_manager_that_runs_elsewhere_keeps_its_lease(at_desk: Any) -> None:
    """Row 19: a lease goes only if nobody renews it; and what was changed can be restored."""

    def body(desk: Any) -> None:
        desk.scale(0)
        desk.until(lambda: desk.pods() == [], "stopped")
        desk.world._launch("laptop", "laptop", manager_settings("laptop", {}))
        desk.until(lambda: desk.holder() == "laptop", "led from elsewhere")
        desk.scale(2)
        desk.until(lambda: len(desk.pods()) == 2, "started")
        report = recover.split_brain(desk.cluster())
        assert "Lease beskar7-controller-manager is held by laptop" in report.found[0]
        assert report.outcome is Outcome.NOT_REACHED
        (step,) = [step for step in report.steps if step.outcome == "not reached"]
        assert (step.name, step.detail.split(" although")[0]) == (
            "clear-leases",
            "Lease beskar7-controller-manager is renewed by laptop",
        )
        assert desk.holder() == "laptop"
        assert report.left == [f"the replicas of {NAME}: they were 2"]
        assert desk.replicas() == 0
        undone = recover.split_brain(desk.cluster(), Manner(abort=True))
        assert undone.outcome is Outcome.ABORTED
        assert (desk.replicas(), desk.journal()) == (2, None)

    at_desk(body, replicas=2)


@pytest.mark.parametrize("first", [1, 2, 3, 4])
def test_whoever_comes_next_carries_on_wherever_it_was_broken_off(at_desk: Any, first: int) -> None:
    def body(desk: Any) -> None:
        number, broken_off = first, 0
        while True:
            split(desk)
            if not desk.dies_at(number, recover.split_brain):
                break
            broken_off += 1
            report = recover.split_brain(desk.cluster())
            expected = (Outcome.DONE, Outcome.NOTHING_TO_DO)  # all was done but to say so
            assert report.outcome in expected, (number, report)
            whole(desk, 2)
            number += 4
        assert broken_off >= 3
        whole(desk, 2)

    at_desk(body, replicas=2)


def test_what_no_longer_holds_is_done_again(at_desk: Any) -> None:
    """Somebody starts the managers while the operator who stopped them is away."""

    def body(desk: Any) -> None:
        split(desk)
        assert desk.dies_at(4, recover.split_brain)  # as it notes that all are stopped
        assert desk.replicas() == 0
        desk.scale(2)
        desk.until(lambda: len(desk.leaders()) == 2, "started by somebody")
        report = recover.split_brain(desk.cluster())
        assert report.outcome is Outcome.DONE, report
        assert (report.steps[0].name, report.steps[0].outcome) == ("stop", "done")
        whole(desk, 2)

    at_desk(body, replicas=2)


def test_who_is_overtaken_stops(at_desk: Any) -> None:
    """Two operators at once: the second carries on, the first finds its journal signed."""

    def body(desk: Any) -> None:
        split(desk)
        reports: list[Any] = []
        process = desk.process()
        slow = desk.cluster(process)
        task = process.spawn(lambda: reports.append(recover.split_brain(slow)), name="first")
        desk.until(lambda: desk.journal() is not None, "begun")
        desk.runtime.sleep(1.0)
        second = recover.split_brain(desk.cluster())
        assert "broken off in step" in second.found[0]
        assert second.outcome is Outcome.DONE
        task.join()
        assert reports[0].outcome is Outcome.NOT_REACHED
        assert "somebody else" in reports[0].advice[-1]
        whole(desk, 2)

    at_desk(body, replicas=2)


def test_an_api_server_that_fails_in_the_middle_is_waited_for(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        split(desk)
        fails_from = desk.runtime.now() + 3.0

        def before(verb: str, kind: Any, namespace: str, name: str) -> None:
            if fails_from < desk.runtime.now() < fails_from + 20.0:
                raise ServiceUnavailable("the server is currently unable to handle the request")

        report = recover.split_brain(desk.cluster(before=before))
        assert report.outcome is Outcome.DONE, report
        whole(desk, 2)

    at_desk(body, replicas=2)


def test_an_api_server_that_stays_away_ends_it_and_it_can_be_carried_on(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        split(desk)
        fails_from = desk.runtime.now() + 1.0

        def before(verb: str, kind: Any, namespace: str, name: str) -> None:
            if desk.runtime.now() > fails_from:
                raise ServiceUnavailable("the server is currently unable to handle the request")

        report = recover.split_brain(desk.cluster(before=before))
        assert report.outcome is Outcome.NOT_REACHED
        assert report.left[0] == f"the replicas of {NAME}: they were 2"
        assert "run `beskar7 recover split-brain` again" in report.advice[-1]
        assert desk.runtime.now() - fails_from < 300
        assert recover.split_brain(desk.cluster()).outcome is Outcome.DONE
        whole(desk, 2)

    at_desk(body, replicas=2)


def test_it_is_refused_where_nothing_could_be_restored(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        desk.scale(0)
        desk.until(lambda: desk.pods() == [], "stopped")
        with pytest.raises(RecoveryRefused, match="no replicas"):
            recover.split_brain(desk.cluster(), Manner(force=True))
        desk.scale(1)
        desk.until(lambda: len(desk.leaders()) == 1, "led")
        desk.configure(provisioning__maxConcurrentOps="0")
        with pytest.raises(RecoveryRefused, match="--ops N"):
            recover.queue(desk.cluster())
        desk.kube.patch(LEASE, NAMESPACE, NAME, {"metadata": {"labels": {"a": "b"}}})
        assert desk.written() == []

    at_desk(body, replicas=1)
