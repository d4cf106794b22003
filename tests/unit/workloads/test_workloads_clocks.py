"""What pods are told of their clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from beskar7.runtime import VirtualRuntime
from beskar7.runtime.skew import from_environment
from emulator.kube.faults.faults import ApiFaults
from emulator.kube.faults.faultspec import ApiFault
from emulator.kube.workloads.clocks import PodClocks

pytestmark = pytest.mark.unit


def test_each_pod_follows_the_faults_that_select_it(tmp_path: Path) -> None:
    faults = ApiFaults(VirtualRuntime(0), lambda: None)
    clocks = PodClocks(faults)
    skews = {
        pod: from_environment(clocks.follow(pod, tmp_path / pod)) for pod in ("one-1", "two-1")
    }

    def errors(now: float) -> dict[str, float]:
        return {pod: skew(now) for pod, skew in skews.items() if skew is not None}

    assert errors(5.0) == {"one-1": 0.0, "two-1": 0.0}
    given = {"id": "f", "kind": "clock-skew", "offset": 10.0, "drift": 0.5}
    faults.add(ApiFault.from_dict(given | {"select": {"clients": ["beskar7-manager/one-*"]}}))
    assert errors(4.0) == {"one-1": 12.0, "two-1": 0.0}
    clocks.forget(tmp_path / "one-1")
    faults.clear("f")
    assert errors(4.0) == {"one-1": 12.0, "two-1": 0.0}, "whose pod is gone is told no more"
    again = from_environment(clocks.follow("one-2", tmp_path / "one-1"))
    assert again is not None
    assert again(4.0) == 0.0
