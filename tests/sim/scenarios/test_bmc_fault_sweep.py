"""BMCs fail in every way there is; once the fault is over, the controller comes to the same end."""

from __future__ import annotations

from typing import Any

import pytest

from emulator.faultkinds import KINDS
from scenarios.engine.invariants.operations import group_all

pytestmark = pytest.mark.sim

STORM = """\
name: swept
world:
  hosts: {count: 8, vendors: {dell: 1, hpe: 1}, racks: 2, scale: {boot: 0.05, latency: 0.05}}
  managers: {replicas: 1}
  config:
    provisioning.bmcCooldownPeriod: 1s
    bmc.requestTimeout: 10s
    bmc.bootTimeout: 30s
load: {machines: 8}
faults: [FAULTS]
acts:
  - at: 15s
    delete_machines: {count: 2, which: oldest-first}
  - at: 100s
    delete_machines: {count: 2, which: oldest-first}
  - at: 110s
    create_machines: {count: 4}
checks:
  - {measure: released, equals: 4}
  - {measure: waiting, equals: 0}
limits: {timeout: 60m, enrol_timeout: 60s}
"""
OFTEN = "probability: 0.3, duration: 60s"
HALF = "select: {racks: [rack-1]}, duration: 60s"
SWEEP = {
    "refused": OFTEN,
    "reset-at-accept": OFTEN,
    "tls-failure": OFTEN,
    "certificate-expired": OFTEN,
    "latency": "latency: {distribution: lognormal, mean: 800ms, sigma: 1}, duration: 60s",
    "bandwidth": "rate: 2000, duration: 60s",
    "hang": OFTEN,
    "reset": f"perform: true, {OFTEN}",
    "loss": OFTEN,
    "hang-in-body": OFTEN,
    "truncation": OFTEN,
    "drip": f"rate: 200, {OFTEN}",
    "error": OFTEN,
    "malformed-json": OFTEN,
    "html": OFTEN,
    "list": OFTEN,
    "missing-fields": OFTEN,
    "null-power": OFTEN,
    "wrong-etag": OFTEN,
    "session-exhaustion": OFTEN,
    "session-expiry": OFTEN,
    "lost-action": OFTEN,
    "late-action": f"delay: 10s, {OFTEN}",
    "double-action": OFTEN,
    "stale-power": f"lag: 10s, {OFTEN}",
    "endless-task": OFTEN,
    "override-lost": OFTEN,
    "boot-loop": HALF,
    "boot-stuck": OFTEN,
    "media-lost": OFTEN,
    "media-ejected": "start: 2s, every: 5s, times: 5, duration: 1s, probability: 0.3",
    "bmc-reboot": f"start: 2s, unreachable: 20s, {HALF}",
    "wrong-clock": "ahead: -48h, duration: 60s",
    "credentials-rotated": f"start: 1s, {HALF}",
    "unreachable": f"start: 1s, {HALF}",
    "power-loss": f"start: 3s, {HALF}",
    "firmware-bug": "select: {vendors: [dell], firmware: ['*']}, duration: 60s, symptoms: "
    "[{kind: error, status: 500, probability: 0.2}, {kind: stale-power, lag: 5s}]",
}
UNSEEN = ("session-exhaustion", "session-expiry", "endless-task", "certificate-expired")
"""Kinds about what the controller does not do: it logs in by Basic, updates nothing, and the
hosts of a scenario do not verify certificates. (The clock it does not look at.)"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_is_the_same(play: Any, kind: str) -> None:
    result = play(STORM.replace("FAULTS", f"{{id: a, kind: {kind}, {SWEEP[kind]}}}"))
    hit = [id for id in result.evidence.fault_hits if id.partition("#")[0] == "a"]
    assert hit or kind in UNSEEN, "the fault hit nobody: this would show nothing"
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)


@pytest.mark.parametrize("kind", ["lost-action", "late-action"])
def test_an_image_that_comes_late_is_not_taken_for_one_that_booted(play: Any, kind: str) -> None:
    fault = f"{{id: a, kind: {kind}, {SWEEP[kind]}, match: {{path: '*InsertMedia'}}}}"
    result = play(STORM.replace("FAULTS", fault), seed=1)
    assert result.evidence.fault_hits["a"]
    assert result.passed, (result.evidence.reason, result.violations[:3])


def test_an_operation_ends_at_its_deadline_though_a_body_drips(play: Any) -> None:
    drip = "{id: a, kind: drip, rate: 2, duration: 5m, select: {hosts: [host-001]}}"
    text = STORM.replace("FAULTS", drip).replace(
        "  config:\n", "  config:\n    provisioning.operationTimeout: 60s\n"
    )
    result = play(text)
    assert "a" in result.evidence.fault_hits
    operations = [
        operation for found in group_all(result.evidence.requests).values() for operation in found
    ]
    assert max(operation.left - operation.touched for operation in operations) < 60.0 + 10.0
