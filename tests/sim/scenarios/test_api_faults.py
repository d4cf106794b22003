"""The Kubernetes API fails in every way it can, and the controller comes to the same end."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.problems import DocumentError
from beskar7.kube.reflector import RELIST_SECONDS
from emulator.kube.faults.faults import ApiFaults
from scenarios.engine.loader import loads

pytestmark = pytest.mark.sim

SMOKE = """\
name: smoke-with-api-faults
world:
  hosts: {count: 4, scale: {boot: 0.005, latency: 0.05}}
  managers: {replicas: 2}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 3}
faults: [FAULTS]
acts:
  - when: {settled: true}
    delete_machines: {count: 1}
checks:
  - {measure: provisioned, equals: 3}
  - {measure: released, equals: 1}
limits: {timeout: 10m, enrol_timeout: 60s}
"""
WRITES = "[create, update, update_status, patch, patch_status, delete]"
FAULTS = {
    "latency": "kind: latency, latency: {distribution: lognormal, mean: 300ms, sigma: 1}, "
    "duration: 40s",
    "409": f"kind: error, status: 409, probability: 0.4, select: {{verbs: {WRITES}}}, "
    "duration: 30s",
    "429": "kind: error, status: 429, retry_after: 2, probability: 0.5, duration: 30s",
    "500": "kind: error, status: 500, probability: 0.4, duration: 30s",
    "500 done": f"kind: error, status: 500, perform: true, probability: 0.4, duration: 30s, "
    f"select: {{verbs: {WRITES}}}",
    "503": "kind: error, status: 503, duration: 15s",
    "hang": "kind: hang, probability: 0.2, duration: 30s",
    "reset done": "kind: reset, perform: true, probability: 0.3, duration: 30s",
    "dropped watches": "kind: drop-watch, duration: 20s",
    # Watches resume without a list, until the server has forgotten.
    "stale lists": "kind: stale-list, age: 5s, duration: 40s}, "
    "{id: b, target: api, kind: restart, start: 500ms, duration: 1s",
    "partition of one": "kind: partition, select: {clients: [beskar7-manager/manager-1]}, "
    "duration: 40s",
    "partition of all": "kind: partition, duration: 20s",
    "restart": "kind: restart, start: 1s, duration: 5s",
}


@pytest.mark.parametrize("name", FAULTS)
def test_the_end_is_the_same(play: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = []
    strikes = ApiFaults._strikes

    def counted(self: ApiFaults, active: Any, client: str) -> bool:
        struck = strikes(self, active, client)
        hits.append(struck)
        return struck

    monkeypatch.setattr(ApiFaults, "_strikes", counted)
    result = play(SMOKE.replace("FAULTS", f"{{id: a, target: api, {FAULTS[name]}}}"))
    assert any(hits), "the fault hit nobody: this would show nothing"
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)


def test_lost_events_are_made_good_within_a_period(play: Any) -> None:
    """No client can know of an event that a watch skips; ours reads the list anew regularly."""
    lost = "{id: a, target: api, kind: lose-event, probability: 0.3, duration: 20s}"
    text = SMOKE.replace("FAULTS", lost).replace("timeout: 10m", "timeout: 2m")
    short = play(text)
    assert short.evidence.ending == "timeout", "nothing was lost that mattered: choose another seed"
    # A period to find the machine that waits, and one for each later step that hangs on a loss.
    result = play(text.replace("timeout: 2m", f"timeout: {2 * RELIST_SECONDS:g}s"))
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)


def test_a_seed_replays_the_faults_too(play: Any) -> None:
    fault = "{id: a, target: api, kind: error, status: 500, probability: 0.3, duration: 20s}"
    text = SMOKE.replace("FAULTS", fault)
    first, again, other = play(text), play(text), play(text, seed=8)
    assert first.evidence.trace_hash == again.evidence.trace_hash
    assert first.evidence.trace_hash != other.evidence.trace_hash
    assert first.evidence.trace_hash != play(SMOKE.replace("FAULTS", "")).evidence.trace_hash


def test_a_fault_is_cleared_by_an_act(play: Any) -> None:
    text = SMOKE.replace("FAULTS", "{id: a, target: api, kind: error, status: 503}").replace(
        "acts:", "acts:\n  - at: 5s\n    clear_fault: {id: a}"
    )
    result = play(text)
    assert result.passed, (result.evidence.reason, result.violations[:3])


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("kind: drop-wtach", '"drop-wtach" is unknown; did you mean "drop-watch"'),
        ("kind: error, target: apis", '"apis" is unknown; did you mean "api"'),
        ("kind: stale-list, age: 5", "5 has no unit; write for example 5s"),
        ("kind: error, age: 5s", "belongs to faults of kind stale-list; this one is of kind error"),
        ("kind: error, select: {hosts: [a]}", "unknown field"),
        ("kind: error, match: {methods: [GET]}", "unknown field"),
        ("kind: error, select: {verbs: [updat]}", '"updat" is unknown; did you mean "update"'),
        ("kind: lose-event, perform: true", "belongs to faults of kind error, hang, reset"),
        ("kind: partition, select: {kinds: [Lease]}", "partition selects clients only"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(fault: str, said: str) -> None:
    target = "" if "target" in fault else "target: api, "
    text = SMOKE.replace("FAULTS", f"{{id: a, {target}{fault}}}")
    with pytest.raises(DocumentError, match=r"s\.yaml:7") as caught:
        loads(text, "s.yaml")
    assert said in str(caught.value)
