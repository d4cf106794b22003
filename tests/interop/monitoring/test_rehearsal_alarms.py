"""Alarms of rehearsals: real promtool on the series of a run, told to the second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from scenarios.engine.rehearsal.alarms import AlarmBook, promtool, watched
from scenarios.engine.rehearsal.samples import Key

pytestmark = pytest.mark.interop
BEGAN = 1000.0


def queue(length: float) -> Mapping[Key, float]:
    return {
        ("beskar7_provisioning_queue_length", ()): length,
        ("beskar7_provisioning_queue_capacity", ()): 10.0,
        ("beskar7_leader", (("identity", "a"),)): 1.0,
        ("unwatched", ()): 1.0,
    }


@pytest.fixture(autouse=True)
def installed(promtool: Any) -> None:
    """Skips without promtool; in CI, fails."""


def test_an_alarm_fires_after_its_time_and_is_quiet_when_its_reason_is_gone() -> None:
    book = AlarmBook(BEGAN, ["ProvisioningQueueNearFull", "ConcurrentProvisioningDown"])
    for second in range(80):  # a minute and more: promtool writes 1m5s
        full = 4 <= second < 12 or second >= 65
        book.take(BEGAN + second, {"pod-1": queue(9.0 if full else 1.0)}, ["pod-1"])
        if second == 3:
            assert book.firing() == set()
        if second == 11:
            assert book.firing() == {"ProvisioningQueueNearFull"}
        if second == 20:
            assert book.firing() == set()
    assert book.firing() == {"ProvisioningQueueNearFull"}
    # Two minutes of `for` are six seconds here.
    seconds = [round(at - BEGAN) for at in book.fired["ProvisioningQueueNearFull"]]
    assert seconds == [10, 11, *range(71, 80)]


def test_managers_that_do_not_answer_are_down_and_a_pod_that_is_gone_is_no_target() -> None:
    book = AlarmBook(BEGAN, ["ConcurrentProvisioningDown", "ControllerManagerReplicaDown"])
    for second in range(30):
        answers = {"pod-1": queue(0.0)} | ({"pod-2": queue(0.0)} if second < 3 else {})
        book.take(BEGAN + second, answers, ["pod-1", "pod-2"])
    assert book.firing() == {"ControllerManagerReplicaDown"}
    for second in range(30, 35):
        book.take(BEGAN + second, {"pod-1": queue(0.0)}, ["pod-1"])
    assert book.firing() == set()
    for second in range(35, 45):
        book.take(BEGAN + second, {}, [])
    assert book.firing() == {"ConcurrentProvisioningDown"}


def test_only_what_the_rules_look_at_is_kept() -> None:
    found = watched(frozenset(["ProvisioningQueueNearFull"]))
    assert found == {"beskar7_provisioning_queue_length", "beskar7_provisioning_queue_capacity"}
    assert watched(frozenset()) == frozenset()


def test_what_promtool_does_not_understand_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    book = AlarmBook(BEGAN, ["NoManagerLeader"])
    book.take(BEGAN, {"pod-1": {("beskar7_leader", (("not a label", "x"),)): 1.0}}, ["pod-1"])
    with pytest.raises(ValueError, match="promtool: "):
        book.firing()
    assert promtool() is not None
