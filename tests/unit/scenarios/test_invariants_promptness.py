"""claimed-promptly, never-idle, released-first, no-blind-reset and write-limit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.bmc import write_limit
from scenarios.engine.invariants.calm import calm_spans
from scenarios.engine.invariants.ending import released_first
from scenarios.engine.invariants.promptness import claimed_promptly, never_idle, oldest_first
from scenarios.engine.invariants.states import no_blind_reset

pytestmark = pytest.mark.unit
RULES = Rules()
BOOT = "Cd:http://images.example/kairos.iso"


def test_a_machine_beside_a_free_host_is_served_soon(logs: Any) -> None:
    logs.claimed(at=15.0)
    assert claimed_promptly(logs.evidence(), RULES).violations == []


def test_a_machine_that_waits_beside_a_free_host_is_not(logs: Any) -> None:
    logs.claimed(at=60.0)
    (violation,) = claimed_promptly(logs.evidence(), RULES).violations
    assert (violation.host, violation.machine) == ("h1", "m1")
    assert "waited 60.0 s" in violation.detail


def test_while_managers_or_the_api_are_disturbed_nobody_is_held_to_it(logs: Any) -> None:
    logs.claimed(at=60.0)
    logs.incidents.append(Incident(15.0, "kill-manager", "a"))
    assert claimed_promptly(logs.evidence(), RULES).violations == []
    logs.incidents.clear()
    logs.faults.append(FaultWindow({"id": "f", "kind": "error", "target": "api"}, 1.0, 2.0))
    assert claimed_promptly(logs.evidence(), RULES).violations == []
    logs.faults[:] = [FaultWindow({"id": "f", "kind": "error", "target": "api"}, -100.0, -90.0)]
    (violation,) = claimed_promptly(logs.evidence(), RULES).violations  # calm again since -25
    assert "waited 60.0 s" in violation.detail


def test_a_manager_that_begins_or_ends_as_a_pod_is_a_disturbance(logs: Any) -> None:
    logs.claimed(at=60.0)
    logs.pod(-5.0, "manager-a", {"running": {}})
    assert len(claimed_promptly(logs.evidence(), RULES).violations) == 1
    logs.pod(15.0, "manager-a", {"terminated": {"exitCode": 0}})
    assert claimed_promptly(logs.evidence(), RULES).violations == []


@pytest.mark.parametrize(
    ("kind", "end", "calm_from"),
    [("error", 10.0, 75.0), ("lose-event", 10.0, 675.0), ("error", None, None)],
)
def test_calm_returns_once_backoffs_and_lists_are_over(
    logs: Any, kind: str, end: float | None, calm_from: float | None
) -> None:
    logs.claimed()
    logs.faults.append(FaultWindow({"id": "f", "kind": kind, "target": "api"}, 0.0, end))
    after = [] if calm_from is None else [(calm_from, math.inf)]
    assert calm_spans(logs.evidence()) == [(-math.inf, 0.0), *after]


def test_a_queue_that_is_drained_is_no_calm(logs: Any) -> None:
    logs.claimed()
    for time, limit in ((100.0, "0"), (200.0, "5")):
        logs.configured(time, {"provisioning.maxConcurrentOps": limit})
    spans = calm_spans(logs.evidence())
    assert spans == [(-math.inf, 100.0), (245.0, math.inf)]


def waiting(logs: Any, *served: str) -> Any:
    """Machines m1 (older) and m2 wait for the one host, which serves these in turn."""
    logs.claimed(machine="m0")
    logs.machine(10.0, "m1")
    logs.machine(20.0, "m2")
    for at, name in enumerate(served, start=3):
        logs.host(10.0 * at, "h1", owner="", state="Available")
        logs.host(10.0 * at + 1, "h1", owner=name, state="Provisioned")
    return oldest_first(logs.evidence(), RULES)


def test_who_waits_longest_is_served_first(logs: Any) -> None:
    judged = waiting(logs, "m1", "m2")
    assert (judged.violations, judged.cases) == ([], 2)


def test_who_came_later_is_not(logs: Any) -> None:
    (violation,) = waiting(logs, "m2", "m1").violations
    assert (violation.machine, violation.time) == ("m2", 31.0)
    assert "m2 got h1 before m1, which waited since 10.0" in violation.detail


@pytest.mark.parametrize("retries", [0, 1])
def test_a_claim_that_was_lost_comes_after_those_that_were_not(logs: Any, retries: int) -> None:
    """Seed 4831."""
    logs.host_claim(15.0, "m1", retries)
    assert len(waiting(logs, "m2", "m1").violations) == (retries == 0)


def test_a_fleet_with_work_to_do_does_not_stand_still(logs: Any) -> None:
    logs.claimed()
    logs.request("h2", 2.0, 20.0)  # of another BMC, whose operation holds the only slot
    logs.request("h1", 30.0, 31.0)
    logs.host(40.0, "h1", state="Provisioned")
    assert never_idle(logs.evidence(), RULES).violations == []
    logs.host(50.0, "h1", state="Deprovisioning")
    (violation,) = never_idle(logs.evidence(), RULES).violations
    assert "h1 was Deprovisioning, and for 50.0 s no BMC" in violation.detail


def test_after_a_failure_waiting_is_right_until_the_world_was_at_rest(logs: Any) -> None:
    logs.claimed()
    assert never_idle(logs.evidence(), RULES).violations
    logs.request("h1", 0.5, 0.6, fault="f")
    assert never_idle(logs.evidence(), RULES).violations == []
    logs.incidents.append(Incident(0.7, "settled"))
    assert never_idle(logs.evidence(), RULES).violations


def test_a_host_that_was_claimed_is_owed_work_before_it_is_called_so(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    logs.host(1.0, "h1", owner="m1")
    (violation,) = never_idle(logs.evidence(), RULES).violations
    assert violation.detail.startswith("h1 was Available, and for 99.0 s no BMC")


def test_a_machine_goes_after_its_host_is_released(logs: Any) -> None:
    logs.claimed()
    logs.host(5.0, "h1", owner="")
    logs.machine_gone(6.0, "m1")
    assert released_first(logs.evidence(), RULES).violations == []


def test_a_machine_that_goes_first_leaves_its_host_behind(logs: Any) -> None:
    logs.claimed()
    logs.machine_gone(6.0, "m1")
    logs.host(6.1, "h1", owner="")
    (violation,) = released_first(logs.evidence(), RULES).violations
    assert (violation.host, violation.machine, violation.time) == ("h1", "m1", 6.0)


def test_a_machine_without_a_finalizer_yet_is_another_matter(logs: Any) -> None:
    logs.claimed()
    logs.writes[2].object["metadata"]["finalizers"] = []
    logs.machine_gone(6.0, "m1")
    assert released_first(logs.evidence(), RULES).violations == []


def test_a_claim_that_comes_after_its_machine_is_another_matter(logs: Any) -> None:
    logs.machine(0.0, "m1")
    logs.machine_gone(1.0, "m1")
    logs.host(2.0, "h1", owner="m1")
    logs.host(3.0, "h1", owner="")
    assert released_first(logs.evidence(), RULES).violations == []


def test_a_host_that_boots_for_its_owner_is_not_reset_again(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 2.0, 2.5, operation=logs.provision("h1", "m1"))
    logs.event("h1", 2.4, "boot-started", BOOT)
    assert no_blind_reset(logs.evidence(), RULES).violations == []
    logs.request("h1", 4.0, 4.5, "reset:ForceRestart", operation=logs.provision("h1", "m1", "2"))
    (violation,) = no_blind_reset(logs.evidence(), RULES).violations
    assert violation.detail == f"reset:ForceRestart 1.600 s after boot-started of {BOOT}"


def test_neither_is_it_switched_off(logs: Any) -> None:
    logs.claimed()
    logs.event("h1", 2.4, "boot-started", BOOT)
    logs.request("h1", 4.0, 4.5, "reset:ForceOff", operation=logs.provision("h1", "m1", "2"))
    assert len(no_blind_reset(logs.evidence(), RULES).violations) == 1


@pytest.mark.parametrize("what", ["boot-failed", "power-off", "media-ejected"])
def test_a_boot_that_came_to_nothing_is_repeated(logs: Any, what: str) -> None:
    logs.claimed()
    logs.event("h1", 2.4, "boot-started", BOOT)
    logs.event("h1", 3.0, what)
    logs.request("h1", 4.0, 4.5, operation=logs.provision("h1", "m1", "2"))
    assert no_blind_reset(logs.evidence(), RULES).violations == []


def test_no_more_operations_write_at_once_than_may(logs: Any) -> None:
    for number in range(6):
        header = logs.provision(f"h{number}", f"m{number}")
        logs.request(f"h{number}", 0.1 * number, 9.0, operation=header)
    (violation,) = write_limit(logs.evidence(), RULES).violations
    assert "wrote as number 6; maxConcurrentOps is 5" in violation.detail
    logs.requests[-1] = logs.requests[0]
    assert write_limit(logs.evidence(), RULES).violations == []
