"""The wall clock of a pod's manager goes wrong while it runs, by a fault, and right again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from beskar7.api.kinds import LEASE
from beskar7.api.meta import parse_rfc3339
from emulator.deployed import NAMESPACE
from emulator.kube.faults.control import ApiControl

pytestmark = pytest.mark.e2e


def ahead(lab: Any, holds: Callable[[float], bool]) -> float:
    """By how many seconds the manager's clock is ahead, at the first renewal for which it holds."""
    version = lab.kube.list(LEASE, NAMESPACE).resource_version
    for event in lab.kube.watch(LEASE, NAMESPACE, resource_version=version, timeout=30.0):
        renewed = event.object.get("spec", {}).get("renewTime")
        if renewed and holds(error := parse_rfc3339(renewed) - time.time()):
            return error
    pytest.fail("no renewal of the lease tells so")


def test_a_clock_is_set_off_and_drifts_and_is_put_right(lab: Any) -> None:
    (pod,) = (pod["metadata"]["name"] for pod in lab.pods())
    control = ApiControl.of(lab.directory)
    select = {"clients": [f"beskar7-manager/{pod}"]}
    fault = {"id": "off", "kind": "clock-skew", "offset": 600.0, "drift": 0.4, "select": select}
    control.add_faults([fault])
    first = ahead(lab, lambda error: error > 300)
    assert ahead(lab, lambda error: error > first) > first, "it gains time"
    control.clear_fault("off")
    assert abs(ahead(lab, lambda error: error < 300)) < 60
