"""What faults of BMCs cost in the model is what they cost in the code, within bounds."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.coordination.operations import Ending, Operation
from beskar7.coordination.queue import ProvisioningQueue
from scenarios.engine import trial
from scenarios.engine.loader import loads
from scenarios.engine.schema import Scenario
from scenarios.models import provisioning
from scenarios.models.known import NotModelled
from scenarios.models.play import Model, simulate
from scenarios.models.station import Station

pytestmark = pytest.mark.sim

DONE = Ending()

WORLD = """
name: hit
world:
  hosts:
    count: 20
    vendors: {dell: 1, hpe: 1, lenovo: 1, supermicro: 1}
    racks: 4
    scale: {boot: 0.02, latency: 0.2}
  config:
    provisioning.workerCount: "6"
    provisioning.bmcCooldownPeriod: 2s
    bmc.requestTimeout: 10s
    bmc.retryDelay: 1s
    bmc.circuitBreaker.maxRetryDelay: 5s
    hostSelection.maxBackoffDelay: 5s
load: {machines: 20}
limits: {timeout: 10m, enrol_timeout: 5m}
"""
DEAD = "faults: [{id: dead, kind: hang, select: {fraction: 0.2}, duration: 40s}]"
SLOW = (
    "faults: [{id: slow, kind: latency, select: {fraction: 0.3}, "
    "latency: {distribution: lognormal, mean: 700ms, sigma: 0.5}}]"
)
RACK = """
acts:
  - {when: {claimed: 20}, delay: 1s,
     add_fault: {id: feed, kind: power-loss, select: {racks: [rack-1]}}}
  - {at: 30s, clear_fault: {id: feed}}
"""
KINDS = {"dead": DEAD, "slow": SLOW, "rack": RACK}
ALLOWED = {
    # Relative error, and seconds: a host is tried again at times that are some seconds apart.
    "ready_seconds.p50": (0.05, 0.5),
    "ready_seconds.p95": (0.10, 1.0),
    "ready_seconds.p99": (0.10, 1.0),
}


def hit(faults: str) -> Scenario:
    return loads(WORLD + faults)


def median_ready(scenario: Scenario) -> float:
    found = simulate(scenario, 1).metrics["ready_seconds.p50"]
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_times_under_faults_are_those_of_the_code(kind: str, seed: int) -> None:
    scenario = hit(KINDS[kind])
    model, code = simulate(scenario, seed).metrics, trial.play(scenario, seed)
    assert code.passed
    assert model["provisioned"] == code.metrics["provisioned"] == 20
    for name, (relative, absolute) in ALLOWED.items():
        seen = code.metrics[name]
        assert model[name] == pytest.approx(seen, rel=relative, abs=absolute), name


def test_dead_bmcs_cost_the_healthy_hosts_nothing() -> None:
    """As the suspect lane promises; without it, and with as few workers, they wait."""
    protected = hit(DEAD)
    bare = loads(
        (WORLD + DEAD)
        .replace(
            "  config:",
            '  config:\n    provisioning.suspectWorkerCount: "0"\n'
            '    bmc.circuitBreaker.failureThreshold: "0"',
        )
        .replace('workerCount: "6"', 'workerCount: "4"')
    )
    alone, beside, exposed = (median_ready(one) for one in (loads(WORLD), protected, bare))
    assert beside == pytest.approx(alone, abs=1.5)
    assert exposed > alone + 5.0


def test_one_seed_gives_one_run_whatever_was_run_before() -> None:
    model = Model(hit(DEAD))
    first = model.run(3).metrics
    other = model.run(4).metrics
    assert model.run(3).metrics == first
    assert other != first


def test_a_fault_without_end_leaves_its_hosts_in_error_and_the_run_ends() -> None:
    found = simulate(hit("faults: [{id: gone, kind: refused, select: {racks: [rack-2]}}]"), 1)
    assert found.metrics["provisioned"] == 15
    assert found.seconds < 300.0


def test_settings_are_changed_in_mid_run() -> None:
    drained = hit(
        "acts:\n  - {at: 0s, configure: {provisioning.maxConcurrentOps: 0}}\n"
        "  - {at: 50s, configure: {provisioning.maxConcurrentOps: 8}}\n"
    )
    machines = simulate(drained, 1).machines
    ready = [one.provisioned - one.created for one in machines if one.provisioned is not None]
    assert len(ready) == 20
    assert sum(seconds > 50.0 for seconds in ready) >= 14


def test_littles_law_holds_whatever_faults_do(monkeypatch: pytest.MonkeyPatch) -> None:
    stations: list[Station] = []
    inside: dict[Operation, float] = {}
    spent = 0.0

    class Watched(Station):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            stations.append(self)

    class Queue(ProvisioningQueue):
        def submit(self, operation: Operation, now: float) -> bool:
            taken = super().submit(operation, now)
            if taken:
                inside[operation] = now
            return taken

        def complete(self, operation: Operation, now: float, ending: Ending = DONE) -> None:
            nonlocal spent
            spent += now - inside.pop(operation)
            super().complete(operation, now, ending)

    monkeypatch.setattr(provisioning, "Station", Watched)
    monkeypatch.setattr(provisioning, "ProvisioningQueue", Queue)
    simulate(hit(DEAD), 1)
    station = stations[0]
    assert not inside, "all is at rest"
    assert station.jobs.agrees(spent)
    assert spent > 100.0


@pytest.mark.parametrize(
    "fault",
    [
        "{id: api, target: api, kind: error, status: 500}",
        "{id: net, target: network, kind: partition, to: api, from: any}",
    ],
)
def test_faults_beside_the_bmcs_are_refused_by_name(fault: str) -> None:
    with pytest.raises(NotModelled, match=r"faults\.0 \((error|partition)\)"):
        simulate(hit(f"faults: [{fault}]"), 1)
