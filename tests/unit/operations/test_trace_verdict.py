"""What the matter is with a machine, from its object, its host, the lease and the pool."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.meta import ObjectKey, rfc3339
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.config import Tuning
from beskar7.kube.leaserecord import LeaseRecord
from beskar7.operations import trace_entries as kinds
from beskar7.operations.trace_entries import Entry
from beskar7.operations.trace_verdict import (
    DONE,
    FAILED,
    GONE,
    STUCK,
    UNKNOWN,
    WAITING,
    Facts,
    judge,
)

pytestmark = pytest.mark.unit

NOW = 1764232000.0
KEY = ObjectKey("default", "m")


def machine(phase: str = "Pending", age: float = 30.0, **status: Any) -> Beskar7Machine:
    meta = {"name": "m", "namespace": "default", "creationTimestamp": rfc3339(NOW - age)}
    return Beskar7Machine({"metadata": meta, "spec": {}, "status": {"phase": phase, **status}})


def host(state: str, age: float = 10.0, *, mine: bool = True, **status: Any) -> PhysicalHost:
    raw: dict[str, Any] = {
        "metadata": {"name": "h", "namespace": "default"},
        "spec": {},
        "status": {"state": state, "stateSince": rfc3339(NOW - age), **status},
    }
    if mine:
        raw["spec"]["consumerRef"] = {"namespace": "default", "name": "m", "uid": "u"}
    else:
        raw["status"]["ready"] = state == "Available"
    return PhysicalHost(raw)


def lease(holder: str, renewed: float) -> LeaseRecord:
    return LeaseRecord(holder, 15.0, "", rfc3339(NOW - renewed), 0)


def facts(**more: Any) -> Facts:
    given: dict[str, Any] = {
        "now": NOW,
        "key": KEY,
        "machine": None,
        "hosts": (),
        "pool": (),
        "lease": lease("a", 1.0),
        "tuning": Tuning(),
        "paused": "",
        "entries": (),
    }
    return Facts(**given | more)


READY = Entry(NOW - 50, True, "log", kinds.READY, "", "default/h")
FREE = {"pool": [host("Available", mine=False)]}
BOOTING = {"boot": {"requestedAt": rfc3339(NOW - 100)}}
LATE = {"boot": {"requestedAt": rfc3339(NOW - 1000)}}
CASES: dict[str, tuple[dict[str, Any], str, str, float | None]] = {
    "nothing is known": ({}, UNKNOWN, "nothing is known", None),
    "gone, and it was there": ({"entries": [READY]}, GONE, "provisioned on host h", 50.0),
    "gone on its way": (
        {"entries": [Entry(NOW - 9, True, "log", kinds.CLAIMED, "", "default/h")]},
        *(FAILED, "never was provisioned", 9.0),
    ),
    "done": ({"machine": machine("Provisioned"), "hosts": [host("Provisioned")]}, DONE, "h", None),
    "done, though nobody leads": (
        {"machine": machine("Provisioned"), "lease": lease("a", 99.0)},
        *(DONE, "done", None),
    ),
    "failed": (
        {"machine": machine("Failed", failureReason="InvalidProviderID", failureMessage="no")},
        *(FAILED, "InvalidProviderID: no", None),
    ),
    "paused": (
        {"machine": machine(), "paused": "its Cluster c is paused"},
        WAITING,
        "paused",
        None,
    ),
    "the lease ran out": (
        {"machine": machine(), "lease": lease("a", 20.0)},
        *(STUCK, "the lease of a ran out", 5.0),
    ),
    "the lease was given up": (
        {"machine": machine(), "lease": lease("", 20.0)},
        *(STUCK, "given up", 20.0),
    ),
    "no host is free": (
        {"machine": machine(age=600.0), "pool": [host("Provisioned"), host("Error")]},
        *(WAITING, "1 Error, 1 Provisioned", 600.0),
    ),
    "there is no host at all": ({"machine": machine()}, STUCK, "has no PhysicalHost", 30.0),
    "beside a free host, a moment": ({"machine": machine(), **FREE}, WAITING, "1 host", 30.0),
    "beside a free host, too long": (
        {"machine": machine(age=61.0), **FREE},
        *(STUCK, "1 host that fits is free", 61.0),
    ),
    "its host was lost": (
        {
            "machine": machine(age=900.0),
            **FREE,
            "entries": [Entry(NOW - 5, True, "log", kinds.RELEASED, "", "default/h")],
        },
        *(WAITING, "its claim", 5.0),
    ),
    "its host is in Error": (
        {"machine": machine(), "hosts": [host("Error", errorMessage="no answer")]},
        *(STUCK, "host h is in Error: no answer", 10.0),
    ),
    "its host waits for the queue": (
        {"machine": machine(), "hosts": [host("Claimed")]},
        *(WAITING, "host h to be taken up", 10.0),
    ),
    "the queue is drained": (
        {
            "machine": machine(),
            "hosts": [host("Provisioning", age=5000.0)],
            "tuning": Tuning(max_concurrent_ops=0),
        },
        *(WAITING, "maxConcurrentOps: 0", 5000.0),
    ),
    "its host boots": (
        {"machine": machine(), "hosts": [host("Provisioning", **BOOTING)]},
        *(WAITING, "host h to boot", 100.0),
    ),
    "its host boots for ever": (
        {"machine": machine(), "hosts": [host("Provisioning", **LATE)]},
        *(STUCK, "15m should be enough", 1000.0),
    ),
    "its BMC is not told to boot": (
        {"machine": machine(), "hosts": [host("Provisioning", age=1300.0)]},
        *(STUCK, "be told to boot", 1300.0),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict(case: str) -> None:
    given, state, said, ago = CASES[case]
    found = judge(facts(**given))
    assert found.state == state
    assert said in found.text
    assert found.since == (None if ago is None else NOW - ago)
    assert found.fine == (state in (DONE, GONE))


@pytest.mark.parametrize(("ago", "state"), [(10.0, WAITING), (70.0, STUCK)])
def test_a_machine_that_is_to_go(ago: float, state: str) -> None:
    going = machine("Provisioned")
    going.metadata["deletionTimestamp"] = rfc3339(NOW - ago)
    found = judge(facts(machine=going, hosts=[host("Provisioned")]))
    assert found.state == state
    assert "host h to be released" in found.text
    assert found.since == NOW - ago


def test_no_host_could_ever_do() -> None:
    asked = machine(age=5.0)
    asked.spec["hostRequirements"] = {"minCPUCores": 64}
    small = host("Available", mine=False, hardwareDetails={"cpuCores": 8})
    found = judge(facts(machine=asked, pool=[small]))
    assert found.state == STUCK
    assert "minCPUCores 64 excludes 1" in found.text
