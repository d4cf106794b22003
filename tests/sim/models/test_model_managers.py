"""Managers of the model are killed at any time: nothing is lost, and nothing is there twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emulator.kube.inprocess import LatencyModel
from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario
from scenarios.models.calibration import Calibration
from scenarios.models.known import NotModelled
from scenarios.models.play import simulate

pytestmark = pytest.mark.sim

WORLD = """
name: kills
world:
  hosts: {{count: 8, vendors: {{dell: 1}}, scale: {{boot: 0.02, latency: 0.2}}}}
  managers: {{replicas: {replicas}, args: {args}}}
  config: {{provisioning.bmcCooldownPeriod: 1s}}
load: {{machines: {machines}, arrivals: {{poisson: 2/s}}{more}}}
acts: [{acts}]
limits: {{timeout: 30m, enrol_timeout: 2m}}
"""
ARGS = {
    "leader-elect-lease-duration": "3s",
    "leader-elect-renew-deadline": "2s",
    "leader-elect-retry-period": "300ms",
}
HANDED = {
    "enable-claim-coordinator-leader-election": "true",
    "claim-coordinator-lease-duration": "5s",
    "claim-coordinator-renew-deadline": "3s",
    "claim-coordinator-retry-period": "500ms",
}
SLOW = Calibration(api=LatencyModel(request=0.1, delivery=0.2))
"""So that every step of a claim is long enough to be hit."""
KILL = st.tuples(
    st.floats(0, 12).map(lambda at: round(at, 3)), st.floats(0, 8).map(lambda s: round(s, 3))
)


def world(replicas: int, args: dict[str, str], acts: str, lifetime: int | None = None) -> Scenario:
    """Machines that stay have a host each; those that go are more than there are hosts."""
    machines, more = (8, "") if lifetime is None else (12, f", lifetime: {{constant: {lifetime}s}}")
    text = WORLD.format(replicas=replicas, args=args, acts=acts, machines=machines, more=more)
    return loads(text)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    st.lists(KILL, min_size=1, max_size=4),
    st.booleans(),
    st.integers(1, 3),
    st.none() | st.integers(4, 20),
    st.integers(1, 1000),
)
def test_every_machine_is_served_however_managers_die(kills, handed, replicas, lifetime, seed):
    acts = ", ".join(
        f"{{at: {at}s, kill_manager: {{target: leader-first, restart: {restart}s}}}}"
        for at, restart in sorted(kills)[:replicas]
    )
    run = simulate(world(replicas, ARGS | (HANDED if handed else {}), acts, lifetime), seed, SLOW)
    found = run.metrics
    assert found["managers_killed"] == len(kills[:replicas])
    assert found["waiting"] == 0
    assert found["claimed"] == found["released"] + (8 if lifetime is None else 0)
    assert found["claim_attempts"] == found["claimed"] + found["conflicts"]
    if lifetime is None:
        assert found["provisioned"] == 8
    else:
        assert found["machines_created"] == found["machines_deleted"] == 12
    spans: dict[str, list[tuple[float, float]]] = {}
    for one in run.machines:
        if one.host is None:
            assert one.claimed is None
        else:
            spans.setdefault(one.host.name, []).append((one.claimed, one.released))
    for held in spans.values():
        held.sort()
        assert all(left[1] <= right[0] for left, right in pairwise(held))


def test_the_gap_is_as_long_as_the_lease() -> None:
    gaps = []
    for duration in (3, 9):
        args = ARGS | {"leader-elect-lease-duration": f"{duration}s"}
        acts = "{at: 2s, kill_manager: {target: leader}}"
        gaps.append(simulate(world(2, args, acts), 1).metrics["failover_seconds.max"])
    assert gaps[1] - gaps[0] == pytest.approx(6.0, abs=0.05)


def test_a_kill_that_finds_nobody_is_named() -> None:
    acts = "{at: 1s, kill_manager: {target: follower}}"
    with pytest.raises(NotModelled, match="no living manager is a follower"):
        simulate(world(1, ARGS, acts), 1)


def test_several_managers_without_election_are_not_modelled() -> None:
    args = {"leader-elect": "false"}
    with pytest.raises(NotModelled, match=r"args\.leader-elect"):
        simulate(world(2, args, ""), 1)
    assert simulate(world(1, args, ""), 1).metrics["claimed"] == 8
