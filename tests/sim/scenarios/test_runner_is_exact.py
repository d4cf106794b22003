"""In virtual time the runner acts at the instant at which it may, and ends when all is at rest."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from scenarios.engine.history import phase, state

pytestmark = pytest.mark.sim

SCENARIO = """\
name: exact
world:
  hosts: {count: 3, scale: {boot: 0.01, latency: 0.1}}
  managers: {replicas: 2}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 3}
acts:
  - when: {provisioned: 2}
    kill_manager: {target: follower}
  - when: {settled: true}
    delay: 250ms
    delete_machines: {count: 1}
checks:
  - {measure: released, equals: 1}
limits: {timeout: 5m, enrol_timeout: 60s}
"""


def test_acts_and_the_end_come_at_the_writes_that_they_wait_for(play: Any) -> None:
    result = play(SCENARIO)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    evidence = result.evidence
    at = {incident.kind: incident.time for incident in evidence.incidents}
    provisioned = [
        track.versions[index].time
        for track in evidence.history.machines.values()
        for index, version in enumerate(track.versions)
        if phase(version.object) == "Provisioned"
        and (index == 0 or phase(track.versions[index - 1].object) != "Provisioned")
    ]
    assert at["kill-manager"] == sorted(provisioned)[1]
    call = at["delete"] - sorted(provisioned)[2] - 0.25
    assert 0.0 < call < 0.01, "it is told once the call is answered"
    kinds = (PHYSICAL_HOST.kind, BESKAR7_MACHINE.kind)
    last = [record for record in evidence.history.writes if record.kind in kinds][-1]
    assert (last.kind, state(last.object)) == (PHYSICAL_HOST.kind, "Available")
    assert evidence.ended == last.time
