"""The network between the managers, the API and the BMCs: slow, lossy, cut, cut one way only."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from beskar7.api.problems import DocumentError
from scenarios.engine.evidence import Evidence
from scenarios.engine.loader import loads

pytestmark = pytest.mark.sim

STORM = """\
name: network
world:
  hosts: {count: 6, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 5s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
  config: {provisioning.bmcCooldownPeriod: 1s, bmc.requestTimeout: 10s}
load: {machines: 4}
faults: [FAULTS]
acts:
  - when: {settled: true}
    delete_machines: {count: 2}
checks:
  - {measure: provisioned, equals: 4}
  - {measure: released, equals: 2}
limits: {timeout: 10m, enrol_timeout: 60s}
"""
LEASE = 5.0
HALF = "to: {fraction: 0.5}"
WAYS = {
    "slow API": "kind: delay, to: api, duration: 20s, "
    "latency: {distribution: lognormal, mean: 500ms, sigma: 1}",
    "API slower than patience": "kind: delay, to: api, from: leader, duration: 40s, "
    "latency: {mean: 12s}",
    "slow BMCs": "kind: delay, to: {}, duration: 60s, latency: {mean: 2s}",
    "lossy API": "kind: loss, to: api, probability: 0.2, duration: 40s",
    "lossy BMCs": "kind: loss, to: {}, probability: 0.2, duration: 60s",
    "half the BMCs, answers": f"kind: partition, from: leader, {HALF}, direction: answers, "
    "duration: 40s",
    "flapping": "kind: partition, from: leader, to: api, duration: 4s, every: 11s, times: 4",
}


def faulty(fault: str) -> str:
    return STORM.replace("FAULTS", f"{{id: a, target: network, {fault}}}")


def after(evidence: Evidence, delay: float) -> Iterator[Any]:
    """What was written from ``delay`` seconds after the fault began until it ended."""
    window = evidence.faults[0]
    for record in evidence.history.writes:
        if window.start + delay <= record.time and (window.end is None or record.time < window.end):
            yield record


def holders(evidence: Evidence, *, until: float = float("inf")) -> list[str]:
    """Who held the manager lease, one after the other."""
    found: list[str] = []
    for record in evidence.history.writes:
        if record.kind == "Lease" and record.outcome == "ok" and record.time < until:
            holder = record.object["spec"].get("holderIdentity")
            if holder and found[-1:] != [holder]:
                found.append(holder)
    return found


@pytest.mark.parametrize("name", WAYS)
def test_the_end_is_the_same(play: Any, name: str) -> None:
    result = play(faulty(WAYS[name]))
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)


@pytest.mark.parametrize("direction", ["both", "answers", "calls"])
def test_a_leader_that_is_cut_off_writes_nothing_and_another_takes_over(
    play: Any, direction: str
) -> None:
    """Within the lease's duration, by the API's log, and nothing of the old leader afterwards:
    neither to the API nor to the BMCs, which it still reaches."""
    text = faulty(f"kind: partition, from: leader, to: api, direction: {direction}, duration: 60s")
    result = play(text.replace("machines: 4", "machines: 4, arrivals: {constant: 1/s}"))
    evidence = result.evidence
    assert result.passed, (evidence.reason, result.violations[:3], result.checks)
    begun = evidence.faults[0].start
    old, new, *_ = holders(evidence)
    assert holders(evidence, until=begun) == [old]
    taken = next(
        r.time
        for r in evidence.history.writes
        if r.kind == "Lease" and r.outcome == "ok" and r.object["spec"].get("holderIdentity") == new
    )
    assert LEASE - 1.0 < taken - begun < LEASE + 3.0
    if direction != "answers":  # else its last calls still arrive, while its lease is good
        assert not [r for r in after(evidence, 0.01) if r.client.endswith(old)]
    late = [r for r in after(evidence, taken - begun) if r.client.endswith(old)]
    assert not [record for record in late if record.outcome == "ok"]
    assert not [
        request
        for request in evidence.requests
        if taken <= request.start < begun + 60.0 and request.agent.endswith(old) and request.action
    ]


def test_a_manager_cut_from_half_of_the_bmcs_works_on_with_the_others(play: Any) -> None:
    text = faulty(f"kind: partition, from: leader, {HALF}").replace(
        "acts:", "acts:\n  - at: 60s\n    clear_fault: {id: a}"
    )
    result = play(text)
    evidence = result.evidence
    assert result.passed, (evidence.reason, result.violations[:3], result.checks)
    window = evidence.faults[0]
    cut = evidence.fault_hits["a"]
    assert len(cut) <= 3
    during = [r for r in evidence.requests if window.active_at(r.start) and r.performed]
    assert during, "nobody worked on"
    assert {r.host for r in during}.isdisjoint(cut)


def test_what_an_unheard_answer_did_is_not_done_again(play: Any) -> None:
    """Answers of BMCs are lost: actions happened, and nobody knows. The next one reads first."""
    text = faulty("kind: loss, to: {}, direction: answers, probability: 0.3, duration: 5m")
    unheard = []
    for seed in (4, 9):
        result = play(text, seed=seed)
        evidence = result.evidence
        assert evidence.ending == "settled", evidence.reason
        assert result.violations == []
        for host in evidence.fault_hits["a"]:
            actions = [r for r in evidence.requests if r.host == host and r.performed]
            unheard += [before for before, _ in pairwise(actions) if before.fault]
            again = [
                after.action
                for before, after in pairwise(actions)
                if before.fault and before.action == after.action
            ]
            # What sets a state may be set again; a second reset is what must not be.
            assert not [action for action in again if action.startswith("reset:")], actions
    assert any(request.action.startswith("reset:") for request in unheard), "choose other seeds"


def test_a_seed_replays_the_network_too(play: Any) -> None:
    text = faulty("kind: loss, to: api, probability: 0.3, duration: 10s")
    assert play(text).evidence.trace_hash == play(text).evidence.trace_hash


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("kind: los, to: api", '"los" is unknown; did you mean "loss"'),
        ("kind: loss", "faults[0].to: is missing"),
        ("kind: loss, to: apis", '"apis" is unknown; did you mean "api"'),
        ("kind: loss, to: {host: [a]}", 'did you mean "hosts"'),
        ("kind: loss, to: api, from: leaders", '"leaders" is unknown; did you mean "leader"'),
        ("kind: loss, to: api, direction: back", '"back" is unknown'),
        ("kind: loss, to: api, latency: {mean: 1s}", "belongs to faults of kind delay"),
        ("kind: delay, to: api", "faults[0].latency: is missing"),
        ("kind: delay, to: {}, latency: {mean: 1s}, direction: calls", "goes both ways"),
        ("kind: partition, to: api, probability: 0.5", "neither count nor probability"),
        ("kind: partition, to: api, select: {}", "unknown field"),
        ("kind: partition, to: api, every: 5s", "needs a duration"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(fault: str, said: str) -> None:
    with pytest.raises(DocumentError, match=r"s\.yaml:10") as caught:
        loads(faulty(fault), "s.yaml")
    assert said in str(caught.value)


def test_a_role_that_nobody_has_ends_the_run_with_words(play: Any) -> None:
    text = faulty("kind: loss, to: api, from: follower").replace("replicas: 2", "replicas: 1")
    result = play(text)
    assert result.evidence.ending == "failed"
    assert "no living manager is a follower" in result.evidence.reason
