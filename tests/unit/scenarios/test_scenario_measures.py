"""Measures against values worked out by hand; checks and the verdict."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.checks import format_value, judge_checks, saturated
from scenarios.engine.evidence import Incident
from scenarios.engine.invariants import Rules
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.measure_names import MEASURES
from scenarios.engine.measures import measure, output, percentile, sets_owner
from scenarios.engine.result import conclude
from scenarios.engine.schema import Check

pytestmark = pytest.mark.unit


def test_percentiles_are_by_nearest_rank() -> None:
    assert percentile([15, 20, 35, 40, 50], 0.05) == 15
    assert percentile([15, 20, 35, 40, 50], 0.30) == 20
    assert percentile([50, 40, 35, 20, 15], 0.40) == 20
    assert percentile([15, 20, 35, 40, 50], 0.50) == 35
    assert percentile([15, 20, 35, 40, 50], 1.00) == 50
    assert percentile(list(range(1, 101)), 0.95) == 95
    assert percentile(list(range(1, 21)), 0.95) == 19
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.sampled_from([0.5, 0.9, 0.95, 0.99])
)
def test_a_percentile_is_the_smallest_sample_that_covers_its_share(
    samples: list[float], share: float
) -> None:
    found = percentile(samples, share)
    assert found in samples
    assert sum(sample <= found for sample in samples) >= share * len(samples) - 1e-6
    smaller = [sample for sample in samples if sample < found]
    if smaller:
        assert sum(sample <= max(smaller) for sample in samples) < share * len(samples)


def test_every_declared_measure_is_computed(logs: Any) -> None:
    assert set(measure(logs.evidence())) == set(MEASURES)


def storm(logs: Any) -> None:
    """Two hosts, three machines: m3 has to wait for m1's host.

    claims: m1 0.3 s, m2 0.5 s; m3 waits from 1.5 to 12, and is claimed 0.25 s later.
    """
    logs.lease(0.0, "a", 1000)
    for host in ("h1", "h2"):
        logs.host(0.0, host, state="Available")
    for name in ("m1", "m2", "m3"):
        logs.machine(1.0, name)
    logs.host(1.3, "h1", owner="m1")
    logs.host(1.4, "h1", owner="m3", outcome="Conflict", client="beskar7-manager/b")
    logs.host(1.5, "h2", owner="m2")
    logs.request("h1", 2.0, 2.5, operation=logs.provision("h1", "m1"))
    logs.request("h1", 3.0, 3.5, "", operation=logs.provision("h1", "m1"))
    logs.request("h2", 2.25, 2.75, operation=logs.provision("h2", "m2"))
    logs.machine(4.3, "m1", phase="Provisioned")
    logs.machine(5.5, "m2", phase="Provisioned")
    logs.machine(10.0, "m1", deleting=True)
    logs.host(10.5, "h1", owner="", state="Deprovisioning")
    logs.host(12.0, "h1", state="Available")
    logs.machine_gone(12.1, "m1")
    logs.host(12.25, "h1", owner="m3")


def test_times_of_machines(logs: Any) -> None:
    storm(logs)
    rows = {row.name: row for row in machine_times(logs.evidence())}
    assert (rows["m1"].claimed, rows["m1"].eligible, rows["m1"].waited) == (1.3, 1.0, False)
    assert (rows["m1"].deletion, rows["m1"].released, rows["m1"].gone) == (10.0, 12.0, 12.1)
    assert rows["m2"].waited is False, "who takes the last free host did not wait"
    assert (rows["m3"].claimed, rows["m3"].eligible, rows["m3"].waited) == (12.25, 12.0, True)


def test_measures_of_the_small_storm(logs: Any) -> None:
    storm(logs)
    found = measure(logs.evidence())
    expected = {
        "machines_created": 3,
        "machines_deleted": 1,
        "claimed": 3,
        "provisioned": 2,
        "released": 1,
        "waiting": 0,
        "claim_attempts": 4,
        "conflicts": 1,
        "conflict_ratio": 0.25,
        "claim_seconds.count": 2,
        "claim_seconds.p50": 0.3,
        "claim_seconds.p95": 0.5,
        "claim_seconds.mean": 0.4,
        "waited_claim_seconds.count": 1,
        "waited_claim_seconds.max": 0.25,
        "provision_seconds.p50": 3.0,
        "provision_seconds.max": 4.0,
        "ready_seconds.max": 4.5,
        "release_seconds.p50": 2.0,
        "queue_seconds.p50": 0.7,
        "queue_seconds.max": 0.75,
        "bmc_requests": 3,
        "bmc_operations": 2,
        "bmc_requests_per_operation": 1.5,
        "bmc_concurrent_operations_max": 2,
        "bmc_operation_seconds.max": 1.5,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["failover_seconds.p50"] is None


def test_operations_one_after_the_other_are_not_at_once(logs: Any) -> None:
    logs.request("h1", 0.0, 1.0, operation=logs.provision("h1", "m1"))
    logs.request("h2", 1.0, 2.0, operation=logs.provision("h2", "m2"))
    assert measure(logs.evidence())["bmc_concurrent_operations_max"] == 1


def test_a_machine_created_over_an_empty_pool_waits_from_the_first_free_host(logs: Any) -> None:
    logs.machine(0.0, "m1")
    logs.host(5.0, "h1", state="Available")
    logs.host(5.5, "h2", state="Available")
    logs.host(6.0, "h2", owner="m1")
    (row,) = machine_times(logs.evidence())
    assert (row.eligible, row.waited) == (5.0, True)


def test_fail_over_lasts_until_somebody_else_holds_the_lease(logs: Any) -> None:
    logs.lease(0.0, "a")
    logs.lease(2.0, "a")
    logs.incidents = [
        Incident(3.0, "kill-manager", "a"),
        Incident(4.0, "kill-manager", "c"),
    ]
    logs.lease(6.5, "b")
    found = measure(logs.evidence())
    assert (found["failover_seconds.count"], found["failover_seconds.max"]) == (1, 3.5)
    assert found["managers_killed"] == 2


def test_a_refused_write_that_changes_no_owner_is_no_claim(logs: Any) -> None:
    logs.claimed()
    logs.host(2.0, "h1", state="Error", outcome="Conflict")
    assert measure(logs.evidence())["claim_attempts"] == 1


def check(measure: str, **bound: float) -> Check:
    return Check(measure, MEASURES[measure].unit, **bound)


def test_checks_pass_and_fail_at_their_bounds() -> None:
    metrics = {"claimed": 60.0, "claim_seconds.p95": 1.0, "conflict_ratio": None}
    outcomes = [
        (result.outcome, result.value)
        for result in judge_checks(
            [
                check("claimed", equals=60.0),
                check("claimed", equals=59.0),
                check("claimed", minimum=60.0),
                check("claimed", minimum=61.0),
                check("claim_seconds.p95", maximum=1.0),
                check("claim_seconds.p95", maximum=0.999),
                check("conflict_ratio", maximum=0.1),
            ],
            metrics,
        )
    ]
    words = ["passed", "failed", "passed", "failed", "passed", "failed", "failed"]
    assert [word for word, _ in outcomes] == words


def test_a_saturated_harness_gives_no_verdict_on_speed_and_says_so() -> None:
    bottleneck = saturated({"fleet": [0.95, 0.2, 0.95], "api": [0.1, 0.92, 0.97]})
    assert "api" in bottleneck
    assert "fleet" not in bottleneck, "bursts are not a bottleneck"
    metrics: dict[str, float | None] = {"claimed": 59.0, "claim_seconds.p95": 9.0}
    speed, count = judge_checks(
        [check("claim_seconds.p95", maximum=1.0), check("claimed", equals=60.0)],
        metrics,
        bottleneck,
    )
    assert (speed.outcome, count.outcome) == ("not judged", "failed")
    assert "api" in speed.reason


def test_values_for_people() -> None:
    assert format_value(0.0153, "seconds") == "15ms"
    assert format_value(83.44, "seconds") == "1m23.4s"
    assert format_value(0.0323, "ratio") == "3.23 %"
    assert format_value(60.0, "count") == "60"
    assert format_value(None, "seconds") == "-"


def at_rest(logs: Any) -> None:
    logs.claimed()
    logs.event("h1", 1.5, "boot-finished", f"Cd:{logs.image}")
    logs.host(2.0, "h1", state="Provisioned")
    logs.machine(2.0, "m1", phase="Provisioned")


def test_a_run_that_held(logs: Any) -> None:
    logs.host(0.0, "h1", state="")
    logs.host(0.0, "h1", state="Enrolling")
    at_rest(logs)
    result = conclude(logs.evidence(), Rules(), 1.5)
    assert result.passed, result.shortfalls()
    assert "HELD" in result.verdict()
    told = result.to_json()
    assert list(told)[:3] == ["scenario", "clock", "seed"]
    assert {"passed", "checks", "invariants", "metrics", "wall_seconds", "virtual_seconds"} <= set(
        told
    )
    assert told["trace_hash"] is None
    assert told["invariants"]["single-owner"] == {"verdict": "held", "cases": 1, "violations": 0}


def test_a_violation_is_told_with_invariant_host_and_time(logs: Any) -> None:
    at_rest(logs)
    logs.host(7.5, "h1", owner="m2")
    result = conclude(logs.evidence(), Rules(), 1.5)
    assert not result.passed
    assert "NOT HELD" in result.verdict()
    assert "single-owner violated at 7.500 s on h1" in result.verdict()
    (told,) = [v for v in result.to_json()["violations"] if v["invariant"] == "single-owner"]
    assert (told["host"], told["time"]) == ("h1", 7.5)
    assert told["evidence"]["writes"]


@pytest.mark.parametrize("ending", ["timeout", "not enrolled", "failed", "interrupted"])
def test_only_a_settled_run_can_pass(logs: Any, ending: Any) -> None:
    at_rest(logs)
    evidence = logs.evidence()
    evidence.ending, evidence.reason = ending, "because"
    result = conclude(evidence, Rules(), 1.0)
    assert not result.passed
    assert f"ended {ending}: because" in result.verdict()


def test_incomplete_logs_never_hold(logs: Any) -> None:
    at_rest(logs)
    evidence = logs.evidence()
    evidence.complete = False
    result = conclude(evidence, Rules(), 1.0)
    assert {invariant.verdict for invariant in result.invariants} == {"inconclusive"}
    assert not result.passed


def test_a_refused_status_is_no_try_to_own_a_host() -> None:
    def refused(verb: str) -> WriteRecord:
        owned = {"spec": {"consumerRef": {"uid": "u"}}}
        return WriteRecord(
            **{field.name: "" for field in dataclasses.fields(WriteRecord)}
            | {"kind": "PhysicalHost", "verb": verb, "outcome": "Conflict"}
            | {"object": owned, "previous": {"spec": {}}}
        )

    assert sets_owner(refused("update"))
    assert not sets_owner(refused("update_status"))


def test_an_election_is_false_where_the_holder_lived(logs: Any) -> None:
    logs.lease(0.0, "a")
    logs.lease(1.0, "b")
    logs.lease(2.0, "")
    logs.lease(2.5, "b")
    logs.incidents = [Incident(3.0, "kill-manager", "b")]
    logs.lease(9.0, "c")
    logs.lease(20.0, "")
    logs.lease(21.0, "a")
    assert measure(logs.evidence())["false_elections"] == 2


def test_output_counts_from_the_first_creation_to_the_last_machine_that_is_ready() -> None:
    assert output([(10.0, 30.0), (12.0, 46.0), (11.0, None)]) == {
        "makespan_seconds": 36.0,
        "throughput": 200.0,
    }
    assert output([(10.0, None)]) == {"makespan_seconds": None, "throughput": None}
