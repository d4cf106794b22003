"""The end of a run with faults against that of the same run without."""

from __future__ import annotations

import pytest
import yaml

from scenarios.engine.loader import loads
from scenarios.engine.trial import play
from scenarios.swarm.reference import Outcome, deviation, without_misfortune

pytestmark = pytest.mark.sim

DOCUMENT = """
name: misfortune
world:
  hosts: {count: 3, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 5s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 4}
faults:
  - {id: flaky, kind: error, status: 500, probability: 0.3, duration: 10s}
acts:
  - {when: {claimed: 1}, kill_manager: {target: leader}}
  - {when: {settled: true}, delete_machines: {count: 1, which: provisioned-first}}
"""


def test_what_went_wrong_on_the_way_is_not_to_be_seen_in_the_end() -> None:
    document = yaml.safe_load(DOCUMENT)
    result = play(loads(DOCUMENT), 3)
    assert result.passed, result.verdict()
    assert str(Outcome.of(result.evidence)) == "3 machines Provisioned, 3 hosts Provisioned"
    assert deviation(document, 3, result.evidence) == ""
    calm = without_misfortune(document)
    assert calm["faults"] == []
    assert [list(act) for act in calm["acts"]] == [["when", "delete_machines"]]
    assert document["faults"], "the document itself stays as it was"


def test_a_machine_too_few_is_a_deviation() -> None:
    document = yaml.safe_load(DOCUMENT)
    evidence = play(loads(DOCUMENT), 3).evidence
    track = next(track for track in evidence.history.machines.values() if not track.gone)
    assert track.last is not None
    track.last["status"]["phase"] = "Failed"
    assert deviation(document, 3, evidence) == (
        "1 machines Failed, 2 machines Provisioned, 3 hosts Provisioned; "
        "without misfortune: 3 machines Provisioned, 3 hosts Provisioned"
    )
