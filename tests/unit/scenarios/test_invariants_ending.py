"""terminal and no-orphans: worlds at rest, and worlds that are not."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.engine.evidence import FaultWindow, ends
from scenarios.engine.invariants import Rules, judge
from scenarios.engine.invariants.ending import no_orphans, terminal

pytestmark = pytest.mark.unit
RULES = Rules()


def fault(kind: str = "hang") -> dict[str, Any]:
    return {"id": "f", "kind": kind, "start": 0.0, "duration": None, "select": {}}


def test_provisioned_and_waiting_machines_are_at_rest(logs: Any) -> None:
    logs.claimed()
    logs.host(2.0, "h1", state="Provisioned")
    logs.machine(2.0, "m1", phase="Provisioned")
    logs.machine(3.0, "m2")
    judged = terminal(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 3


def test_a_host_that_was_let_go_is_not_before_it_is_clean(logs: Any) -> None:
    """Between a release and what follows from it a host is Provisioned, and nobody's."""
    logs.claimed()
    logs.host(2.0, "h1", state="Provisioned", owner="")
    logs.machine_gone(2.0, "m1")
    (violation,) = terminal(logs.evidence(), RULES).violations
    assert "still Provisioned and nobody's" in violation.detail


def test_a_machine_that_waits_though_a_host_is_free_is_not(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    logs.machine(1.0, "m1")
    (violation,) = terminal(logs.evidence(), RULES).violations
    assert violation.machine == "m1"
    assert "1 are free (h1)" in violation.detail


def test_a_stuck_host_and_its_machine_are_both_named(logs: Any) -> None:
    logs.claimed()
    violations = terminal(logs.evidence(ended=50.0), RULES).violations
    assert [(v.host, v.machine, v.time) for v in violations] == [("h1", "m1", 50.0)] * 2
    assert "still Provisioning" in violations[0].detail


def test_an_error_is_excused_only_while_a_fault_blocks_its_bmc(logs: Any) -> None:
    logs.claimed()
    logs.host(2.0, "h1", state="Error")
    assert len(terminal(logs.evidence(), RULES).violations) == 2
    logs.faults = [FaultWindow(fault(), 0.0, None)]
    assert len(terminal(logs.evidence(), RULES).violations) == 2, "it never hit this host"
    logs.request("h1", 2.0, 3.0, status=0, fault="f", performed=False)
    assert terminal(logs.evidence(), RULES).violations == []
    logs.faults = [FaultWindow(fault(), 0.0, 60.0)]
    assert len(terminal(logs.evidence(), RULES).violations) == 2, "it is over"
    logs.faults = [FaultWindow(fault("latency"), 0.0, None)]
    assert len(terminal(logs.evidence(), RULES).violations) == 2, "a slow BMC still works"


def test_it_is_not_judged_before_the_faults_are_over(logs: Any) -> None:
    logs.claimed()
    logs.faults = [FaultWindow(fault(), 0.0, 200.0)]
    verdict = {result.name: result for result in judge(logs.evidence(100.0), RULES)}["terminal"]
    assert verdict.verdict == "inconclusive"
    assert "before its faults" in verdict.reason


def test_a_broken_off_run_has_no_end_to_judge(logs: Any) -> None:
    logs.claimed()
    evidence = logs.evidence()
    evidence.ending = "interrupted"
    verdicts = {result.name: result.verdict for result in judge(evidence, RULES)}
    assert verdicts["terminal"] == verdicts["no-orphans"] == "inconclusive"
    assert verdicts["single-owner"] == "held"


def test_a_host_may_belong_to_a_machine_that_is_being_deleted(logs: Any) -> None:
    logs.claimed()
    logs.machine(2.0, "m1", deleting=True)
    judged = no_orphans(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 1


def test_a_host_of_a_machine_that_is_gone_is_an_orphan(logs: Any) -> None:
    logs.claimed()
    logs.machine_gone(2.0, "m1")
    (violation,) = no_orphans(logs.evidence(), RULES).violations
    assert (violation.host, violation.machine) == ("h1", "m1")
    assert "m1, which is gone" in violation.detail


def test_a_machine_that_nobody_ever_saw_owns_nothing_rightfully(logs: Any) -> None:
    logs.host(0.0, "h1", state="Provisioned", owner="ghost")
    assert [v.machine for v in no_orphans(logs.evidence(), RULES).violations] == ["uid-ghost"]


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ({"duration": None}, None),
        ({"duration": 5.0}, 15.0),
        ({"duration": 5.0, "every": 20.0, "times": None}, None),
        ({"duration": 5.0, "every": 20.0, "times": 3}, 55.0),
    ],
)
def test_a_fault_that_comes_again_ends_with_its_last_time(
    fault: dict[str, Any], end: float | None
) -> None:
    assert ends(fault, 10.0) == end


def test_a_symptom_and_an_event_say_whom_a_fault_hit(logs: Any) -> None:
    bug = {"id": "bug", "kind": "firmware-bug", "symptoms": [{"kind": "html"}]}
    slow = {"id": "slow", "kind": "bandwidth"}
    dark = {"id": "dark", "kind": "power-loss"}
    logs.faults = [FaultWindow(fault, 0.0, None) for fault in (bug, slow, dark)]
    logs.request("h1", 1.0, 2.0, "", fault="bug#1")
    logs.request("h2", 1.0, 2.0, "", fault="slow")
    logs.event("h3", 1.0, "power-off", fault="dark")
    assert logs.evidence().blocked_hosts(5.0) == {"h1", "h3"}
