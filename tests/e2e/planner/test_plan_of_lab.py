"""A plan from a kubeconfig of a lab, and one run that verifies a plan by real processes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from beskar7.api.kinds import BESKAR7_MACHINE
from beskar7.cli import main
from scenarios.engine.expand import machine
from scenarios.engine.live import LiveWorld
from scenarios.engine.loader import loads
from scenarios.engine.objectives import parse_objective, values_of
from scenarios.models.play import simulate
from scenarios.parallel.jobs import Crew
from scenarios.planner.verify import verify

pytestmark = pytest.mark.e2e

TEXT = """
name: small-lab
world:
  hosts: {count: 4, vendors: {dell: 1, hpe: 1}, racks: 2, scale: {boot: 0.02, latency: 0.1}}
  managers: {replicas: 2}
  config: {provisioning.workerCount: 4, provisioning.bmcCooldownPeriod: 1s}
load: {machines: 3}
limits: {timeout: 3m}
"""
RANGES = (
    *("replicas=2", "reconciles=10", "mode=claims", "algorithm=deterministic", "queue=50"),
    *("ops=5", "workers=4", "looks=5s", "cooldown=x1"),
)
PATIENCE = 60.0
"""Seconds, for whatever has to come sooner or later."""


def provision(world: LiveWorld, count: int) -> None:
    """So many machines, until the API shows each of them Provisioned."""
    kube = world.cluster().kube
    for number in range(1, count + 1):
        kube.create(BESKAR7_MACHINE, machine(loads(TEXT).load, number))
    listed = kube.list(BESKAR7_MACHINE, "default")
    waiting = {each["metadata"]["name"] for each in listed.items}
    for event in kube.watch(
        BESKAR7_MACHINE, "default", resource_version=listed.resource_version, timeout=PATIENCE
    ):
        if (event.object.get("status") or {}).get("phase") == "Provisioned":
            waiting.discard(event.object["metadata"]["name"])
        if not waiting:
            return
    pytest.fail(f"not Provisioned after {PATIENCE:g} s: {waiting}")


def test_fleet_and_history_are_read_by_a_kubeconfig(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = LiveWorld(loads(TEXT), seed=1, directory=tmp_path, deployed=True)
    try:
        world.start()
        provision(world, 3)
        words = ["plan", "--from-cluster", "--kubeconfig", str(world.kubeconfig)]
        for each in RANGES:
            words += ["--range", each]
        words += ["--slo", "p95(time_to_provisioned)<3m", "--verify", "none", "--jobs", "1"]
        assert main([*words, "--output", "json"]) == 0
        captured = capsys.readouterr()
        assert "4 hosts (2 dell, 2 hpe), 2 managers" in captured.err
        assert "busiest hour: 3 machines within" in captured.err
        assert "a quarter was Provisioned within" in captured.err
        plan = json.loads(captured.out)
        assert plan["ending"] == "found"
        assert plan["chosen"]["hosts"] == "3"  # one for each machine that came in that hour
        assert "provisioning.bmcCooldownPeriod: 1s" in plan["configMap"]
        assert f"--kubeconfig {world.kubeconfig}" in plan["command"]
        # So many more find one free host only.
        assert main([*words, "--machines", "2"]) == 1
        captured = capsys.readouterr()
        assert "3 hosts that machines own now are not counted" in captured.err
        assert "NO PLAN" in captured.out
    finally:
        world.stop()


def test_real_processes_verify_a_plan() -> None:
    scenario = loads(TEXT)
    objectives = (parse_objective("p95(time_to_provisioned)<30s"), parse_objective("unserved<1"))
    said = [values_of(objectives, simulate(scenario, 4).metrics)]
    found = verify("live", scenario, objectives, [4], said, Crew())
    assert found.held, found.missed
    assert (found.fidelity, found.outcomes[0].seed) == ("live", 4)
    assert 0.0 < found.outcomes[0].values[0] < 30.0
    assert found.outcomes[0].bottleneck or math.isfinite(found.errors[0].median)
