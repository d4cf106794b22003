"""How a violation came about, as text: the right lines, in order, marked, bounded."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from beskar7.api.states import LEGAL_EDGES
from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.invariants import INVARIANTS, Rules, Violation
from scenarios.engine.result import Result, conclude
from scenarios.engine.story.chapters import about
from scenarios.engine.story.entries import entries
from scenarios.engine.story.recording import Recording, lives, meaning
from scenarios.engine.story.text import WIDTH, biography, story

pytestmark = pytest.mark.unit

B = "beskar7-manager/b"
RULES = Rules(legal_edges=LEGAL_EDGES | {("", "Available")})
"""Hand-made hosts begin as Available."""


def stolen(logs: Any) -> Result:
    """h1 is m1's, and b gives it to m2; h2 has nothing to do with it."""
    logs.claimed("h1", "m1")
    logs.machine(1.5, "m2")
    logs.claimed("h2", "m3", at=1.6)
    logs.request("h1", 2.0, 2.5, "reset:On", operation=logs.provision("h1", "m1"), fault="slow")
    for step in range(3):
        at = 2.6 + step / 10
        logs.request("h1", at, at + 0.05, "", operation=logs.provision("h1", "m1"), status=200)
    logs.host(2.9, "h1", owner="m2", outcome="Conflict", client=B)
    logs.host(3.0, "h1", owner="m2", client=B)
    logs.event("h1", 3.1, "power-on")
    logs.incidents = [Incident(2.7, "kill-manager", "a", "leader")]
    fault = {"id": "slow", "kind": "latency", "start": 0.0, "duration": None}
    logs.faults = [FaultWindow(fault, 1.9, None)]
    return conclude(logs.evidence(10.0), RULES, 3.0)


def told_of(recording: Recording, limit: int | None = None, around: float | None = None) -> str:
    return story(recording, entries(recording), limit, around)


def line_with(text: str, *words: str) -> str:
    return next(line for line in text.splitlines() if all(word in line for word in words))


def test_the_story_says_what_was_promised_and_shows_the_writes_in_order(logs: Any) -> None:
    text = told_of(Recording.of(stolen(logs)))
    assert "Promise  single-owner: No host passes from one owner to another unfreed" in text
    broken = line_with(text, "Broken", "3.000 s h1, m2: passed from m1 to m2")
    assert "m2" in broken
    chapter = text.partition("=== h1")[2].partition("\n===")[0]
    stealing = line_with(chapter, "owner m1 -> m2", "ok")
    refused = line_with(chapter, "owner m1 -> m2", "Conflict")
    violation = line_with(chapter, ">>>", "single-owner")
    assert stealing.lstrip().startswith("*"), "the verdict refers to it"
    assert refused.lstrip().startswith("!")
    order = [chapter.index(line) for line in (refused, stealing, violation)]
    assert order == sorted(order)
    assert chapter.index("power-on") > chapter.index(violation)


def test_who_is_not_concerned_is_left_out(logs: Any) -> None:
    chapter = told_of(Recording.of(stolen(logs))).partition("=== h1")[2].partition("\n===")[0]
    assert "h2" not in chapter
    assert "m3" not in chapter


def test_faults_deaths_and_the_state_of_things_are_told(logs: Any) -> None:
    text = told_of(Recording.of(stolen(logs)))
    assert "<< fault slow (latency)" in line_with(text, "BMC reset:On", "204 in 500 ms")
    assert line_with(text, "slow (latency) begins")
    assert "a leader" in line_with(text, "kill-manager")
    state = " ".join(text.partition("State ")[2].partition("\n\n")[0].split())
    assert "h1 was Provisioning, of m2 (last written at 3.000 s)" in state
    assert "managers alive: b (ended before: a)" in state
    assert "faults in force: slow (latency)" in state
    assert "a was leader" in state


def test_reads_of_one_operation_are_one_line(logs: Any) -> None:
    text = told_of(Recording.of(stolen(logs)))
    assert "until 2.850" in line_with(text, "3 reads")
    assert "BMC GET" not in text


def test_a_read_that_failed_or_that_a_verdict_refers_to_is_not_folded(logs: Any) -> None:
    logs.claimed("h1", "m1")
    one, other = (logs.provision("h1", "m1", nonce) for nonce in "12")
    for start, operation, status in (
        *((2.0, one, 200), (2.1, one, 503), (2.2, one, 200), (2.3, one, 200)),
        *((2.35, other, 200), (2.6, one, 200)),
    ):
        logs.request("h1", start, start + 0.02, "", operation=operation, status=status)
    text = told_of(Recording.of(conclude(logs.evidence(10.0), RULES, 1.0)))
    assert "503" in line_with(text, "r2")
    assert line_with(text, "*", "r5 ", "BMC GET"), "bmc-exclusive refers to it"
    assert "r3" in line_with(text, "2 reads")


def test_a_read_that_a_verdict_refers_to_stands_alone_among_others(logs: Any) -> None:
    logs.claimed("h1", "m1")
    for step in range(5):
        at = 2.0 + step / 10
        logs.request("h1", at, at + 0.05, "", operation=logs.provision("h1", "m1"), status=200)
    recording = Recording.of(conclude(logs.evidence(10.0), RULES, 1.0))
    violation = Violation("bmc-exclusive", "h1", "m1", 9.0, "made up", requests=(3,))
    text = told_of(replace(recording, violations=[violation]))
    shown = [line.split() for line in text.splitlines() if re.search(r"  r\d", line)]
    assert [(words[-8:].count("reads"), "*" in words) for words in shown] == [
        (1, False),
        (0, True),
        (1, False),
    ]


def test_long_logs_are_cut_around_the_violation_and_the_gap_is_counted(logs: Any) -> None:
    logs.claimed("h1", "m1")
    for step in range(200):
        logs.host(2.0 + step / 100, "h1", state="Claimed" if step % 2 else "Provisioning")
    logs.host(5.0, "h1", owner="m2")
    result = conclude(logs.evidence(10.0), Rules(legal_edges=frozenset()), 1.0)
    result.invariants[:] = [i for i in result.invariants if i.name == "single-owner"]
    text = told_of(Recording.of(result))
    assert len(text.splitlines()) < 60
    assert "left out" in text
    assert "owner m1 -> m2" in text
    whole = told_of(Recording.of(result), around=1e9)
    assert "left out" not in whole
    assert len(whole.splitlines()) > 200


def test_a_limit_holds_and_is_told(logs: Any) -> None:
    recording = Recording.of(stolen(logs))
    for limit in (5, 20, 40):
        lines = told_of(recording, limit).splitlines()
        assert len(lines) <= limit
    assert "more lines" in told_of(recording, 20)


def test_what_logs_bring_along_steers_no_terminal(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.event("h1", 2.9, "boot-finished", "\x1b[31mred\x07" + "x" * 500)
    logs.host(3.0, "h1", owner="m2")
    text = told_of(Recording.of(conclude(logs.evidence(10.0), RULES, 1.0)))
    assert "\x1b" not in text
    assert "?[31mred?" in text
    assert max(len(line) for line in text.splitlines()[3:]) <= WIDTH


def test_a_run_that_held_says_so(logs: Any) -> None:
    logs.host(0.0, "h1", state="Available")
    text = told_of(Recording.of(conclude(logs.evidence(10.0), RULES, 1.0)))
    assert "seed 7: held" in text
    assert "No invariant was violated." in text


def test_renewals_of_the_lease_are_told_only_where_the_verdict_refers_to_them(logs: Any) -> None:
    logs.claimed("h1", "m1")
    for second in range(2, 6):
        logs.lease(float(second), "a", 1)
    logs.request("h1", 7.0, 7.1, "reset:On", operation=logs.provision("h1", "m1"))
    result = conclude(logs.evidence(10.0), RULES, 1.0)
    text = told_of(Recording.of(result))
    assert "its lease had run out 1.000 s before" in text
    assert "nobody was leader: the lease of a had run out 1.000 s before" in " ".join(text.split())
    renewals = [line for line in text.splitlines() if "renewed" in line]
    assert [line.split()[0] for line in renewals] == ["*"]


def test_a_life_of_a_host_or_a_machine_is_told_whole(logs: Any) -> None:
    recording = Recording.of(stolen(logs))
    text = biography(recording, entries(recording), about(recording, "h2", ""))
    assert "=== h2" in text
    assert "owner - -> m3" in text
    assert "h1" not in text.partition("===")[2]
    machine = biography(recording, entries(recording), about(recording, "", "m2"))
    assert ">>>" in machine
    assert "create Beskar7Machine m2" in machine


def test_every_invariant_says_what_it_promises() -> None:
    for name in INVARIANTS:
        assert meaning(name).endswith("."), name
    assert meaning("of-another-time") == ""


def test_managers_live_from_their_start_to_their_death(logs: Any) -> None:
    logs.claimed("h1", "m1")
    logs.host(6.0, "h1", client="beskar7-manager/c")
    logs.incidents = [Incident(4.0, "kill-manager", "a"), Incident(5.0, "start-manager", "c")]
    found = lives(Recording.of(conclude(logs.evidence(10.0), RULES, 1.0)))
    assert [(life.identity, life.start, life.end) for life in found] == [
        ("a", 0.0, 4.0),
        ("c", 5.0, None),
    ]


def test_entries_come_in_the_order_of_time_causes_first(logs: Any) -> None:
    found = entries(Recording.of(stolen(logs)))
    assert [entry.time for entry in found] == sorted(entry.time for entry in found)
    assert {entry.source for entry in found} == {"act", "fault", "write", "request", "event"}
