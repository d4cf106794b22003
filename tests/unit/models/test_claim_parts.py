"""The parts of the model's claims, each by itself: the line, the workers, an election, a storm."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest
import simpy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beskar7.api.meta import ObjectKey
from beskar7.config import LeaseSettings
from beskar7.coordination.claimqueue import Waiting
from beskar7.coordination.requirements import ANY, Requirements
from beskar7.runtime import VirtualRuntime
from emulator.kube.inprocess import LatencyModel
from scenarios.models.calibration import Calibration
from scenarios.models.claimstorm import storm
from scenarios.models.elections import Election
from scenarios.models.modelmachine import ModelMachine
from scenarios.models.waitingline import WaitingLine
from scenarios.models.workers import Workers

pytestmark = pytest.mark.unit

BIG = Requirements(min_cpu_cores=64)
ENTRY = st.tuples(st.floats(0, 1e5), st.sampled_from((ANY, BIG)), st.integers(0, 3))


@given(st.lists(ENTRY, max_size=30), st.floats(0, 1e6), st.data())
def test_the_line_is_in_the_controllers_order(entries, later, data) -> None:
    line, known = WaitingLine(), []
    for number, (since, wish, retries) in enumerate(entries, start=1):
        machine = ModelMachine(number, created=since, eligible=since)
        key = ObjectKey("default", f"machine-{number:03d}")
        line.add(machine, key, wish, retries)
        known.append((machine, Waiting(key, wish, since, retries)))
    gone = data.draw(st.sets(st.sampled_from(known))) if known else set()
    assert all(line.discard(machine) for machine, _ in gone)
    left = [one for one in known if one not in gone]
    now = 1e5 + later
    free = {ANY: data.draw(st.integers(0, 30)), BIG: data.draw(st.integers(0, 30))}
    expected, used = [], dict.fromkeys(free, 0)
    for machine, waiting in sorted(left, key=lambda one: one[1].order(now)):
        if used[waiting.requirements] < free[waiting.requirements]:
            used[waiting.requirements] += 1
            expected.append(machine)
    assert [machine for machine, _ in line.first(now, free.__getitem__)] == expected
    assert len(line) == len(left)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 5), st.integers(-1, 1))))
def test_no_key_is_with_two_workers_and_none_is_forgotten(added) -> None:
    env = simpy.Environment()
    inside: list[int] = []
    seen: dict[int, float] = {}

    def work(key: int) -> None:
        assert key not in inside
        inside.append(key)
        assert len(inside) <= 2
        seen[key] = env.now
        env.timeout(1.0).callbacks.append(lambda _: over(key))

    def over(key: int) -> None:
        inside.remove(key)
        workers.done(key)

    workers = Workers[int](2, work)
    for at, key, priority in added:
        env.timeout(at).callbacks.append(lambda _, k=key, p=priority: workers.add(k, p))
    env.run()
    assert not inside
    for at, key, _ in added:
        assert seen[key] >= at


def test_the_urgent_comes_first() -> None:
    order: list[str] = []
    workers = Workers[str](1, order.append)
    for key, priority in (("first", 0), ("late", -1), ("plain", 0), ("woken", 1), ("late", 2)):
        workers.add(key, priority)
    for _ in range(4):
        workers.done(order[-1])
    assert order == ["first", "late", "woken", "plain"]


LEASES = st.tuples(st.floats(1, 60), st.floats(0.2, 0.9), st.floats(0.1, 0.9)).map(
    lambda drawn: LeaseSettings(drawn[0], drawn[0] * drawn[1], drawn[0] * drawn[1] * drawn[2] / 1.2)
)


# The wait for the lease's end came to a bit less than it, and then nobody led for ever.
@example(LeaseSettings(1.4375, 0.71875, 0.2994791666666667), 110, 2, [0.3833473347310138])
@given(LEASES, st.integers(0, 1000), st.integers(2, 5), st.lists(st.floats(0, 200), max_size=4))
def test_one_leads_at_a_time_and_a_lease_has_to_run_out_first(lease, seed, members, kills) -> None:
    env = simpy.Environment()
    terms: list[tuple[str, float, float]] = []
    living = [f"manager-{number}" for number in range(members)]
    leading: list[tuple[str, float]] = []

    def begins(name: str) -> None:
        assert name in living
        assert not leading
        leading.append((name, env.now))

    def ends() -> None:
        name, since = leading.pop()
        terms.append((name, since, env.now))

    latency = LatencyModel(0.0, 0.0, 0.0)
    election = Election(env, VirtualRuntime(seed), "lease", lease, latency, begins, ends)
    election.opens(list(living))
    for at in sorted(kills):
        env.run(until=max(at, env.now + 1e-6))
        if len(living) > 1:
            victim = election.holder or living[0]
            living.remove(victim)
            election.dies(victim)
    env.run()
    assert [name for name, _ in leading] == [election.holder]
    for gap in election.gaps:
        # Renewed a retry period before the kill at the earliest, and seen as late after that.
        assert gap >= lease.lease_duration - lease.retry_period
    if len(terms) == 1:
        assert election.gaps[0] <= lease.lease_duration + lease.retry_period


def lagging(seconds: float) -> Calibration:
    return replace(Calibration(), api=LatencyModel(delivery=seconds))


@pytest.mark.parametrize(
    ("algorithm", "lags"),
    [
        ("deterministic", (0.0001, 0.003, 0.03)),
        # No further: with a long lag the machines themselves come one by one, and meet less.
        ("first-available", (0.0001, 0.0003, 0.001)),
    ],
)
def test_the_longer_the_lag_the_more_conflicts(algorithm: str, lags: tuple[float, ...]) -> None:
    args = {"hosts": 36, "managers": 3, "algorithm": algorithm}
    found = [
        fmean(
            storm("shards", 30, seed=seed, times=lagging(lag), **args)["conflicts"] or 0.0
            for seed in range(1, 11)
        )
        for lag in lags
    ]
    assert found == sorted(found)
    assert found[-1] > 1.1 * found[0]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(("standard", "leader", "shards")),
    st.sampled_from(("deterministic", "round-robin", "priority", "first-available", "upstream")),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(0, 10_000),
)
def test_every_host_that_is_wanted_is_claimed_once(mode, algorithm, machines, hosts, n, seed):
    """That no host is given twice the records check themselves: who loses has a conflict."""
    found = storm(mode, machines, hosts=hosts, managers=n, seed=seed, algorithm=algorithm)
    claimed, conflicts = found["claimed"], found["conflicts"]
    assert claimed == min(machines, hosts)
    assert found["claim_attempts"] == claimed + conflicts
    if mode == "leader" or (n == 1 and machines * 2 < hosts):
        assert conflicts == 0


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_claim_that_two_managers_serve_has_one_host(seed: int) -> None:
    """With a slow API claims lie for longer than the renew deadline, and are served by both."""
    slow = replace(Calibration(), api=LatencyModel(0.4, 0.6, 1.2))
    found = storm("leader", 60, hosts=72, managers=3, seed=seed, times=slow, creators=60)
    assert found["claimed"] == 60
    assert found["conflicts"]


def test_a_busy_processor_holds_up_the_claims() -> None:
    slow = replace(Calibration(), processor=0.01)
    found = storm("standard", 50, hosts=60, managers=1, seed=1, times=slow)
    assert found["claims_per_second"] == pytest.approx(100.0, rel=0.05)
