"""Manager processes whose wall clocks are ten minutes apart, on real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.meta import parse_rfc3339
from scenarios.engine.history import consumer_uid, dig
from scenarios.engine.loader import loads

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SCENARIO = """\
name: skewed-live
world:
  hosts: {count: 4, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args:
      leader-elect-lease-duration: 4s
      leader-elect-renew-deadline: 3s
      leader-elect-retry-period: 500ms
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 1}
faults:
  - id: ahead
    target: api
    kind: clock-skew
    select: {clients: [beskar7-manager/WHO]}
    offset: 10m
acts:
  - when: {provisioned: 1}
    kill_manager: {target: leader}
  - when: {settled: true}
    create_machines: {count: 1}
  - when: {provisioned: 2}
    clear_fault: {id: ahead}
  - when: {settled: true}
    create_machines: {count: 1}
checks:
  - {measure: provisioned, equals: 3}
limits: {timeout: 90s, enrol_timeout: 60s}
"""


@pytest.mark.parametrize("who", ["manager-1", "manager-2"])
def test_a_fail_over_between_clocks_that_differ(play_live, who: str) -> None:
    result = play_live(loads(SCENARIO.replace("WHO", who)), 3)
    assert result.passed, (result.evidence.reason, result.violations[:3], result.checks)
    ahead = _ahead(result.evidence)
    # One manager led first, the other after the kill: one of them was ahead, until the clearing.
    first, second, third = (round(seconds / 600) for seconds in ahead)
    assert {first, second} == {0, 1}
    assert third == 0


def _ahead(evidence: Any) -> list[float]:
    """By how many seconds the time that each claim tells is ahead of right clocks.

    Two of the three are told by right clocks, and the monotonic clock says how far they lie apart.
    """
    claims = sorted(
        (version.time, parse_rfc3339(at) - version.time)
        for track in evidence.history.hosts.values()
        for before, version in track.pairs()
        if consumer_uid(version.object) and not consumer_uid(before and before.object)
        if (at := dig(version.object, "metadata", "annotations", "beskar7.io/claimed-at"))
    )
    right = min(difference for _, difference in claims)
    return [difference - right for _, difference in claims]
