"""Rehearsals in virtual time: the four acts come in their order, and what is missing is told."""

from __future__ import annotations

import functools
import itertools
import os
from typing import Any

import pytest

from beskar7.api.kinds import CONFIG_MAP
from scenarios.engine import trial
from scenarios.engine.acts import Stage
from scenarios.engine.evidence import Evidence
from scenarios.engine.history import state
from scenarios.engine.loader import loads
from scenarios.engine.rehearsal.alarms import promtool
from scenarios.engine.rehearsal.play import Play
from scenarios.engine.rehearsal.record import seconds_of
from scenarios.engine.result import Result
from scenarios.engine.runner import Run
from scenarios.engine.virtual import run_virtual
from scenarios.engine.world import World

pytestmark = pytest.mark.sim

QUEUE = """\
name: queue-overload-small
guide: 2. Provisioning Queue Issues
world:
  hosts: {count: 16, scale: {boot: 0.005, latency: 0.05}}
  managers: {replicas: 2}
  config: {provisioning.maxQueueSize: 10, provisioning.bmcCooldownPeriod: 1s}
load: {machines: 16}
rehearsal:
  cause:
    - {at: 0s, configure: {provisioning.maxConcurrentOps: 0}}
  symptom:
    - {metric: beskar7_provisioning_queue_length, min: 8, within: 30s}
    - {metric: beskar7_host_claim_attempts_total, labels: {outcome: success},
       over: {metric: beskar7_host_claim_attempts_total}, min: 50%, within: 30s}
    - {event: QueueFull, within: 30s}
    - {alarm: ProvisioningQueueFull, within: 60s}
    - {doctor: queue-drained, within: 30s}
    - {hosts: Provisioning, min: 10, for: 2s, within: 30s}
  remedy:
    - kubectl: >-
        patch configmap beskar7-config -n beskar7-system
        --patch '{"data":{"provisioning.maxConcurrentOps":"5"}}'
    - {kubectl: rollout restart deployment/beskar7-controller-manager -n beskar7-system}
    - {kubectl: rollout status deployment/beskar7-controller-manager -n beskar7-system}
  recovery:
    - {machines: Provisioned, min: 16, within: 60s}
    - {event: QueueFull, absent: true, within: 60s}
    - {alarm: ProvisioningQueueFull, absent: true, within: 60s}
    - {doctor: queue-drained, absent: true, within: 60s}
  hints: [Look at what is let through.]
checks:
  - {measure: recovery_seconds, max: 60s}
"""


def outcomes(result: Result, part: str) -> dict[str, str]:
    [found] = [each for each in result.evidence.parts if each.name == part]
    return {step.what: step.outcome for step in found.steps}


@functools.cache
def once() -> Result:
    return trial.play(loads(QUEUE), 7)


@pytest.fixture
def repaired() -> Result:
    """One run for all that look at it."""
    return once()


def test_the_remedy_is_followed_by_the_recovery(repaired: Result) -> None:
    assert repaired.passed, repaired.verdict()
    parts = repaired.evidence.parts
    assert [part.name for part in parts] == ["cause", "symptom", "remedy", "recovery"]
    for before, after in itertools.pairwise(parts):
        # To read the counters from which the next act counts takes a call of the API.
        assert after.began == pytest.approx(before.ended, abs=0.1)
    assert {o for part in parts for o in outcomes(repaired, part.name).values()} <= (
        {"done", "came"} if promtool() else {"done", "came", "not judged"}
    )
    told = repaired.to_json()
    assert [act["act"] for act in told["acts"]] == [part.name for part in parts]
    for name in ("symptom", "remedy", "recovery"):
        assert told["metrics"][f"{name}_seconds"] == pytest.approx(
            seconds_of(parts, name), abs=1e-5
        )


def test_alarms_are_judged_in_ci(repaired: Result) -> None:
    if os.environ.get("CI") == "true" and os.environ.get("BESKAR7_INTEROP") == "1":
        assert promtool() is not None, "promtool is missing, and CI must test with it"
    if promtool() is None:
        pytest.skip("promtool is not installed; ci/interop-tools brings it")
    assert outcomes(repaired, "symptom")["alarm ProvisioningQueueFull"] == "came"


def test_the_story_has_the_acts(repaired: Result) -> None:
    kinds = [incident.kind for incident in repaired.evidence.incidents]
    acts = [kind for kind in kinds if kind in ("cause", "symptom", "remedy", "recovery")]
    assert acts == ["cause", "symptom", "remedy", "recovery", "recovery"]
    assert kinds.count("kubectl") == 3


def test_a_seed_gives_one_rehearsal(play: Any, repaired: Result) -> None:
    again: Result = play(QUEUE)
    assert again.evidence.trace_hash == repaired.evidence.trace_hash
    assert again.to_json()["acts"] == repaired.to_json()["acts"]


def test_without_its_remedy_the_recovery_is_missed_and_told(play: Any) -> None:
    text = QUEUE.replace('maxConcurrentOps":"5"', 'workerCount":"8"').replace("60s", "15s")
    result: Result = play(text)
    assert not result.passed
    assert result.evidence.ending == "unmet"
    assert "machines Provisioned at least 16 did not come within 15s" in result.verdict()
    assert outcomes(result, "recovery")["machines Provisioned at least 16"] == "missed"
    assert result.metrics["recovery_seconds"] is None
    assert not result.violations, "what is broken off breaks no promise"
    assert all(check.outcome == "not judged" for check in result.checks)


def test_a_symptom_that_does_not_come_ends_the_run_with_what_there_was_instead(play: Any) -> None:
    text = QUEUE.replace("{hosts: Provisioning, min: 10, for: 2s", "{hosts: Error, min: 3")
    text = text.replace("event: QueueFull, within", "event: QueueFul, within")
    result: Result = play(text.replace("30s", "8s"))
    assert result.evidence.ending == "unmet"
    reason = result.evidence.reason
    assert "hosts Error at least 3 did not come within 8s, there was: " in reason
    assert "Provisioning" in reason
    assert "Event QueueFul did not come within 8s" in reason
    assert "Events: Claimed" in reason
    assert [part.name for part in result.evidence.parts] == ["cause", "symptom"]


def test_a_remedy_that_fails_is_told_in_kubectls_words(play: Any) -> None:
    text = QUEUE.replace("patch configmap beskar7-config", "patch configmap beskar8-config")
    result: Result = play(text)
    assert result.evidence.ending == "unmet"
    assert 'NotFound): configmaps "beskar8-config" not found' in result.evidence.reason
    assert "failed" in outcomes(result, "remedy").values()


def test_a_recovery_is_all_of_it_at_one_time(play: Any) -> None:
    """Hosts are being provisioned at first; when all machines have theirs, none is any more."""
    lines = [line for line in QUEUE.splitlines() if "rollout" not in line]
    text = "\n".join(lines) + "\n"
    text = text.replace("{doctor: queue-drained, absent: true", "{hosts: Provisioning, min: 3")
    result: Result = play(text.replace("60s", "10s"))
    assert result.evidence.ending == "unmet"
    assert outcomes(result, "recovery")["machines Provisioned at least 16"] == "came"
    assert outcomes(result, "recovery")["hosts Provisioning at least 3"] == "missed"
    origin = result.evidence.parts[-1].began
    hosts = result.evidence.history.hosts.values()
    held = sum(state(host.at(origin)) == "Provisioning" for host in hosts)
    assert held >= 3, "when the recovery began it held"


class Somebody:
    """An operator in virtual time, who opens the queue when the alarm has come, or sleeps."""

    patience = 12.0

    def __init__(self, world: World, *, sleeps: bool) -> None:
        self._world = world
        self._sleeps = sleeps

    def look(self, play: Play, acts: Stage, evidence: Evidence) -> None:
        if play.part.name == "recovery" and not self._sleeps:
            self._sleeps = True
            data = {"data": {"provisioning.maxConcurrentOps": "5"}}
            self._world.kube.patch(CONFIG_MAP, "beskar7-system", "beskar7-config", data)
            play.repaired("opened the queue", self._world.runtime.now())


def rehearsed(sleeps: bool) -> Evidence:
    scenario = loads(QUEUE)

    def body(world: World) -> Evidence:
        run = Run(scenario, clock="virtual", seed=7, operator=Somebody(world, sleeps=sleeps))
        run.body(world)
        return run.evidence

    return run_virtual(scenario, 7, body)


def test_what_an_operator_did_is_the_remedy() -> None:
    evidence = rehearsed(sleeps=False)
    assert evidence.ending == "settled", evidence.reason
    parts = {part.name: part for part in evidence.parts}
    assert list(parts) == ["cause", "symptom", "remedy", "recovery"]
    assert [step.what for step in parts["remedy"].steps] == ["opened the queue"]
    assert parts["recovery"].began == parts["remedy"].ended == parts["remedy"].steps[0].at
    assert all(step.within == Somebody.patience for step in parts["recovery"].steps)


def test_an_operator_who_does_nothing_has_not_recovered_it() -> None:
    evidence = rehearsed(sleeps=True)
    assert evidence.ending == "unmet"
    assert "machines Provisioned at least 16 did not come within 12s" in evidence.reason
    assert [part.name for part in evidence.parts][-2:] == ["remedy", "recovery"]
    assert evidence.parts[-2].steps == []
