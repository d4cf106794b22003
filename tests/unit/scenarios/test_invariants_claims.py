"""claim-history: hosts as registers, by the answers that their clients got."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.engine.calls import NO_ANSWER, Call
from scenarios.engine.evidence import FaultWindow
from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.claims import claim_history
from scenarios.engine.invariants.verdict import Violation

pytestmark = pytest.mark.unit


def call(
    start: float,
    end: float,
    owner: str,
    verb: str = "update",
    outcome: str = "ok",
    client: str = "a",
    by: str = "",
) -> Call:
    """A call about host h1; ``owner`` as it was sent, or read; ``by`` whose claim it was last."""
    claimed_by = by or owner
    return Call(
        client,
        verb,
        "PhysicalHost",
        "h1",
        "uid-h1",
        start,
        end,
        outcome,
        "1",
        "2",
        owner,
        claimed_by,
    )


def judged(logs: Any, *calls: Call) -> list[Violation]:
    return claim_history(logs.looked(calls=list(calls)), Rules()).violations


def test_claims_and_releases_in_turn_are_a_history(logs: Any) -> None:
    turns = (call(0, 1, "m1"), call(2, 3, "", by="m1"), call(4, 5, "m2"), call(6, 7, "m2", "get"))
    assert judged(logs, *turns) == []


def test_two_claims_that_both_succeed_without_a_release_are_none(logs: Any) -> None:
    (violation,) = judged(logs, call(0, 1, "m1"), call(2, 3, "m2", client="b"))
    assert (violation.host, violation.time) == ("h1", 3)
    assert "b was answered that it wrote owner m2" in violation.detail


def test_a_release_by_another_than_the_owner_is_none(logs: Any) -> None:
    assert judged(logs, call(0, 1, "m1"), call(2, 3, "", by="m2"))


def test_what_overlaps_may_have_happened_in_either_order(logs: Any) -> None:
    assert judged(logs, call(0, 9, "m1"), call(1, 8, "", "get")) == []
    assert judged(logs, call(0, 5, "m1"), call(6, 8, "", "get"))


def test_a_refused_claim_asks_nothing_of_the_host(logs: Any) -> None:
    assert judged(logs, call(0, 1, "m1"), call(2, 3, "m2", outcome="Conflict")) == []


def test_a_claim_without_an_answer_counts_if_it_was_carried_out(logs: Any) -> None:
    lost = call(0, NO_ANSWER, "uid-m1", outcome="", client="beskar7-manager/a", by="m1")
    seen = call(50, 51, "uid-m1", "get", client="b")
    logs.host(-9.0, "h1")
    (violation,) = judged(logs, lost, seen)
    assert "b was answered that it read owner" in violation.detail
    logs.host(20.0, "h1", owner="m1")
    assert judged(logs, lost, seen) == []


def test_many_claims_without_an_answer_count_once_if_one_was_carried_out(logs: Any) -> None:
    """Each as one that may have happened, they would entangle the history beyond judging."""
    tries = [
        call(float(at), NO_ANSWER, "uid-m1", outcome="", client="beskar7-manager/a", by="m1")
        for at in range(40)
    ]
    seen = call(90, 91, "uid-m1", "get", client="b")
    logs.host(-9.0, "h1")
    logs.host(20.0, "h1", owner="m1")
    assert judged(logs, *tries, seen) == []
    assert judged(logs, *tries, seen, call(92, 93, "uid-m2", "get", client="b"))


def test_a_release_without_an_answer_is_not_taken_for_an_earlier_one(logs: Any) -> None:
    """Both leave the host to nobody; whose claim they end tells which was carried out."""
    manager = "beskar7-manager/a"
    logs.host(-9.0, "h1")
    logs.host(1.0, "h1", owner="m1")
    logs.host(21.0, "h1", owner="m2")
    logs.host(41.0, "h1", owner="")
    history = (
        call(0, 2, "uid-m1", by="m1"),
        call(10, 11, "", by="m1", client="b"),
        call(20, 22, "uid-m2", by="m2"),
        call(23, 24, "", by="m1", client=manager, outcome="Conflict"),
        call(40, 42, "", by="m2", client=manager, outcome="Timeout"),
        call(50, 51, "", "get", client="b"),
    )
    assert judged(logs, *history) == []


def test_reads_do_not_count_while_the_api_shows_the_past(logs: Any) -> None:
    fault = {"id": "old", "kind": "stale-read", "target": "api", "duration": 5.0}
    logs.faults.append(FaultWindow(fault, 0.0, 5.0))
    assert judged(logs, call(0, 1, "m1"), call(2, 3, "", "get")) == []


def test_nothing_is_judged_where_nobody_could_look(logs: Any) -> None:
    judgement = claim_history(logs.evidence(), Rules())
    assert (judgement.violations, judgement.cases) == ([], 0)
