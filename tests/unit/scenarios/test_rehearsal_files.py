"""The section ``rehearsal`` of a scenario file: what it means, and what is said of mistakes."""

from __future__ import annotations

import pytest

from beskar7.api.problems import DocumentError
from scenarios.engine.loader import loads
from scenarios.engine.rehearsal.condition_fields import alarms, metrics
from scenarios.engine.rehearsal.conditions import (
    QUIET,
    AlarmFires,
    Bounds,
    DoctorFinds,
    EventCame,
    HostsAre,
    LeaseChanged,
    LogSaid,
    MachinesAre,
    MetricIs,
    Series,
)
from scenarios.engine.rehearsal.kubectl_commands import Kubectl
from scenarios.engine.rehearsal.remedies import Recover
from scenarios.engine.schema import ClearFault, Configure, Scenario

pytestmark = pytest.mark.unit
TEXT = """\
name: drained
guide: 2. Provisioning Queue Issues
world: {hosts: {count: 2}}
load: {machines: 2}
faults: []
rehearsal:
  cause:
    - {at: 0s, configure: {provisioning.maxConcurrentOps: 0}}
  symptom:
    - {SYMPTOM}
  remedy:
    - {REMEDY}
  recovery:
    - {hosts: Provisioned, min: 2, within: 60s}
  hints: [Look at the queue.]
"""
QUEUE = "metric: beskar7_provisioning_queue_length, min: 1, within: 30s"
CLEAR = 'kubectl: "rollout restart deploy/beskar7-controller-manager -n beskar7-system"'


def read(symptom: str = QUEUE, remedy: str = CLEAR, text: str = TEXT) -> Scenario:
    return loads(text.replace("SYMPTOM", symptom).replace("REMEDY", remedy))


def test_a_rehearsal_is_read_and_its_managers_are_pods() -> None:
    scenario = read()
    script = scenario.rehearsal
    assert script is not None
    assert scenario.guide == "2. Provisioning Queue Issues"
    assert scenario.world.managers.deployed
    assert [act.action for act in script.cause] == [
        Configure({"provisioning.maxConcurrentOps": "0"})
    ]
    assert scenario.played == script.cause
    assert scenario.acts == ()
    assert script.hints == ("Look at the queue.",)
    assert script.recovery[0].what == HostsAre("Provisioned", Bounds(2.0))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "metric: beskar7_host_claim_attempts_total, labels: {outcome: conflict}, "
            "over: {metric: beskar7_host_claim_attempts_total}, min: 10%, within: 1m",
            MetricIs(
                Series("beskar7_host_claim_attempts_total", {"outcome": "conflict"}),
                Bounds(0.1),
                Series("beskar7_host_claim_attempts_total"),
            ),
        ),
        (
            "metric: beskar7_host_claim_duration_seconds, quantile: 0.95, max: 5, within: 1m",
            MetricIs(
                Series("beskar7_host_claim_duration_seconds"), Bounds(None, 5.0), quantile=0.95
            ),
        ),
        ("event: QueueFull, min: 3, within: 1m", EventCame("QueueFull", 3)),
        ('log: "*turned away*", within: 1m', LogSaid("*turned away*")),
        ("alarm: ProvisioningQueueFull, within: 1m", AlarmFires("ProvisioningQueueFull")),
        ("hosts: None, within: 1m", HostsAre("None", Bounds(1.0))),
        ("machines: Waiting, max: 0, within: 1m", MachinesAre("Waiting", Bounds(None, 0.0))),
        (
            "lease: beskar7-controller-manager, transitions: 3, within: 1m",
            LeaseChanged("beskar7-controller-manager", 3),
        ),
        ("doctor: queue-drained, within: 1m", DoctorFinds("queue-drained")),
    ],
)
def test_every_condition_is_read(text: str, what: object) -> None:
    script = read(text).rehearsal
    assert script is not None
    assert script.symptom[0].what == what
    assert script.symptom[0].within == 60.0


def test_what_is_to_stay_away_does_so_for_a_time() -> None:
    script = read("event: QueueFull, absent: true, within: 1m").rehearsal
    assert script is not None
    assert (script.symptom[0].lasting, script.symptom[0].absent) == (QUIET, True)
    assert str(script.symptom[0]) == "no Event QueueFull, for 5s"


@pytest.mark.parametrize(
    ("symptom", "said"),
    [
        ("metric: beskar7_provisioning_queue_lenth, within: 1m", 'did you mean "beskar7_prov'),
        ("metric: beskar7_host_claim_duration_seconds, within: 1m", "is a histogram; give a quan"),
        (f"{QUEUE}, quantile: 0.5", "is not a histogram"),
        ("metric: beskar7_leader, min: 2, max: 1, within: 1m", "is more than max"),
        (
            "metric: beskar7_leader, over: {metric: beskar7_leader}, within: 1m",
            "has no bound; give min or max",
        ),
        ("event: queueFull, within: 1m", "for example QueueFull"),
        ("alarm: QueueFull, within: 1m", 'did you mean "ProvisioningQueueFull"'),
        ("hosts: Broken, within: 1m", "known: Available"),
        ("lease: mine, within: 1m", "beskar7-claim-coordinator"),
        ("doctor: queue-full, within: 1m", "did you mean"),
        ("within: 1m", "has no condition; give one of metric, event"),
        ("event: QueueFull, hosts: Error, within: 1m", "has 2 conditions"),
        ("event: QueueFull", "within: is missing"),
        ("event: QueueFull, for: 3s, within: 1m", "what has come stays so"),
        ("hosts: Error, for: 2m, within: 1m", "is shorter than the 120s"),
        ("hosts: Error, min: 1, mni: 2, within: 1m", 'did you mean "min"'),
    ],
)
def test_what_is_wrong_with_a_condition_is_said_with_its_line(symptom: str, said: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read(symptom)
    [first, *_] = str(caught.value).splitlines()
    assert first.startswith("scenario.yaml:10: rehearsal.symptom[0]")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("remedy", "action"),
    [
        ("clear_fault: {}", ClearFault()),
        ("recover: queue, restart: true", Recover("queue", restart=True)),
        ("recover: hosts, names: [host-001]", Recover("hosts", ("host-001",))),
    ],
)
def test_a_remedy_may_be_an_action_or_a_procedure(remedy: str, action: object) -> None:
    script = read(remedy=remedy).rehearsal
    assert script is not None
    assert script.remedy == (action,)


def test_a_remedy_may_be_a_kubectl_command() -> None:
    script = read().rehearsal
    assert script is not None
    assert isinstance(script.remedy[0], Kubectl)


@pytest.mark.parametrize(
    ("remedy", "said"),
    [
        ('kubectl: "exec -it pod -- sh"', "is not a command that a scenario may give"),
        ("recover: everything", "split-brain"),
        ("clear_fault: {id: x}", 'no fault "x" was added before'),
        ("at: 3s, clear_fault: {}", "comes when the one before is done"),
        ("restart: true, clear_fault: {}", "unknown field"),
    ],
)
def test_what_is_wrong_with_a_remedy_is_said_with_its_line(remedy: str, said: str) -> None:
    with pytest.raises(DocumentError, match=r"scenario.yaml:12: rehearsal.remedy\[0\]") as caught:
        read(remedy=remedy)
    assert said in str(caught.value)


def test_a_file_has_acts_or_a_rehearsal() -> None:
    acts = "acts: [{at: 1s, start_manager: {}}]\nfaults: []"
    with pytest.raises(DocumentError, match="a file has acts or a rehearsal"):
        read(text=TEXT.replace("faults: []", acts))


@pytest.mark.parametrize("part", ["cause", "symptom", "remedy", "recovery"])
def test_no_act_may_be_missing(part: str) -> None:
    text = TEXT.replace(f"  {part}:\n", f"  {part}: []\n  dropped-{part}:\n")
    with pytest.raises(DocumentError, match=f"rehearsal.{part}: needs"):
        read(text=text)


def test_faults_may_be_all_of_the_cause() -> None:
    fault = "faults: [{id: dead, kind: hang, select: {hosts: [host-001]}}]"
    text = TEXT.replace("faults: []", fault).replace("  cause:\n", "  cause: []\n")
    lines = [line for line in text.splitlines() if "maxConcurrentOps" not in line]
    script = read(remedy="clear_fault: {id: dead}", text="\n".join(lines)).rehearsal
    assert script is not None
    assert script.cause == ()


def test_the_known_names_are_the_managers_and_the_rules_own() -> None:
    assert metrics()["beskar7_host_claim_attempts_total"] == "counter"
    assert metrics()["beskar7_provisioning_queue_length"] == "gauge"
    assert "HighClaimConflictRate" in alarms()
