"""requirements-met, and who may wait although hosts are free."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.engine.invariants import Rules
from scenarios.engine.invariants.ending import terminal
from scenarios.engine.invariants.ownership import requirements_met
from scenarios.engine.machinetimes import machine_times

pytestmark = pytest.mark.unit
RULES = Rules()
WORLD = """
name: handmade
world:
  hosts: {count: 2, cores: 8, memory_gib: 64, groups: [{count: 1, cores: 32, memory_gib: 256}]}
load: {machines: 2}
"""
BIG, SMALL = "host-001", "host-002"


def asks(logs: Any, name: str, at: float = 0.5, **requirements: Any) -> None:
    logs.machine(at, name, spec={"hostRequirements": requirements})


def host(logs: Any, name: str, *, tags: tuple[str, ...] = (), **labels: str) -> None:
    def change(obj: dict[str, Any]) -> None:
        obj["metadata"].update(finalizers=["f"], labels=labels)
        obj["spec"] = {"tags": list(tags)}
        obj["status"] = {"state": "Available"}

    logs._write(0.0, "PhysicalHost", name, "default", change, object_uid=f"uid-{name}")


@pytest.mark.parametrize(
    ("requirements", "missing"),
    [
        ({"requiredTags": ["gpu", "nvme"]}, "without the tag nvme"),
        ({"requiredLabels": {"tier": "gold"}}, "without the label tier=gold"),
        ({"minCPUCores": 16}, "without 16 cores (it has 8)"),
        ({"minMemoryGB": 65}, "without 65 GiB (it has 64)"),
    ],
)
def test_a_claim_of_a_host_that_does_not_do_is_told(logs, requirements, missing) -> None:
    host(logs, SMALL, tags=("gpu",), tier="silver")
    asks(logs, "m1", **requirements)
    logs.host(1.0, SMALL, owner="m1")
    (violation,) = requirements_met(logs.evidence(scenario=WORLD), RULES).violations
    assert (violation.host, violation.machine, violation.time) == (SMALL, "m1", 1.0)
    assert missing in violation.detail


def test_a_claim_of_a_host_that_does_is_a_case_and_no_violation(logs: Any) -> None:
    host(logs, BIG, tags=("gpu",), tier="gold")
    wanted = {"requiredTags": ["gpu"], "requiredLabels": {"tier": "gold"}}
    asks(logs, "m1", minCPUCores=32, minMemoryGB=256, preferredTags=["none"], **wanted)
    logs.host(1.0, BIG, owner="m1")
    judged = requirements_met(logs.evidence(scenario=WORLD), RULES)
    assert (judged.violations, judged.cases) == ([], 1)


def test_who_needs_another_host_than_the_free_ones_may_wait(logs: Any) -> None:
    host(logs, SMALL)
    asks(logs, "m1", minCPUCores=16)
    assert terminal(logs.evidence(scenario=WORLD), RULES).violations == []
    host(logs, BIG)
    (violation,) = terminal(logs.evidence(scenario=WORLD), RULES).violations
    assert f"1 are free ({BIG})" in violation.detail


def test_the_wait_for_a_host_that_does_is_not_counted_against_the_claim(logs: Any) -> None:
    host(logs, SMALL)
    asks(logs, "m1", minCPUCores=16)
    logs.host(9.0, BIG, state="Available")
    logs.host(9.5, BIG, owner="m1")
    (row,) = machine_times(logs.evidence(scenario=WORLD))
    assert (row.waited, row.eligible, row.claimed) == (True, 9.0, 9.5)
