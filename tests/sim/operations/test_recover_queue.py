"""``recover queue`` in virtual time (row 20 of the guide's blocks)."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP
from beskar7.manifests.rights import NAMESPACE
from beskar7.operations import managers, recover
from beskar7.operations.recover import Manner, Outcome, RecoveryRefused

pytestmark = pytest.mark.sim

KEY = "provisioning.maxConcurrentOps"


def gauge(desk: Any, name: str) -> float:
    full = f"beskar7_provisioning_{name}"
    return managers.told(desk.world.cluster(), full).total(full)


def busy(desk: Any, machines: int = 6) -> None:
    """More is wanted than may run at once."""
    desk.create_machines(machines)
    desk.until(lambda: gauge(desk, "queue_processing_count") > 0, "running")
    desk.until(lambda: gauge(desk, "queue_length") > 0, "waiting")


@pytest.mark.parametrize(
    "config", [{KEY: "1"}, {"provisioning.workerCount": "2", KEY: "2", "log.level": "info"}]
)
def test_what_was_there_comes_back(at_desk: Any, config: dict[str, str]) -> None:
    """Row 20: the former value, that key alone, and a wait for what runs, not for what waits."""

    def body(desk: Any) -> None:
        busy(desk)
        drained: list[tuple[float, float]] = []

        def tell(step: Any) -> None:
            if (step.name, step.outcome) == ("drain", "done"):
                assert desk.config() == config | {KEY: "0"}
                drained.append((gauge(desk, "queue_processing_count"), gauge(desk, "queue_length")))

        report = recover.queue(desk.cluster(), Manner(tell=tell))
        assert report.outcome is Outcome.DONE, report
        ((running, waiting),) = drained
        assert running == 0
        assert waiting > 0, "what waits is not lost, and never becomes less while nothing begins"
        assert desk.config() == config
        assert desk.journal() is None
        desk.until(lambda: desk.phases() == ["Provisioned"] * 6, "provisioned")

    at_desk(body, hosts=6, replicas=2, config=config)


def test_a_key_that_was_absent_is_absent_again_and_so_is_the_config_map(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        busy(desk, 8)
        assert recover.queue(desk.cluster(), Manner(force=True)).outcome is Outcome.DONE
        assert desk.config() == {}
        desk.kube.delete(CONFIG_MAP, NAMESPACE, "beskar7-config")
        assert recover.queue(desk.cluster(), Manner(force=True)).outcome is Outcome.DONE
        assert desk.config() is None

    at_desk(body, hosts=8, replicas=1, config={})


def test_a_queue_that_somebody_drained_and_left_goes_on_with_the_number_that_is_said(
    at_desk: Any,
) -> None:
    """What the guide's script leaves behind when it is broken off, or never ends."""

    def body(desk: Any) -> None:
        desk.configure(provisioning__maxConcurrentOps="0")
        desk.create_machines(3)
        desk.until(lambda: gauge(desk, "queue_length") == 3, "waiting")
        with pytest.raises(RecoveryRefused, match="--ops N"):
            recover.queue(desk.cluster())
        report = recover.queue(desk.cluster(), ops=4)
        assert report.found == ["3 operations wait, 0 run, and 0 may run at once"]
        assert report.outcome is Outcome.DONE
        assert desk.config() == {KEY: "4"}
        desk.until(lambda: desk.phases() == ["Provisioned"] * 3, "provisioned")

    at_desk(body, replicas=1)


def test_restarted_managers_are_others_and_nothing_is_lost(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        busy(desk)
        before = desk.pods()
        report = recover.queue(desk.cluster(), restart=True)
        assert report.outcome is Outcome.DONE, report
        assert len(desk.pods()) == 2
        assert not set(before) & set(desk.pods())
        desk.until(lambda: desk.phases() == ["Provisioned"] * 6, "provisioned")

    at_desk(body, hosts=6, replicas=2, config={KEY: "1"})


def test_a_queue_at_rest_is_left_alone(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        assert recover.queue(desk.cluster()).outcome is Outcome.NOTHING_TO_DO
        planned = recover.queue(desk.cluster(), Manner(dry_run=True, force=True), restart=True)
        names = [step.name for step in planned.steps]
        assert names == ["drain", "restart", "resume", "verify"]
        assert desk.written() == []

    at_desk(body, replicas=1)


def test_without_a_manager_it_ends_all_the_same(at_desk: Any) -> None:
    """Row 20: no loop without end."""

    def body(desk: Any) -> None:
        desk.scale(0)
        desk.until(lambda: desk.pods() == [], "stopped")
        began = desk.runtime.now()
        report = recover.queue(desk.cluster(), Manner(force=True))
        assert report.outcome is Outcome.NOT_REACHED
        assert report.steps[0].detail == "no manager leads"
        assert desk.runtime.now() - began < 120
        assert report.left == [f'{KEY} of ConfigMap beskar7-config: it is to be "3"']
        desk.scale(1)
        assert recover.queue(desk.cluster(), Manner(abort=True)).outcome is Outcome.ABORTED
        assert desk.config()[KEY] == "3"

    at_desk(body, replicas=1, config={KEY: "3", "provisioning.operationTimeout": "1m"})


def test_a_config_map_that_the_managers_refuse_is_named(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        desk.configure(provisioning__workerCount="many")
        report = recover.queue(desk.cluster(), Manner(force=True))
        assert report.outcome is Outcome.NOT_REACHED
        assert "refuses ConfigMap beskar7-config" in report.steps[0].detail

    at_desk(body, replicas=1, config={"provisioning.operationTimeout": "1m"})


def test_an_operation_that_hangs_is_not_waited_for_longer_than_it_may_last(at_desk: Any) -> None:
    def body(desk: Any) -> None:
        fault = {"id": "stuck", "kind": "hang", "match": {"methods": ["POST", "PATCH"]}}
        desk.world.add_fault(fault | {"select": {}})
        desk.create_machines(1)
        desk.until(lambda: gauge(desk, "queue_processing_count") > 0, "running")
        began = desk.runtime.now()
        report = recover.queue(desk.cluster())
        assert desk.runtime.now() - began < 60 + 30 + 120
        assert report.steps[0].outcome == "done"

    at_desk(body, hosts=1, replicas=1, config={"provisioning.operationTimeout": "1m"})


@pytest.mark.parametrize("first", [1, 2, 3])
def test_whoever_comes_next_carries_on_wherever_it_was_broken_off(at_desk: Any, first: int) -> None:
    def body(desk: Any) -> None:
        number, broken_off = first, 0
        again = Manner(force=True)
        while desk.dies_at(number, lambda cluster: recover.queue(cluster, again, restart=True)):
            broken_off += 1
            report = recover.queue(desk.cluster(), again)
            assert report.outcome is Outcome.DONE, (number, report)
            assert desk.config() == {KEY: "2"}, number
            assert desk.journal() is None
            number += 3
        assert broken_off >= 2
        assert desk.config() == {KEY: "2"}

    at_desk(body, replicas=1, hosts=1, config={KEY: "2"})
