"""Each finding of doctor, from a healthy installation with one thing changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from beskar7.api.kinds import PHYSICAL_HOST
from beskar7.api.meta import rfc3339
from beskar7.operations.cluster import Usage
from beskar7.operations.doctor.diagnosis import Severity, catalogue
from beskar7.operations.doctor.judging import judge
from beskar7.operations.doctor.snapshot import Window

pytestmark = pytest.mark.unit

Change = Callable[[SimpleNamespace], dict[str, Any]]
CRASHED = {"terminated": {"exitCode": 2, "reason": "Error", "finishedAt": rfc3339(1_799_999_990)}}
OUT_OF_MEMORY = {
    "terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": rfc3339(1_799_999_990)}
}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
ATTEMPTS = """\
# TYPE beskar7_host_claim_attempts_total counter
beskar7_host_claim_attempts_total{{namespace="default",outcome="success",conflict_reason="none"}} {}
beskar7_host_claim_attempts_total{{namespace="default",outcome="conflict",conflict_reason="a"}} {}
beskar7_host_claim_attempts_total{{namespace="default",outcome="no_hosts",conflict_reason=""}} 900
"""
SLOW = """\
# TYPE beskar7_host_claim_duration_seconds histogram
beskar7_host_claim_duration_seconds_bucket{{outcome="success",le="5.0"}} {}
beskar7_host_claim_duration_seconds_bucket{{outcome="success",le="10.0"}} {}
beskar7_host_claim_duration_seconds_bucket{{outcome="success",le="+Inf"}} {}
beskar7_host_claim_duration_seconds_count{{outcome="success"}} {}
"""
OPERATIONS = """\
# TYPE beskar7_bmc_operation_duration_seconds histogram
beskar7_bmc_operation_duration_seconds_bucket{operation="inspect",outcome="success",le="30.0"} 0
beskar7_bmc_operation_duration_seconds_bucket{operation="inspect",outcome="success",le="60.0"} 20
beskar7_bmc_operation_duration_seconds_bucket{operation="inspect",outcome="success",le="+Inf"} 20
beskar7_bmc_operation_duration_seconds_count{operation="inspect",outcome="success"} 20
"""
WAITS = """\
# TYPE beskar7_bmc_cooldown_waits_total counter
beskar7_bmc_cooldown_waits_total{{bmc_address="b"}} {}
"""
HOOK = {"name": "h", "failurePolicy": "Fail", "clientConfig": {"service": {}, "caBundle": "x"}}


def grown(make: SimpleNamespace, text: str, seconds: float | None = 10.0) -> dict[str, Any]:
    return {"window": Window(make.managers(manager_a=text), seconds)}


def said(make: SimpleNamespace, text: str) -> dict[str, Any]:
    """The leader says this besides."""
    return {"managers": make.managers(manager_a=text + make.leads("manager-a", 1), manager_b="")}


def circuits(make: SimpleNamespace, count: int) -> dict[str, Any]:
    lines = "".join(f'beskar7_bmc_circuit_state{{bmc_address="b{n}"}} 2\n' for n in range(count))
    return said(make, "# TYPE beskar7_bmc_circuit_state gauge\n" + lines) | {
        "hosts": [make.host(f"host-{n}") for n in range(20)],
        "machines": [],
    }


def hooks(make: SimpleNamespace, **more: Any) -> dict[str, Any]:
    return {"webhooks": [{"metadata": {"name": "hooks"}, "webhooks": [{**HOOK, **more}]}]}


CASES: dict[str, tuple[Change, set[str]]] = {
    "nothing": (lambda make: {}, set()),
    "a kind is missing": (lambda make: {"missing_kinds": ["hostclaims.x"]}, {"kinds-missing"}),
    "a right is missing": (lambda make: {"unread": {"logs": "forbidden"}}, {"rights-missing"}),
    "no deployment": (
        lambda make: {"deployment": None, "pods": [], "leases": {}, "managers": make.managers()},
        {"deployment-missing"},
    ),
    "no managers wanted": (
        lambda make: {
            "deployment": make.deployed(0, 0), "pods": [], "managers": make.managers(),
            "leases": {"beskar7-controller-manager": make.lease("")},
        },
        {"scaled-to-zero", "no-leader"},
    ),
    "none ready": (
        lambda make: {"deployment": make.deployed(2, 0)}, {"deployment-unavailable"},
    ),
    "one of two ready": (lambda make: {"deployment": make.deployed(2, 1)}, {"replicas-missing"}),
    "one wanted": (lambda make: {"deployment": make.deployed(1, 1)}, {"single-manager"}),
    "a flag that is none": (
        lambda make: {"deployment": make.deployed(max_concurrent_reconcile="5")},
        {"flags-refused"},
    ),
    "a rollout that stands": (
        lambda make: {"deployment": make.deployed() | {"status": {
            "readyReplicas": 2,
            "conditions": [{"type": "Progressing", "status": "False", "message": "timed out"}],
        }}},
        {"rollout-stuck"},
    ),
    "a crash loop": (
        lambda make: {"pods": [
            make.pod("manager-a"),
            make.pod("manager-b", ready=False, restarts=3, state=BACK_OFF, last=CRASHED),
        ]},
        {"manager-crashing"},
    ),
    "a container that is being made": (
        lambda make: {"pods": [
            make.pod("manager-a"),
            make.pod("manager-b", ready=False, state={"waiting": {"reason": "ContainerCreating"}}),
        ]},
        set(),
    ),
    "a restart": (
        lambda make: {"pods": [make.pod("manager-a", restarts=1, last=CRASHED),
                               make.pod("manager-b")]},
        {"manager-restarted"},
    ),
    "a restart of long ago": (
        lambda make: {"at": make.now + 3600, "pods": [
            make.pod("manager-a", restarts=1, last=CRASHED), make.pod("manager-b"),
        ], "leases": {"beskar7-controller-manager": make.lease("manager-a", age=-3599)}},
        set(),
    ),
    "out of memory": (
        lambda make: {"pods": [make.pod("manager-a", restarts=1, last=OUT_OF_MEMORY),
                               make.pod("manager-b")]},
        {"manager-out-of-memory"},
    ),
    "two images": (
        lambda make: {"pods": [make.pod("manager-a", image="beskar7/manager:2"),
                               make.pod("manager-b")]},
        {"images-mixed"},
    ),
    "a manager without metrics": (
        lambda make: {"managers": make.managers(manager_a=make.leads("manager-a", 1))},
        {"manager-silent"},
    ),
    "webhooks, and nobody serves them": (hooks, {"webhooks-without-manager"}),
    "webhooks that are served": (
        lambda make: hooks(make) | {"deployment": make.deployed(
            webhook_port="9443", webhook_cert_dir="/c")},
        set(),
    ),
    "webhooks that let pass": (lambda make: hooks(make, failurePolicy="Ignore"), set()),
    "webhooks without a certificate": (
        lambda make: hooks(make, clientConfig={}) | {"deployment": make.deployed(
            webhook_port="9443", webhook_cert_dir="/c")},
        {"webhooks-without-certificate"},
    ),
    "no lease": (lambda make: {"leases": {}}, {"no-leader"}),
    "a lease that is not renewed": (
        lambda make: {"leases": {"beskar7-controller-manager": make.lease("manager-a", age=16)}},
        {"no-leader"},
    ),
    "a lease of a manager that is gone": (
        lambda make: {"leases": {"beskar7-controller-manager": make.lease("manager-z")}},
        {"leader-gone"},
    ),
    "no election is wanted": (
        lambda make: {"leases": {}, "deployment": make.deployed(leader_elect="false")}, set(),
    ),
    "two say that they lead": (
        lambda make: {"managers": make.managers(
            manager_a=make.leads("manager-a", 1), manager_b=make.leads("manager-b", 1))},
        {"several-leaders"},
    ),
    "claims are to be led, and are not": (
        lambda make: {"deployment": make.deployed(enable_claim_coordinator_leader_election="true")},
        {"no-claim-leader"},
    ),
    "leadership changes and changes": (
        lambda make: {"elections": [make.event("LeaderElected", "Lease", count=2, name="l"),
                                    make.event("LeaderElected", "Lease", count=2, name="l")]},
        {"leadership-unstable"},
    ),
    "a rollout's changes": (
        lambda make: {"elections": [make.event("LeaderElected", "Lease", count=1, name="l")] * 3},
        set(),
    ),
    "a value out of range": (
        lambda make: {"config_map": {"data": {"provisioning.maxConcurrentOps": "99",
                                              "provisioning.workerCount": "8"}}},
        {"configuration-refused", "configuration-doubtful"},
    ),
    "a manager refuses the ConfigMap": (
        lambda make: said(make, "# TYPE beskar7_configuration_valid gauge\n"
                                "beskar7_configuration_valid 0\n"),
        {"configuration-refused"},
    ),
    "fewer workers than operations": (
        lambda make: {"config_map": {"data": {"provisioning.workerCount": "2"}}},
        {"configuration-doubtful"},
    ),
    "a host in Error": (
        lambda make: {"hosts": [*make.healthy().hosts, make.host("host-3", "Error")]},
        {"hosts-in-error"},
    ),
    "a host that does not enrol": (
        lambda make: {"hosts": [*make.healthy().hosts, make.host("host-3", None, age=901)]},
        {"hosts-stuck"},
    ),
    "a host that is paused in passing": (
        lambda make: {"hosts": [*make.healthy().hosts, make.host(
            "host-3", "Enrolling", age=901,
            annotations={"cluster.x-k8s.io/paused": ""})]},
        {"hosts-paused"},
    ),
    "a host that enrols": (
        lambda make: {"hosts": [*make.healthy().hosts, make.host("host-3", None, age=899)]},
        set(),
    ),
    "a host of a machine that is gone": (
        lambda make: {"machines": [], "hosts": [make.host(
            "host-1", "Provisioned", age=100,
            consumerRef={"kind": "Beskar7Machine", "name": "m1", "uid": "m-m1"})]},
        {"hosts-of-nobody"},
    ),
    "machines wait and no host is free": (
        lambda make: {"machines": [*make.healthy().machines, make.machine("m2"),
                                   make.machine("m3", "Pending", "WaitingForPhysicalHost")]},
        {"host-shortage"},
    ),
    "a machine waits beside a free host": (
        lambda make: {"machines": [*make.healthy().machines, make.machine("m2")]}, set(),
    ),
    "a machine wants what no host has": (
        lambda make: {"machines": [*make.healthy().machines, make.machine(
            "m2", "Pending", "NoMatchingHost", hostRequirements={"requiredTags": ["gpu"]})]},
        {"machines-unsatisfiable"},
    ),
    "a machine failed": (
        lambda make: {"machines": [*make.healthy().machines, make.machine("m2", "Failed")]},
        {"machines-failed"},
    ),
    "a machine does not get on": (
        lambda make: {"machines": [*make.healthy().machines, make.machine(
            "m2", "Provisioning", "PhysicalHostNotReady", age=901, hostRef={"name": "host-2"})]},
        {"machines-stuck"},
    ),
    "a machine does not go": (
        lambda make: {"machines": [*make.healthy().machines, make.machine(
            "m2", "Provisioned", age=901, deletionTimestamp=rfc3339(make.now - 901))]},
        {"machines-going"},
    ),
    "conflicts above 15 %": (
        lambda make: grown(make, ATTEMPTS.format(8, 2)), {"claim-conflicts-high"},
    ),
    "conflicts above 10 %": (
        lambda make: grown(make, ATTEMPTS.format(88, 12)), {"claim-conflicts"},
    ),
    "one conflict in one try": (lambda make: grown(make, ATTEMPTS.format(0, 1)), set()),
    "conflicts since the start": (
        lambda make: grown(make, ATTEMPTS.format(8, 2), None), {"claim-conflicts-high"},
    ),
    "slow claims": (
        lambda make: grown(make, SLOW.format(5, 20, 20, 20)), {"claims-slow"},
    ),
    "quick claims": (lambda make: grown(make, SLOW.format(20, 20, 20, 20)), set()),
    "claims without their leader": (
        lambda make: grown(make, "# TYPE beskar7_host_claim_optimistic_total counter\n"
                                 "beskar7_host_claim_optimistic_total 3\n") | {
            "deployment": make.deployed(enable_claim_coordinator_leader_election="true"),
            "leases": {name: make.lease("manager-a") for name in (
                "beskar7-controller-manager", "beskar7-claim-coordinator-leader")},
        },
        {"claims-unled"},
    ),
    "41 of 50 places": (
        lambda make: said(make, make.quiet.replace('"default"} 0', '"default"} 41')),
        {"queue-near-full"},
    ),
    "40 of 50 places": (
        lambda make: said(make, make.quiet.replace('"default"} 0', '"default"} 40')), set(),
    ),
    "a queue that turns away": (
        lambda make: grown(make, "# TYPE beskar7_provisioning_queue_rejections_total counter\n"
                                 'beskar7_provisioning_queue_rejections_total{namespace="n"} 1\n'),
        {"queue-rejects"},
    ),
    "a drained queue in which some wait": (
        lambda make: said(make, make.quiet.replace('"default"} 0', '"default"} 2')) | {
            "config_map": {"data": {"provisioning.maxConcurrentOps": "0"}}},
        {"queue-drained", "configuration-doubtful"},
    ),
    "one BMC of 20 is silent": (lambda make: circuits(make, 1), {"bmcs-unreachable"}),
    "three BMCs of 20 are silent": (lambda make: circuits(make, 3), {"many-bmcs-unreachable"}),
    "a BMC that has to rest": (lambda make: grown(make, WAITS.format(4)), {"bmcs-overloaded"}),
    "a BMC that rested once": (lambda make: grown(make, WAITS.format(1), 1.0), set()),
    "slow BMC operations": (lambda make: grown(make, OPERATIONS), {"bmc-operations-slow"}),
    "Warning Events": (
        lambda make: {"warnings": [make.event("ProvisioningFailed")]}, {"warning-events"},
    ),
    "Warning Events of others": (
        lambda make: {"warnings": [make.event("FailedMount", "Pod"),
                                   make.event("Old", ago=601)]},
        set(),
    ),
    "Warning Events of the managers' pods": (
        lambda make: {"warnings": [make.event("BackOff", "Pod", namespace=make.system)]},
        {"warning-events"},
    ),
    "an error in a log": (
        lambda make: {"logs": {"manager-a": ["2027-01-15T08:00:00Z ERROR   term: it failed"]}},
        {"errors-in-logs"},
    ),
    "much memory": (
        lambda make: {"usage": {"manager-a": Usage(0.1, 900 * 2**20)}}, {"memory-near-limit"},
    ),
    "much processor time": (
        lambda make: {"usage": {"manager-a": Usage(0.95, 2**26)}}, {"cpu-near-limit"},
    ),
    "nobody measures": (lambda make: {"usage": None}, set()),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_found(case: str, make: SimpleNamespace) -> None:
    change, expected = CASES[case]
    diagnosis = judge(replace(make.healthy(), **change(make)))
    assert {each.id for each in diagnosis.findings} == expected, diagnosis.to_json()


def test_every_finding_that_there_is_has_a_case() -> None:
    assert set(catalogue()) == {id for _, ids in CASES.values() for id in ids}


def test_the_worst_comes_first_and_decides(make: SimpleNamespace) -> None:
    diagnosis = judge(
        replace(
            make.healthy(),
            leases={},
            warnings=[make.event("ProvisioningFailed")],
            missing_kinds=[PHYSICAL_HOST.qualified],
            hosts=[make.host("host-1", "Error")],
            machines=[],
        )
    )
    assert [each.severity for each in diagnosis.findings] == [
        Severity.CRITICAL,
        Severity.CRITICAL,
        Severity.WARNING,
        Severity.NOTICE,
    ]
    assert diagnosis.severity is Severity.CRITICAL
    assert not diagnosis.healthy
    assert diagnosis.has("no-leader")
    with pytest.raises(ValueError, match="no finding"):
        diagnosis.has("no-leadre")
    only_notices = judge(replace(make.healthy(), warnings=[make.event("ProvisioningFailed")]))
    assert only_notices.healthy
    assert only_notices.severity is Severity.NOTICE


def test_of_a_crash_the_last_words_are_told_not_a_whole_log(make: SimpleNamespace) -> None:
    log = "INFO much\n" * 500 + "beskar7 manager: error: unrecognized arguments: --x"
    ended = {"terminated": {**CRASHED["terminated"], "message": log}}
    pods = [make.pod("manager-a"), make.pod("manager-b", ready=False, state=BACK_OFF, last=ended)]
    diagnosis = judge(replace(make.healthy(), pods=pods))
    (found,) = diagnosis.findings
    assert found.message == (
        "manager-b: CrashLoopBackOff, last ended with Error (exit code 2): "
        "beskar7 manager: error: unrecognized arguments: --x"
    )
    assert len(str(diagnosis.to_json())) < 10_000
