"""Who owns a host, and who may write to it: on logs that hold, and on logs that break it."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.engine.invariants import Rules, judge
from scenarios.engine.invariants.ownership import (
    leader_writes_only,
    no_release_in_mid_write,
    only_owner_acts,
    single_owner,
)

pytestmark = pytest.mark.unit
RULES = Rules()
FOR_OWNER = "provision:h1:uid-m1:1"


def test_an_owner_that_lets_go_before_the_next_is_fine(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(2.0, "h1", owner="")
    logs.host(3.0, "h1", owner="m2")
    judged = single_owner(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 2


def test_a_host_that_changes_hands_directly_breaks_single_owner(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.machine(1.5, "m2")
    stolen = logs.host(2.0, "h1", owner="m2", client="beskar7-manager/b")
    (violation,) = single_owner(logs.evidence(), RULES).violations
    assert (violation.host, violation.machine, violation.time) == ("h1", "m2", 2.0)
    assert violation.writes[-1] == stolen.seq
    assert "from m1 to m2" in violation.detail
    assert "beskar7-manager/b" in violation.detail


def test_a_machine_with_two_hosts_breaks_single_owner(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(2.0, "h2", state="Available")
    logs.host(3.0, "h2", owner="m1")
    (violation,) = single_owner(logs.evidence(), RULES).violations
    assert (violation.host, violation.machine) == ("h2", "m1")
    assert "h1" in violation.detail


def test_a_machine_may_have_one_host_after_another(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(2.0, "h2", state="Available")
    logs.host(3.0, "h1", owner="")
    logs.host(4.0, "h2", owner="m1")
    assert single_owner(logs.evidence(), RULES).violations == []


def test_a_refused_write_gives_nobody_a_host(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(2.0, "h1", owner="m2", outcome="Conflict")
    assert single_owner(logs.evidence(), RULES).violations == []


def test_asking_for_a_host_that_has_an_owner_breaks_single_owner(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(2.0, "h1", owner="m2", outcome="Invalid", client="beskar7-manager/b")
    logs.host(3.0, "h1", owner="m3", outcome="Invalid", client="somebody-else")
    (violation,) = single_owner(logs.evidence(), RULES).violations
    assert (violation.host, violation.time) == ("h1", 2.0)
    assert "belonged to m1" in violation.detail


def test_the_leader_may_provision_for_the_owner(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 2.0, 2.1, operation=logs.provision("h1", "m1"))
    judged = only_owner_acts(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 1


def test_reads_and_requests_without_effect_are_nobodys_business(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 2.0, 2.1, "", agent="beskar7-manager/b")
    logs.request("h1", 2.0, 2.1, agent="beskar7-manager/b", performed=False, status=503)
    logs.request("h1", 2.0, 2.1, agent="somebody-else")
    assert only_owner_acts(logs.evidence(), RULES).cases == 0


@pytest.mark.parametrize(
    ("operation", "agent", "start", "says"),
    [
        ("provision:h1:uid-m2:1", "a", 2.0, "provisions for uid-m2, but the owner was m1"),
        (FOR_OWNER, "b", 2.0, "the leader was a"),
        (FOR_OWNER, "a", 1001.5, "lease had run out 1.500 s before"),
        ("provision:h2:uid-m1:1", "a", 2.0, "operation is one on h2"),
        ("", "a", 2.0, "names no operation"),
        ("provision:h1", "a", 2.0, "names no operation"),
        ("dance:h1:uid-m1:1", "a", 2.0, "no kind of operation"),
        ("deprovision:h1:-:1", "a", 2.0, "cleans up while the host belongs to m1"),
        (FOR_OWNER, "a", 0.5, "the owner was nobody"),
    ],
)
def test_who_may_not_act(logs: Any, operation: str, agent: str, start: float, says: str) -> None:
    logs.claimed()
    request = logs.request(
        "h1", start, start + 0.1, operation=operation, agent=f"beskar7-manager/{agent}"
    )
    (violation,) = only_owner_acts(logs.evidence(), RULES).violations
    assert says in violation.detail
    assert violation.requests == (request.seq,)
    assert (violation.host, violation.time) == ("h1", start)


def test_a_deposed_leader_breaks_it_and_the_new_one_does_not(logs: Any) -> None:
    logs.claimed()
    logs.lease(5.0, "b", 1000)
    logs.request("h1", 6.0, 6.1, operation=logs.provision("h1", "m1"), agent="beskar7-manager/a")
    logs.request("h1", 7.0, 7.1, operation=logs.provision("h1", "m1"), agent="beskar7-manager/b")
    violations = only_owner_acts(logs.evidence(), RULES).violations
    assert [violation.requests for violation in violations] == [(1,)]


def test_nobody_may_act_before_there_is_a_leader(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available", owner="m1")
    logs.request("h1", 1.0, 1.1, operation=logs.provision("h1", "m1"))
    (violation,) = only_owner_acts(logs.evidence(), RULES).violations
    assert "nobody was leader" in violation.detail
    assert only_owner_acts(logs.evidence(), Rules(leader_election=False)).violations == []


def test_the_owner_may_let_go_while_the_bmc_is_still_at_work(logs: Any) -> None:
    logs.claimed()
    logs.host(5.0, "h1", owner="")
    logs.request("h1", 4.9, 5.2, operation=logs.provision("h1", "m1"))
    logs.request("h1", 5.3, 5.4, operation=logs.provision("h1", "m1"))
    violations = only_owner_acts(logs.evidence(), RULES).violations
    assert [violation.requests for violation in violations] == [(2,)]


def test_clean_up_of_a_released_host_is_right(logs: Any) -> None:
    logs.claimed()
    logs.host(5.0, "h1", owner="", state="Deprovisioning")
    logs.request("h1", 6.0, 6.1, "reset:ForceOff", operation="deprovision:h1:-:1")
    assert only_owner_acts(logs.evidence(), RULES).violations == []


def test_clean_up_for_the_owner_who_lets_go_is_right(logs: Any) -> None:
    logs.claimed()
    logs.request("h1", 6.0, 6.1, "reset:ForceOff", operation="deprovision:h1:uid-m1:1")
    assert only_owner_acts(logs.evidence(), RULES).violations == []


def test_clean_up_of_a_host_that_is_being_deleted_is_right(logs: Any) -> None:
    logs.lease(0.0, "a", 1000)
    logs.host(0.0, "h1", state="Available")
    logs.host(1.0, "h1", deleting=True)
    logs.request("h1", 2.0, 2.1, "eject-media", operation="deprovision:h1:-:1")
    assert only_owner_acts(logs.evidence(), RULES).violations == []


def test_clean_up_of_an_idle_host_is_wrong(logs: Any) -> None:
    logs.lease(0.0, "a", 1000)
    logs.host(0.0, "h1", state="Available")
    logs.request("h1", 2.0, 2.1, "eject-media", operation="deprovision:h1:-:1")
    (violation,) = only_owner_acts(logs.evidence(), RULES).violations
    assert "without owner in state Available" in violation.detail


def test_a_gap_in_the_log_makes_every_verdict_on_it_inconclusive(logs: Any) -> None:
    logs.claimed()
    del logs.writes[2]
    verdicts = {result.name: result for result in judge(logs.evidence(), RULES)}
    assert verdicts["single-owner"].verdict == "inconclusive"
    assert "lacks 1 entries" in verdicts["single-owner"].reason
    assert verdicts["bmc-exclusive"].verdict == "held"


@pytest.mark.parametrize(
    ("since_renewal", "held"), [(5.0, True), (9.0, True), (11.0, False), (16.0, False)]
)
def test_what_is_written_has_to_be_sent_while_leadership_is_certain(
    logs: Any, since_renewal: float, held: bool
) -> None:
    """Within the deadline of 10 s; the lease, which may have another holder after 15, is not it."""
    logs.lease(0.0, "a", 15)
    logs.host(since_renewal, "h1", state="Available")
    judged = leader_writes_only(logs.looked(calls=logs.answered()), RULES)
    assert judged.cases == 1
    assert [violation.host for violation in judged.violations] == ([] if held else ["h1"])


def test_a_host_is_given_back_between_two_writes_to_its_bmc(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.request("h1", 2.0, 3.0, operation=FOR_OWNER)
    logs.host(3.5, "h1", owner="")
    assert no_release_in_mid_write(logs.evidence(), RULES).violations == []


@pytest.mark.parametrize(("status", "held"), [(204, False), (0, True), (503, True)])
def test_a_host_is_not_given_back_before_its_bmc_has_answered(
    logs: Any, status: int, held: bool
) -> None:
    """Of what it left unanswered nobody can tell when its client gave it up."""
    logs.claimed("h1", "m1")
    logs.request("h1", 2.0, 4.0, operation=FOR_OWNER, status=status)
    logs.host(3.5, "h1", owner="")
    violations = no_release_in_mid_write(logs.evidence(), RULES).violations
    assert [(v.host, v.machine) for v in violations] == ([] if held else [("h1", "m1")])
