"""The act ``configure``: the ConfigMap changes in the course of a run, and is followed."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.problems import DocumentError
from scenarios.engine.invariants.operations import group
from scenarios.engine.loader import loads

pytestmark = pytest.mark.sim

DRAINED = """\
name: drained
world:
  hosts: {count: 2, scale: {boot: 0.005, latency: 0.05}}
  config: {provisioning.bmcCooldownPeriod: 1s, provisioning.maxConcurrentOps: "0"}
load: {machines: 2}
acts:
  - at: 30s
    configure: {provisioning.maxConcurrentOps: 1}
checks:
  - {measure: provisioned, equals: 2}
limits: {timeout: 5m, enrol_timeout: 60s}
"""


def test_a_drained_queue_is_opened_again(play: Any) -> None:
    result = play(DRAINED)
    assert result.passed, (result.evidence.reason, result.violations[:3])
    origin = result.evidence.origin
    writes = [op.start for found in group(result.evidence.requests).values() for op in found]
    assert min(writes) - origin >= 30.0
    assert [i.detail for i in result.evidence.incidents if i.kind == "configure"] == [
        "provisioning.maxConcurrentOps=1"
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{provisioning.maxConcurentOps: 1}", "provisioning.maxConcurrentOps"),
        ("{provisioning.workerCount: 900}", "from 1 to 75"),
        ("{provisioning.bmcCooldownPeriod: 2s}", "set it in world.config"),
        ("{}", "needs settings"),
    ],
)
def test_what_is_wrong_with_settings_is_said(settings: str, said: str) -> None:
    text = DRAINED.replace("{provisioning.maxConcurrentOps: 1}", settings)
    with pytest.raises(DocumentError, match="acts") as caught:
        loads(text)
    assert said in str(caught.value)
