"""The defects of the guide's diagnostic scripts (facts section 11, by its rows), not made again."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    EVENT,
    PHYSICAL_HOST,
    POD,
    SECRET,
)
from beskar7.api.states import HostState
from beskar7.operations.doctor.diagnosis import Diagnosis, Section
from beskar7.operations.doctor.judging import diagnose, judge
from beskar7.operations.doctor.snapshot import UNREAD, Window

pytestmark = pytest.mark.unit


def section(diagnosis: Diagnosis, name: str) -> Section:
    return next(each for each in diagnosis.sections if each.name == name)


def test_row_0_a_missing_deployment_does_not_end_the_look(make: SimpleNamespace) -> None:
    diagnosis = judge(
        replace(make.healthy(), deployment=None, hosts=[make.host("h", "Error")], machines=[])
    )
    assert {"deployment-missing", "hosts-in-error"} <= {each.id for each in diagnosis.findings}
    assert len(diagnosis.sections) == 12


def test_row_0_machines_without_a_phase_count(make: SimpleNamespace) -> None:
    diagnosis = judge(replace(make.healthy(), machines=[make.machine("m1")], hosts=[]))
    facts = section(diagnosis, "machines").facts
    assert facts["phases"] == {"None": 1}
    assert facts["pending"] == {"default/m1": ""}
    assert diagnosis.has("host-shortage")


def test_row_0_every_state_of_a_host_is_counted(make: SimpleNamespace) -> None:
    words = [str(state) or None for state in HostState]
    hosts = [make.host(f"host-{n}", word) for n, word in enumerate([*words, "Bygone"])]
    facts = section(judge(replace(make.healthy(), hosts=hosts, machines=[])), "hosts").facts
    named = {"None" if word is None else word: 1 for word in words}
    assert facts["states"] == dict(sorted({**named, "Bygone": 1}.items()))
    assert sum(facts["states"].values()) == facts["total"]


def test_row_0_events_are_those_of_the_controllers_kinds_and_all_are_counted(
    make: SimpleNamespace,
) -> None:
    """PhysicalHost's have no "beskar7" in their line, and there are more than three."""
    warnings = [make.event("BMCCircuitOpen", name=f"host-{n}", count=2) for n in range(40)]
    warnings += [make.event("ClaimConflict", "Beskar7Machine")] * 5
    facts = section(judge(replace(make.healthy(), warnings=warnings)), "events").facts
    assert facts["warnings"] == {"BMCCircuitOpen": 80, "ClaimConflict": 5}


def test_row_0_an_error_is_a_record_of_that_level(make: SimpleNamespace) -> None:
    logs = {
        "manager-a": [
            "2027-01-15T08:00:00Z INFO    host: no error; errors=0, outcome=error",
            "2027-01-15T08:00:00Z ERROR   kube.controller: host default/h: it broke",
            "Traceback (most recent call last):",
            "SomeError: this error belongs to the record above",
            '{"ts":"2027-01-15T08:00:01Z","level":"error","logger":"beskar7.term","msg":"gone"}',
        ]
    }
    facts = section(judge(replace(make.healthy(), logs=logs)), "logs").facts
    counts = {logger: each["count"] for logger, each in facts["errors"].items()}
    assert counts == {"kube.controller": 1, "term": 1}


def test_row_0_without_metrics_server_the_rest_is_told(make: SimpleNamespace) -> None:
    diagnosis = judge(replace(make.healthy(), usage=None))
    assert section(diagnosis, "resources").line == "nobody measures them (no metrics-server)"
    assert diagnosis.healthy


def test_row_0_a_right_that_is_missing_is_told_and_the_rest_judged(make: SimpleNamespace) -> None:
    diagnosis = diagnose(make.cluster(PHYSICAL_HOST, EVENT))
    assert diagnosis.has("rights-missing")
    assert section(diagnosis, "leadership").line.startswith("leader manager-a")
    unread = section(diagnosis, "prerequisites").facts["unread"]
    assert set(unread) == {"physicalhosts.infrastructure.cluster.x-k8s.io", "events"}
    # Unread is not empty: nobody waits in vain for hosts that are only not seen.
    assert section(diagnosis, "hosts").line == section(diagnosis, "events").line == UNREAD
    waiting = replace(make.healthy(), machines=[make.machine("m1")], hosts=[])
    assert judge(waiting).has("host-shortage")
    assert not judge(replace(waiting, unread=unread)).has("host-shortage")


def test_row_0_all_namespaces_are_looked_at(make: SimpleNamespace) -> None:
    fake = make.cluster()
    diagnose(fake)
    for kind in (PHYSICAL_HOST, BESKAR7_MACHINE):
        assert [where for _, asked, where, _ in fake.kube.asked if asked == kind] == [None]


@pytest.mark.parametrize("window", [0.0, 5.0])
def test_row_1_the_rate_is_of_conflicts_in_tries(make: SimpleNamespace, window: float) -> None:
    """All series of the counter have the label conflict_reason; a look that found none is no try;
    and without a conflict there is a rate, 0."""
    counter = "beskar7_host_claim_attempts_total"
    text = "# TYPE beskar7_host_claim_attempts counter\n"
    text += f'{counter}{{outcome="success",conflict_reason="none"}} 30\n'
    text += f'{counter}{{outcome="no_hosts",conflict_reason="none"}} 500\n'
    diagnosis = diagnose(make.cluster(manager_a=text), window=window)
    facts = section(diagnosis, "claims").facts
    assert facts["conflictRate"] == 0.0
    # The same text twice: nothing came in between.
    assert (facts["tries"], facts["window"]) == (
        (30, "since the managers' start") if window == 0 else (0, "5s")
    )
    text += f'{counter}{{outcome="conflict",conflict_reason="optimistic_lock"}} 10\n'
    facts = section(diagnose(make.cluster(manager_a=text)), "claims").facts
    assert facts["conflictRate"] == 0.25
    assert facts["conflictReasons"] == {"optimistic_lock": 10}


def test_row_4_the_queue_is_a_number_beside_its_capacity(make: SimpleNamespace) -> None:
    """Not the word HELP of its comment, not one namespace of several, not 50 wherever it is."""
    text = make.quiet.replace("capacity 50", "capacity 20")
    text += 'beskar7_provisioning_queue_length{namespace="other"} 17\n'
    with_other = make.managers(manager_a=text, manager_b="")
    diagnosis = judge(replace(make.healthy(), managers=with_other))
    facts = section(diagnosis, "queue").facts
    assert (facts["length"], facts["capacity"]) == (17, 20)
    assert diagnosis.has("queue-near-full")


def test_row_4_no_metrics_is_not_an_empty_queue(make: SimpleNamespace) -> None:
    diagnosis = judge(replace(make.healthy(), managers=make.managers(), window=Window()))
    assert section(diagnosis, "queue").line.startswith("unknown")
    assert diagnosis.has("manager-silent")


def test_row_4_no_config_map_is_no_failure(make: SimpleNamespace) -> None:
    diagnosis = judge(replace(make.healthy(), config_map=None))
    assert "the defaults hold" in section(diagnosis, "configuration").line
    assert diagnosis.healthy


def test_row_7_the_claim_lease_is_missed_only_where_it_is_wanted(make: SimpleNamespace) -> None:
    without = judge(make.healthy())
    assert "claims are not led" in section(without, "leadership").line
    assert not without.has("no-claim-leader")
    wanted = make.deployed(enable_claim_coordinator_leader_election="true")
    assert judge(replace(make.healthy(), deployment=wanted)).has("no-claim-leader")


def test_row_7_the_managers_container_is_found_by_its_name(make: SimpleNamespace) -> None:
    """The proxy stands first in the pod, with flags, restarts and an image of its own."""
    wanted = make.deployed(enable_claim_coordinator_leader_election="true")
    proxy = {"name": "kube-rbac-proxy", "image": "proxy:1", "args": ["--secure-listen-address=x"]}
    wanted["spec"]["template"]["spec"]["containers"].insert(0, proxy)
    diagnosis = judge(replace(make.healthy(), deployment=wanted))
    assert diagnosis.has("no-claim-leader")
    assert not diagnosis.has("flags-refused")
    facts = section(diagnosis, "deployment").facts
    assert facts["images"] == {"beskar7/manager:1": 2}
    assert facts["restarts"] == {"manager-a": 0, "manager-b": 0}


def test_row_10_pods_are_found_by_the_labels_of_the_installation(make: SimpleNamespace) -> None:
    fake = make.cluster()
    diagnose(fake)
    selectors = {asked["label_selector"] for _, kind, _, asked in fake.kube.asked if kind == POD}
    labels = make.deployed()["spec"]["template"]["metadata"]["labels"]
    assert selectors == {",".join(f"{name}={value}" for name, value in labels.items())}


def test_row_10_claim_times_do_not_need_a_claim_leader(make: SimpleNamespace) -> None:
    bucket = "beskar7_host_claim_duration_seconds"
    text = f"# TYPE {bucket} histogram\n"
    text += f'{bucket}_bucket{{outcome="success",le="1.0"}} 50\n'
    text += f'{bucket}_bucket{{outcome="success",le="+Inf"}} 50\n'
    text += f'{bucket}_count{{outcome="success"}} 50\n'
    facts = section(diagnose(make.cluster(manager_a=text)), "claims").facts
    assert facts["durationP95"] == pytest.approx(0.95)


def test_row_13_bmcs_are_judged_by_what_the_managers_meet_and_no_secret_is_read(
    make: SimpleNamespace,
) -> None:
    """The managers stand where BMCs must be reached from; an operator's machine may not."""
    refused = {"type": "RedfishConnectionReady", "status": "False"}
    broken = make.host(
        "host-9",
        "Error",
        namespace="racks",
        errorMessage="401 Unauthorized",
        conditions=[{**refused, "reason": "RedfishCredentialsRefused"}],
    )
    fake = make.cluster()
    fake.kube.held[PHYSICAL_HOST] = [*make.healthy().hosts, broken]
    diagnosis = diagnose(fake)
    finding = next(each for each in diagnosis.findings if each.id == "hosts-in-error")
    assert "RedfishCredentialsRefused" in finding.message
    assert finding.about == ("racks/host-9: RedfishCredentialsRefused: 401 Unauthorized (for 1m)",)
    assert SECRET not in [kind for _, kind, _, _ in fake.kube.asked]
