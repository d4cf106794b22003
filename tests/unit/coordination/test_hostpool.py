"""The pool of hosts: true after any history of changes, and a claim costs the same in any fleet."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from beskar7.api.meta import ObjectKey
from beskar7.api.resources import PhysicalHost
from beskar7.coordination import selection
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.hostpool import KEPT_ORDERS, HostPool
from beskar7.coordination.requirements import ANY, Requirements
from beskar7.coordination.selection import ALGORITHMS, candidates
from beskar7.runtime import LiveRuntime

pytestmark = pytest.mark.unit
GPU = Requirements(required_tags=("gpu",))
MACHINE = ObjectKey("default", "m")


def host(number: int, state: str = "Available", tags: tuple[str, ...] = ()) -> PhysicalHost:
    return PhysicalHost(
        {
            "metadata": {"name": f"host-{number:05d}", "namespace": "default"},
            "spec": {"tags": list(tags)},
            "status": {
                "state": state,
                "ready": True,
                "hardwareDetails": {"cpuCores": 8, "memoryGiB": 64},
            },
        }
    )


class PoolHistories(RuleBasedStateMachine):
    """Random changes and holds; the pool equals a choice made anew from what is there."""

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[ObjectKey, PhysicalHost] = {}
        self.pool = HostPool(LiveRuntime(seed=1), self.there.get)
        self.held: set[ObjectKey] = set()

    @rule(
        number=st.integers(0, 9),
        state=st.sampled_from(["Available", "Provisioning", None]),
        gpu=st.booleans(),
    )
    def change(self, number: int, state: str | None, gpu: bool) -> None:
        made = host(number, state or "", ("gpu",) if gpu else ())
        before = self.there.pop(made.key, None)
        free = state == "Available" and made.key not in self.held
        was = before is not None and before.state == "Available" and made.key not in self.held
        if state is not None:
            self.there[made.key] = made
        news = self.pool.update(made.key, made if state is not None else None)
        same = was and before.spec == made.spec
        assert news is (free and not same)

    @rule(number=st.integers(0, 9))
    def hold(self, number: int) -> None:
        key = host(number).key
        free = key in self.there and self.there[key].state == "Available"
        assert (self.pool.hold(key) is not None) is (free and key not in self.held)
        if free:
            self.held.add(key)

    @rule(number=st.integers(0, 9))
    def let_go(self, number: int) -> None:
        self.pool.let_go(host(number).key)
        self.held.discard(host(number).key)

    @invariant()
    def nothing_is_missing_and_nothing_too_much(self) -> None:
        hosts = [item for key, item in self.there.items() if key not in self.held]
        for wish in (ANY, GPU):
            for algorithm in ("deterministic", "first-available", "priority"):
                chosen = self.pool.choose(algorithm, MACHINE, wish, limit=20)
                keys = [item.key for item in chosen]
                assert keys == candidates(algorithm, MACHINE, hosts, wish)
                assert self.pool.fits(algorithm, "default", wish) == len(keys)
        assert bool(self.pool.hopeless("default", GPU)) is bool(GPU.hopeless(self.there.values()))


TestPoolHistories = PoolHistories.TestCase
TestPoolHistories.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def pool_of(count: int) -> HostPool:
    hosts = {host(number).key: host(number) for number in range(count)}
    pool = HostPool(LiveRuntime(seed=1), hosts.get)
    for key, made in hosts.items():
        pool.update(key, made)
    return pool


def test_a_host_is_not_handed_out_once_it_is_known_to_be_taken():
    """The pool hears of a claim after the worker that made it is through with it."""
    newest = {host(number).key: host(number) for number in range(3)}
    pool = HostPool(LiveRuntime(seed=1), newest.get)
    for key, made in newest.items():
        pool.update(key, made)
    first, second, third = pool.choose("deterministic", MACHINE, ANY, limit=3)
    newest[first.key] = host(int(first.name[-1]), "Provisioning")
    newest[third.key] = host(int(third.name[-1]), "Provisioning")
    assert pool.get(third.key, ANY) is None
    assert pool.take("deterministic", MACHINE, ANY) is newest[second.key]
    assert pool.take("deterministic", MACHINE, ANY) is None
    pool.let_go(second.key)
    for key in (first.key, third.key):
        pool.update(key, newest[key])
    assert pool.choose("deterministic", MACHINE, ANY, limit=3) == [second]


def test_a_host_that_fits_no_longer_is_not_handed_out():
    newest = {host(number).key: host(number, tags=("gpu",)) for number in range(2)}
    pool = HostPool(LiveRuntime(seed=1), newest.get)
    for key, made in newest.items():
        pool.update(key, made)
    first, second = pool.choose("deterministic", MACHINE, GPU, limit=2)
    changed = newest[first.key] = host(int(first.name[-1]))
    assert pool.take("deterministic", MACHINE, GPU) == second
    pool.update(first.key, changed)
    assert pool.get(first.key, GPU) is None
    pool.update(first.key, changed)
    assert pool.get(first.key, ANY) == changed


def test_round_robin_remembers_whose_turn_it_is():
    pool = pool_of(3)
    names = [pool.choose("round-robin", MACHINE, ANY)[0].name[-1] for _ in range(5)]
    assert names == ["0", "1", "2", "0", "1"]


def test_the_lists_that_are_kept_are_bounded():
    pool = pool_of(1)
    for number in range(3 * KEPT_ORDERS):
        wish = Requirements(min_cpu_cores=number)
        assert len(pool.choose("deterministic", MACHINE, wish)) == (number <= 8)
        pool.hopeless("default", wish)
    assert len(pool._orders) <= KEPT_ORDERS
    assert len(pool._verdicts) <= KEPT_ORDERS


def test_a_claim_costs_the_same_in_a_hundred_times_larger_fleet(monkeypatch):
    """By the hashes taken and the hosts compared, which no other work on the machine disturbs."""
    counts: Counter[str] = Counter()

    def counted(name: str, inner):
        def call(*args):
            counts[name] += 1
            return inner(*args)

        return call

    monkeypatch.setattr(selection, "_digest", counted("hash", selection._digest))
    monkeypatch.setattr(selection, "claimable", counted("look", selection.claimable))
    monkeypatch.setattr(Requirements, "met", counted("look", Requirements.met))

    def cost(hosts: int) -> Counter[str]:
        pool = pool_of(hosts)
        for algorithm in ALGORITHMS:
            pool.choose(algorithm, MACHINE, ANY, limit=10)
        counts.clear()
        for algorithm in ALGORITHMS:
            pool.choose(algorithm, MACHINE, ANY, limit=10)
        pool.update(host(7).key, host(7, "Provisioning"))
        return counts.copy()

    small = cost(100)
    assert small["hash"] > 0
    assert cost(10_000) == small


def test_waiting_claims_age_until_nobody_is_before_them():
    picky = Waiting(ObjectKey("default", "picky"), GPU, since=0.0, retries=3)
    for minutes, first in ((1, "plain"), (49, "plain"), (51, "picky")):
        now = minutes * 60.0
        plain = Waiting(ObjectKey("default", "plain"), ANY, since=now)
        best = min((picky, plain), key=lambda item: item.order(now))
        assert best.machine.name == first, minutes
    assert picky.priority(0.0) == 100
    assert Waiting(MACHINE, ANY, 0.0).priority(600.0) == 160


def test_at_equal_priority_fewer_retries_go_first_then_the_older():
    names = [("c", 10.0, 0), ("a", 0.0, 1), ("b", 5.0, 0)]
    waiting = [Waiting(ObjectKey("default", n), ANY, since, r) for n, since, r in names]
    order = sorted(waiting, key=lambda item: item.order(20.0))
    assert [item.machine.name for item in order] == ["b", "c", "a"]
