"""Managers in virtual time ask the API as their processes do: by --kube-api-qps, and in time."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.sim

QPS, BURST = 5, 10
SCENARIO = f"""\
name: limited
world:
  hosts: {{count: 12, scale: {{boot: 0.005, latency: 0.05}}}}
  managers: {{replicas: 1, args: {{kube-api-qps: {QPS}, kube-api-burst: {BURST}}}}}
  config: {{provisioning.bmcCooldownPeriod: 1s}}
load: {{machines: 12}}
"""
SLOW_LEASES = """\
name: slow-leases
world:
  hosts: {count: 2, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 7s, leader-elect-renew-deadline: 6s,
           leader-elect-retry-period: 500ms}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 1}
faults:
  - {id: slow, target: api, kind: latency, count: 1, latency: {distribution: constant, mean: 9s},
     select: {kinds: [Lease], verbs: [update]}}
acts:
  - {at: 20s, create_machines: {count: 1}}
"""


def test_no_second_has_more_requests_than_the_flags_allow(play: Any) -> None:
    result = play(SCENARIO)
    assert result.passed, (result.evidence.reason, result.violations[:3])
    # Leader election is not limited.
    times = [
        record.time
        for record in result.evidence.history.writes
        if record.client.startswith("beskar7-manager/") and record.kind != "Lease"
    ]
    assert len(times) > 4 * BURST, "so few that nothing would be limited"
    # An answer's way back and forth may push a write of one second into the next.
    for number, first in enumerate(times):
        within = sum(first <= time < first + 1.0 for time in times[number:])
        assert within <= QPS + BURST + 1, (first, within)


def test_one_renewal_that_hangs_does_not_cost_the_lease(play: Any) -> None:
    """The elections' client gives up after half the renew deadline, so that another try fits in."""
    result = play(SLOW_LEASES)
    assert result.passed, (result.evidence.reason, result.violations[:3])
    leases = [r.object for r in result.evidence.history.writes if r.kind == "Lease" and r.object]
    transitions = {lease["spec"].get("leaseTransitions", 0) for lease in leases}
    assert transitions == {0}
