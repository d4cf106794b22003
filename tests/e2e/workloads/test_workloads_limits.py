"""A pod's limits hold: of memory, which a fault lets it lose, and of processor time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from emulator.deployed import manifest
from emulator.kube.faults.control import ApiControl
from emulator.kube.workloads import usage
from emulator.kube.workloads.objects import DEPLOYMENT

pytestmark = pytest.mark.e2e


def limited(lab: Any, **limits: str) -> None:
    """Create the Deployment of one manager with these limits."""
    made = manifest(1, {})
    made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"].update(limits)
    lab.kube.create(DEPLOYMENT, made)


def container(pod: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (pod["status"].get("containerStatuses") or [{}])[0]
    return found


def test_a_pod_that_leaks_is_killed_at_its_limit_and_begins_anew(start_lab: Any) -> None:
    lab = start_lab()
    limited(lab, memory="160Mi")
    lab.managers.wait(30)
    control = ApiControl.of(lab.directory)
    control.add_faults([{"id": "leak", "kind": "memory-leak", "rate": 64}])
    ended = lab.until(lambda pod: "terminated" in container(pod).get("lastState", {}))
    control.clear_fault("leak")
    said = container(ended)["lastState"]["terminated"]
    assert (said["reason"], said["exitCode"]) == ("OOMKilled", 137)
    assert container(ended)["restartCount"] == 1
    lab.until(lambda pod: container(pod).get("ready", False))
    (pid,) = lab.pids()
    held = usage.process_memory(pid)
    assert held is not None
    assert held < 160 * 2**20


def test_a_pod_gets_its_share_of_a_core_and_dies_with_its_kubelet(
    start_lab: Any, outlives: Callable[..., bool]
) -> None:
    lab = start_lab()
    limited(lab, cpu="250m")
    began = time.monotonic()
    lab.until(lambda pod: "running" in container(pod).get("state", {}))
    lab.managers.wait(60)
    (pid,) = lab.pids()
    used = usage.process_cpu(pid)
    assert used is not None
    assert 0.3 < used < 0.25 * (time.monotonic() - began) + 0.2, "its imports want a whole core"
    lab.process.kill()
    lab.process.wait()
    assert not outlives(pid), "it must not stand still for ever when nobody lets it go on"
