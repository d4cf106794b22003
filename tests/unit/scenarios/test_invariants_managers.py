"""counters-agree, gauges-agree, events-agree and nothing-kept: managers that say and keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from scenarios.engine.calls import NO_ANSWER
from scenarios.engine.evidence import FaultWindow
from scenarios.engine.inside import Life
from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.counters import counters_agree
from scenarios.engine.invariants.gauges import gauges_agree
from scenarios.engine.invariants.memory import nothing_kept
from scenarios.engine.invariants.news import events_agree

pytestmark = pytest.mark.unit
RULES = Rules()
CLAIMS = "beskar7_host_claim_attempts_total"
HOSTS = "beskar7_controller_physicalhost_states_total"
MACHINES = "beskar7_controller_beskar7machine_states_total"
OWNED = "beskar7_controller_physicalhost_consumer_mappings_total"


def life(*samples: tuple[str, Mapping[str, str], float], **more: Any) -> Life:
    """A leader that lives, with these samples."""
    leader = ("beskar7_leader", {"identity": "a"}, 1.0)
    said = {(n, tuple(sorted(labels.items()))): v for n, labels, v in (*samples, leader)}
    return Life(**({"alive": True, "leading": True} | more), samples=said)


def details(judged: Any) -> str:
    return "; ".join(violation.detail for violation in judged.violations)


def claims(count: float, outcome: str = "success") -> tuple[str, Mapping[str, str], float]:
    return CLAIMS, {"outcome": outcome}, count


def test_a_claim_is_counted_once(logs: Any) -> None:
    logs.claimed()
    calls = logs.answered()
    assert details(counters_agree(logs.looked(calls=calls, a=life(claims(1))), RULES)) == ""
    for wrong in (0, 2):
        said = details(counters_agree(logs.looked(calls=calls, a=life(claims(wrong))), RULES))
        assert said == f"a: {CLAIMS}{{outcome=success}} is {wrong}; it happened 1 times"


def test_a_killed_manager_may_have_died_before_it_counted(logs: Any) -> None:
    logs.claimed()
    dead = life(claims(0), alive=False, leading=False)
    calls = [call for call in logs.answered() if call.owner or call.kind != "PhysicalHost"][:3]
    assert details(counters_agree(logs.looked(calls=calls, a=dead), RULES)) == ""


def test_a_conflict_is_no_success(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    logs.machine(0.0, "m1")
    logs.host(1.0, "h1", owner="m1", outcome="Conflict")
    calls = [c for c in logs.answered() if c.outcome == "Conflict"]
    said = counters_agree(logs.looked(calls=calls, a=life(claims(1))), RULES)
    assert "outcome=success} is 1; it happened 0 times" in details(said)
    assert "outcome=conflict} is 0; it happened 1 times" in details(said)
    right = life(claims(1, "conflict"))
    assert details(counters_agree(logs.looked(calls=calls, a=right), RULES)) == ""
    # The coordinator counts a conflict when it gives the claim back, not for each refusal.
    handing = life(hands_over=True)
    assert details(counters_agree(logs.looked(calls=calls, a=handing), RULES)) == ""


def test_a_manager_may_have_died_before_any_call_was_answered(logs: Any) -> None:
    logs.claimed()
    calls = [replace(call, end=NO_ANSWER, outcome="") for call in logs.answered()]
    dead = life(claims(0), alive=False, leading=False)
    assert details(counters_agree(logs.looked(calls=calls, a=dead), RULES)) == ""


def test_a_claim_that_was_refused_and_carried_out_is_either(logs: Any) -> None:
    logs.claimed()
    calls = [
        replace(call, outcome="Conflict", version="") if call.verb == "update" else call
        for call in logs.answered()
        if call.kind == "PhysicalHost"
    ]
    assert any(call.outcome == "Conflict" for call in calls)
    for told in (claims(1), claims(1, "conflict")):
        looked = logs.looked(calls=calls, a=life(told))
        assert CLAIMS not in details(counters_agree(looked, RULES))


def test_a_refused_claim_may_count_that_of_a_dead_manager_for_the_same_machine(logs: Any) -> None:
    """Seed 3336: who reads the host anew finds it claimed for its machine, and not by whom."""
    logs.claimed()
    calls = [
        call
        for call in logs.answered()
        if call.kind == "PhysicalHost" and call.verb == "update" and call.owner
    ]
    late = replace(calls[0], client="beskar7-manager/b", outcome="Conflict", version="")
    died = [replace(call, end=NO_ANSWER, outcome="", version="") for call in calls]
    for told in (claims(1), claims(1, "conflict")):
        looked = logs.looked(calls=[*died, late], b=life(told))
        assert CLAIMS not in details(counters_agree(looked, RULES))
    other = replace(late, claimed_by="m2", owner="uid-m2")
    after = replace(late, start=late.end + 3.0, end=late.end + 4.0)
    # Another machine's; one that was counted; one that was heard of long before.
    for known in ([*died, other], [*calls, late], [*died, after]):
        looked = logs.looked(calls=known, b=life(claims(1)))
        assert CLAIMS in details(counters_agree(looked, RULES))


def test_provisionings_are_counted_by_how_they_ended(logs: Any) -> None:
    logs.claimed()
    logs.host(5.0, "h1", state="Error")
    name = "beskar7_controller_physicalhost_provisioning_total"
    for outcome, wrong in (("error", False), ("success", True)):
        said = life(claims(1), (name, {"outcome": outcome}, 1.0))
        found = details(counters_agree(logs.looked(calls=logs.answered(), a=said), RULES))
        assert (name in found) is wrong


def test_a_power_action_whose_answer_was_cut_is_no_sure_one(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 5.0, 6.0, "reset:On", operation=logs.provision("h1", "m1"))
    silent = life(claims(1))
    said = details(counters_agree(logs.looked(calls=logs.answered(), a=silent), RULES))
    assert "operation=On, outcome=success} is 0; it happened 1 times" in said
    # Certain until 10 s after the start of a renewal, unless the next one is answered before.
    logs.writes.append(replace(logs.writes[0], time=20.0))
    logs.request("h1", 19.0, 19.5, "reset:On", operation=logs.provision("h1", "m1", "2"))
    said = details(counters_agree(logs.looked(calls=logs.answered(), a=silent), RULES))
    assert "operation=On, outcome=success} is 0; it happened 1 times at least" in said


def test_power_actions_that_a_bmc_carried_out_are_counted(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 2.0, 2.5, "reset:On", operation=logs.provision("h1", "m1"))
    found = details(counters_agree(logs.looked(calls=logs.answered(), a=life(claims(1))), RULES))
    assert "power_operations_total{operation=On, outcome=success} is 0" in found
    assert "operations_total{operation_type=provision} is 0" in found


def settled(logs: Any) -> None:
    logs.claimed()
    logs.host(5.0, "h1", state="Provisioned")
    logs.machine(5.0, "m1", phase="Provisioned")


def test_gauges_are_the_apis_state(logs: Any) -> None:
    settled(logs)
    right = (
        (HOSTS, {"state": "Provisioned"}, 1.0),
        (MACHINES, {"state": "Provisioned"}, 1.0),
        (OWNED, {}, 1.0),
    )
    assert details(gauges_agree(logs.looked(a=life(*right)), RULES)) == ""
    wrong = (*right[:2], (HOSTS, {"state": "Available"}, 1.0))
    found = details(gauges_agree(logs.looked(a=life(*wrong)), RULES))
    assert "1 Available, 1 Provisioned; it should be 1 Provisioned" in found
    assert f"{OWNED} of a is 0; it should be 1" in found


def test_who_leads_says_so_and_nobody_else_does(logs: Any) -> None:
    settled(logs)
    deposed = life((HOSTS, {"state": "Provisioned"}, 1.0), leading=False)
    found = details(gauges_agree(logs.looked(a=deposed), RULES))
    assert "beskar7_leader of a is 1; it should be 0" in found
    assert f"{HOSTS} of a is 1; it should be 0" in found


def test_gauges_are_not_judged_after_a_watch_lost_events(logs: Any) -> None:
    settled(logs)
    logs.faults.append(FaultWindow({"id": "f", "kind": "lose-event", "target": "api"}, 0.0, 1.0))
    assert details(gauges_agree(logs.looked(a=life()), RULES)) == ""


def test_a_circuit_is_closed_when_its_bmc_has_answered(logs: Any) -> None:
    logs.request("host-001", 2.0, 2.5, "", operation="inspect:host-001:-:1", status=200)
    state = ("beskar7_bmc_circuit_state", {"bmc_address": "127.10.0.1:8000"}, 1.0)
    assert "circuit_state" in details(gauges_agree(logs.looked(a=life(state)), RULES))
    logs.request("host-001", 3.0, 9.0, "", operation="inspect:host-001:-:2", status=0)
    assert details(gauges_agree(logs.looked(a=life(state)), RULES)) == ""


def told(logs: Any, reason: str, count: int) -> None:
    def change(obj: dict[str, Any]) -> None:
        obj["metadata"]["finalizers"] = []
        involved = {"kind": "PhysicalHost", "name": "h1"}
        obj |= {"reason": reason, "count": count, "involvedObject": involved}

    logs._write(6.0, "Event", f"h1.{reason}", "default", change, object_uid=reason)


def test_claims_are_told_as_often_as_they_were(logs: Any) -> None:
    logs.claimed()
    found = details(events_agree(logs.looked(calls=logs.answered(), a=life()), RULES))
    assert found == "a told Claimed of PhysicalHosts 0 times; it was so 1 times"
    told(logs, "Claimed", 1)
    assert details(events_agree(logs.looked(calls=logs.answered(), a=life()), RULES)) == ""
    told(logs, "Claimed", 2)
    found = details(events_agree(logs.looked(calls=logs.answered(), a=life()), RULES))
    assert "told Claimed of PhysicalHosts 2 times" in found


@pytest.mark.parametrize("excuse", [{"lost_events": 1}, {"alive": False}, {"leading": False}])
def test_who_lost_events_or_its_term_is_not_judged_by_them(logs: Any, excuse: Any) -> None:
    logs.claimed()
    assert details(events_agree(logs.looked(calls=logs.answered(), a=life(**excuse)), RULES)) == ""


def test_nothing_is_kept_of_a_machine_that_is_gone(logs: Any) -> None:
    logs.machine(0.0, "m1")
    keeping = life(names={"Claims._failures": frozenset({"default/m1"})})
    assert details(nothing_kept(logs.looked(a=keeping), RULES)) == ""
    logs.machine_gone(5.0, "m1")
    found = details(nothing_kept(logs.looked(a=keeping), RULES))
    assert found == "a keeps 1 machines that are gone in Claims._failures, m1 first"
    task = life(named_tasks=("after/default/m1",))
    assert "task after/default/m1" in details(nothing_kept(logs.looked(a=task), RULES))
    logs.streams = ("claim-backoff/default/m1",)
    assert "random stream" in details(nothing_kept(logs.looked(a=life()), RULES))


def test_what_was_gone_a_moment_ago_may_still_be_known(logs: Any) -> None:
    logs.machine(0.0, "m1")
    logs.machine_gone(90.0, "m1")
    keeping = life(names={"Claims._failures": frozenset({"default/m1"})})
    assert details(nothing_kept(logs.looked(a=keeping), RULES)) == ""


def test_no_container_outgrows_the_world_and_no_task_its_beginning(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    crowded = life(entries={"Census._hosts": 500})
    assert "holds 500 entries" in details(nothing_kept(logs.looked(a=crowded), RULES))
    evidence = logs.looked(a=life(tasks={"reflector": 3}))
    evidence.baseline.lives["a"] = life(tasks={"reflector": 1})
    assert "run 3 tasks reflector" in details(nothing_kept(evidence, RULES))


@pytest.mark.parametrize(("workers", "held"), [(10, True), (11, False)])
def test_who_cannot_read_its_config_map_begins_with_the_default_number_of_reconcilers(
    logs: Any, workers: int, held: bool
) -> None:
    def judged() -> str:
        evidence = logs.looked(a=life(tasks={"physicalhost/manager": workers}))
        evidence.baseline.lives["a"] = life(tasks={"physicalhost/manager": 2})
        return details(nothing_kept(evidence, RULES))

    assert "tasks physicalhost/manager" in judged(), "nothing kept it from reading"
    logs.faults.append(FaultWindow({"id": "f", "kind": "partition", "target": "api"}, 0.0, 1.0))
    assert (judged() == "") is held
