"""bmc-exclusive and bmc-cooldown: each on a log that holds, and on logs that break it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scenarios.engine.invariants import Rules, judge
from scenarios.engine.invariants.bmc import bmc_cooldown, bmc_exclusive
from scenarios.engine.invariants.operations import Header, group

pytestmark = pytest.mark.unit
RULES = Rules({"h1": 10.0, "h2": 10.0})
ONE, TWO = "provision:h1:uid-m1:one", "provision:h1:uid-m2:two"
SUCCESSOR = "beskar7-manager/b"


def test_a_header_is_read_or_refused_as_a_whole() -> None:
    assert Header.parse("provision:h1:uid-1:n") == Header("provision", "h1", "uid-1", "n")
    assert Header.parse("deprovision:h1:-:n").consumer == ""
    for bad in ("", "provision", "provision:h1:u", "provision:h1::n", "a:b:c:d:e"):
        assert Header.parse(bad) == Header()


def test_operations_one_after_the_other_are_fine(logs: Any) -> None:
    logs.request("h1", 0.0, 0.5, operation=ONE)
    logs.request("h1", 0.5, 1.0, operation=ONE)
    logs.request("h1", 1.0, 1.5, operation=TWO)
    judged = bmc_exclusive(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 2


def test_two_writes_at_once_break_exclusion(logs: Any) -> None:
    first = logs.request("h1", 0.0, 1.0, "reset:On", operation=ONE)
    second = logs.request("h1", 0.9, 1.5, operation=TWO, agent="beskar7-manager/b")
    (violation,) = bmc_exclusive(logs.evidence(), RULES).violations
    assert (violation.host, violation.time) == ("h1", 0.9)
    assert violation.requests == (second.seq, first.seq)
    assert "reset:On was not answered" in violation.detail


def test_operations_that_interleave_break_exclusion_without_touching_at_once(logs: Any) -> None:
    logs.request("h1", 0.0, 0.1, operation=ONE)
    logs.request("h1", 1.0, 1.1, operation=TWO)
    logs.request("h1", 2.0, 2.1, operation=ONE)
    (violation,) = bmc_exclusive(logs.evidence(), RULES).violations
    assert "1.100 s before the end" in violation.detail
    assert "not answered" not in violation.detail


def test_two_managers_with_one_header_are_two_operations(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 0.5, 1.5, operation=ONE, agent="beskar7-manager/b")
    assert len(bmc_exclusive(logs.evidence(), RULES).violations) == 1


def test_a_write_without_header_cannot_hide(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 0.5, 0.6, operation="")
    assert len(bmc_exclusive(logs.evidence(), RULES).violations) == 1


def test_a_long_operation_is_compared_with_all_that_follow(logs: Any) -> None:
    logs.request("h1", 0.0, 10.0, operation=ONE)
    logs.request("h1", 1.0, 2.0, operation=TWO)
    logs.request("h1", 5.0, 6.0, operation=logs.provision("h1", "m3"))
    assert [v.time for v in bmc_exclusive(logs.evidence(), RULES).violations] == [1.0, 5.0]


def test_other_bmcs_do_not_matter(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h2", 0.5, 1.5, operation=TWO)
    assert bmc_exclusive(logs.evidence(), RULES).violations == []


def test_reading_while_another_operation_writes_breaks_exclusion(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 0.2, 0.8, "", operation=TWO)
    (violation,) = bmc_exclusive(logs.evidence(), RULES).violations
    assert violation.time == 0.2


def test_an_operations_span_is_from_its_first_to_its_last_write(logs: Any) -> None:
    logs.request("h1", 0.0, 0.1, "", operation=ONE)
    logs.request("h1", 1.0, 1.5, operation=ONE)
    logs.request("h1", 9.0, 9.5, "", operation=ONE)
    (operation,) = group(logs.requests)["h1"]
    assert (operation.start, operation.end, len(operation.requests)) == (1.0, 1.5, 3)


def test_a_rest_as_long_as_the_cooldown_is_enough(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 11.0, 12.0, operation=TWO)
    judged = bmc_cooldown(logs.evidence(), RULES)
    assert judged.violations == []
    assert judged.cases == 1


def test_a_shorter_rest_breaks_the_cooldown_across_managers_too(logs: Any) -> None:
    before = logs.request("h1", 0.0, 1.0, operation=ONE)
    after = logs.request("h1", 10.9, 12.0, operation=TWO, agent="beskar7-manager/b")
    (violation,) = bmc_cooldown(logs.evidence(), RULES).violations
    assert (violation.host, violation.time) == ("h1", 10.9)
    assert violation.requests == (before.seq, after.seq)
    assert "9.900 s" in violation.detail
    assert "of b began" in violation.detail


def test_the_cooldown_counts_from_the_last_write_not_from_reads(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 5.0, 5.5, "", operation=ONE)
    logs.request("h1", 11.0, 12.0, operation=TWO)
    assert bmc_cooldown(logs.evidence(), RULES).violations == []


def test_a_given_up_request_may_be_noticed_late_but_not_by_much(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE, status=0, performed=False)
    logs.request("h1", 10.95, 11.0, operation=TWO)
    assert bmc_cooldown(logs.evidence(), RULES).violations == []
    logs.request("h1", 15.0, 16.0, operation=logs.provision("h1", "m3"))
    assert len(bmc_cooldown(logs.evidence(), RULES).violations) == 1


def test_a_successor_cannot_know_of_a_request_that_outlives_the_term_of_its_sender(
    logs: Any,
) -> None:
    logs.lease(0.0, "a")
    logs.request("h1", 1.0, 9.0, operation=ONE)
    logs.lease(5.0, "b")
    logs.request("h1", 15.0, 16.0, operation=TWO, agent=SUCCESSOR)
    assert bmc_cooldown(logs.evidence(), RULES).violations == []
    logs.lease(17.0, "b")
    logs.request("h1", 27.0, 28.0, operation=logs.provision("h1", "m3"))
    logs.request("h1", 28.5, 29.0, operation=logs.provision("h1", "m4"), agent=SUCCESSOR)
    found = bmc_cooldown(logs.evidence(), RULES).violations
    assert [v.time for v in found] == [28.5], "what it sends afterwards counts to its end"


def test_a_successor_rests_from_its_own_term_on(logs: Any) -> None:
    logs.lease(0.0, "a")
    logs.request("h1", 1.0, 9.0, operation=ONE)
    logs.lease(5.0, "b")
    logs.request("h1", 14.5, 16.0, operation=TWO, agent=SUCCESSOR)
    (violation,) = bmc_cooldown(logs.evidence(), RULES).violations
    assert "9.500 s" in violation.detail


@pytest.mark.parametrize(("led_again", "held"), [(9.0, False), (12.0, True)])
def test_who_could_not_renew_in_time_left_its_requests_and_may_lead_again(
    logs: Any, led_again: float, held: bool
) -> None:
    """Its deadline is 10 s, the lease lasts 15."""
    logs.lease(0.0, "a", 15)
    logs.request("h1", 5.0, 14.0, operation=ONE)
    logs.lease(led_again, "a", 15)
    logs.request("h1", 22.0, 23.0, operation=TWO)
    assert (bmc_cooldown(logs.evidence(), RULES).violations == []) is held


def test_a_term_counts_from_when_its_renewal_was_asked_for(logs: Any) -> None:
    logs.lease(0.0, "a", 15)
    logs.lease(9.0, "a", 15)
    logs.request("h1", 9.5, 20.0, operation=ONE)
    logs.lease(13.0, "a", 15)
    logs.request("h1", 23.5, 24.0, operation=TWO)
    assert len(bmc_cooldown(logs.evidence(), RULES).violations) == 1
    calls = logs.answered()
    calls[1] = replace(calls[1], start=2.0, end=9.1)
    assert bmc_cooldown(logs.looked(calls=calls), RULES).violations == []


def test_a_request_that_outlives_its_term_is_no_second_operation(logs: Any) -> None:
    logs.lease(0.0, "a")
    logs.request("h1", 1.0, 9.0, operation=ONE)
    logs.lease(5.0, "b")
    logs.request("h1", 6.0, 7.0, operation=TWO, agent=SUCCESSOR)
    assert bmc_exclusive(logs.evidence(), RULES).violations == []


def test_who_takes_a_lease_that_is_held_answers_for_what_is_under_way(logs: Any) -> None:
    logs.lease(0.0, "a")
    logs.request("h1", 1.0, 9.0, operation=ONE)
    logs.lease(3.9, "b")
    logs.request("h1", 6.0, 7.0, operation=TWO, agent=SUCCESSOR)
    assert len(bmc_exclusive(logs.evidence(), RULES).violations) == 1


def test_a_gap_in_the_bmcs_log_is_inconclusive_whatever_was_found(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=ONE)
    logs.request("h1", 0.2, 0.3, "", operation=ONE)
    logs.request("h1", 2.0, 3.0, operation=TWO)
    del logs.requests[1]
    verdicts = {result.name: result for result in judge(logs.evidence(), RULES)}
    assert verdicts["bmc-cooldown"].verdict == "inconclusive"
    assert len(verdicts["bmc-cooldown"].violations) == 1
    assert verdicts["single-owner"].verdict == "held"
