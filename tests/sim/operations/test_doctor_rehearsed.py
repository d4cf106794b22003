"""doctor's findings as the symptoms and the recovery of a rehearsal."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import loads
from scenarios.engine.trial import play

pytestmark = pytest.mark.sim

SCENARIO = """
name: rejected
world:
  hosts: {count: 14, vendors: {dell: 1}, scale: {boot: 0.02, latency: 1}}
  managers: {replicas: 2, deployed: true}
  config:
    provisioning.workerCount: 8
    provisioning.maxConcurrentOps: 1
    provisioning.maxQueueSize: 10
    provisioning.bmcCooldownPeriod: 1s
load: {machines: 14}
rehearsal:
  cause:
    - {at: 0s, configure: {provisioning.maxConcurrentOps: 0}}
  symptom:
    - {doctor: queue-drained, within: 60s}
    - {doctor: queue-rejects, within: 60s}
  remedy:
    - {kubectl: "patch configmap beskar7-config -n beskar7-system --type merge -p
        '{\\"data\\":{\\"provisioning.maxConcurrentOps\\":\\"20\\",
        \\"provisioning.maxQueueSize\\":\\"200\\"}}'"}
  recovery:
    - {doctor: healthy, within: 300s, for: 3s}
limits: {timeout: 900s}
"""


def test_what_was_turned_away_before_the_remedy_is_no_finding_after_it() -> None:
    result = play(loads(SCENARIO), 1)
    assert result.passed, result
