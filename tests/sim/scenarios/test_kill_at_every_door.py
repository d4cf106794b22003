"""kill -9 at every door call of a claim and of a provisioning, and of a release: nothing is lost.

A first run learns the calls; then each is repeated with the manager's end at it, or at its answer.
The next leader finishes or releases, and every invariant holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scenarios.engine.doors import Doors
from scenarios.engine.loader import loads
from scenarios.engine.progress import Silent
from scenarios.engine.result import Result
from scenarios.engine.schema import Door, Moment, Passage
from scenarios.engine.trial import play

pytestmark = pytest.mark.sim

SCENARIO = """
name: one-life
world:
  hosts: {count: 2, vendors: {dell: 1, hpe: 1}, scale: {boot: 0.005, latency: 0.05}}
  managers:
    replicas: 2
    args: {leader-elect-lease-duration: 5s, leader-elect-renew-deadline: 3s,
           leader-elect-retry-period: 1s}
  config: {provisioning.bmcCooldownPeriod: 1s}
load: {machines: 1}
acts:
  - when: {settled: true}
    delete_machines: {count: 1}
checks:
  - {measure: provisioned, equals: 1}
  - {measure: released, equals: 1}
limits: {timeout: 300s, enrol_timeout: 60s}
"""
SEED = 5
SHARDS = 8
"""Parts of the enumeration, so that test workers share it."""


class AtTheLoad(Silent):
    """Calls ``begin`` when the hosts are enrolled and the machine is about to be asked for."""

    def __init__(self, begin: Callable[[], None]) -> None:
        self._begin = begin

    def note(self, seconds: float, text: str) -> None:
        if text.startswith("the load begins"):
            self._begin()


Learned = dict[Moment, list[Passage]]


def life(end: Door | None = None) -> tuple[Result, Doors, Learned]:
    """One machine's life, from its creation to its host's return, with an end at ``end``."""
    worlds: list[Any] = []
    passed: Learned = {"call": [], "answer": []}

    def begin() -> None:
        doors = worlds[0].doors
        doors.heard = lambda passage: passed[passage.moment].append(passage)
        if end is not None:
            doors.end_at(end)

    result = play(loads(SCENARIO), SEED, progress=AtTheLoad(begin), prepare=worlds.append)
    return result, worlds[0].doors, passed


def test_the_learned_run_holds_and_has_the_doors_of_a_whole_life() -> None:
    result, _, learned = life()
    assert result.shortfalls() == []
    calls = [passage.what for passage in learned["call"]]
    for part in ("update PhysicalHost", "InsertMedia", "ComputerSystem.Reset", "EjectMedia"):
        assert any(part in what for what in calls), part
    assert len(calls) > 30


@pytest.mark.parametrize("moment", ["call", "answer"])
@pytest.mark.parametrize("shard", range(SHARDS))
def test_whoever_dies_there_the_life_goes_on(moment: Moment, shard: int) -> None:
    _, _, learned = life()
    count = len(learned[moment])
    failures: list[str] = []
    for number in range(shard, count, SHARDS):
        result, doors, _ = life(Door(moment, number + 1))
        # Until its end the run was the learned one, so this is the same call.
        assert doors.ended is not None
        assert doors.ended.what == learned[moment][number].what
        if not result.passed:
            failures.append(f"{moment} {number}, {doors.ended.what}: {result.verdict()}")
    assert failures == []
