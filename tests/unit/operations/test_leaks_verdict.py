"""The verdict on generated series: a leak is found, and what only looks like one is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.operations.leaks_verdict import (
    LEAK,
    MEMORY,
    NO_LEAK,
    TASKS,
    UNCLEAR,
    Sample,
    judge,
    judge_manager,
    overall,
)
from beskar7.operations.trend import trend

pytestmark = pytest.mark.unit

FEW = settings(max_examples=40)
MIB = 1024.0 * 1024.0
SIZE = 80 * MIB
EVERY = 10.0
SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(16, 80)
NOISE = st.floats(0.0, 0.05)
"""MiB of standard deviation: the least growth that counts is twenty times that."""


def noise(seed: int, count: int, deviation: float) -> numpy.ndarray:
    return numpy.random.default_rng(seed).normal(0.0, deviation * MIB, count)


def series(
    memory: Callable[[float], float],
    count: int,
    seed: int = 1,
    deviation: float = 0.1,
    load: Callable[[float], float] = lambda _: 10.0,
    life: Callable[[float], str] = lambda _: "pod/0",
) -> list[Sample]:
    """``memory``, ``load`` and ``life`` of the share of the time, 0 to 1."""
    wobble = noise(seed, count, deviation)
    return [
        Sample(
            n * EVERY,
            life(n / count),
            True,
            load(n / count),
            SIZE + memory(n / count) * MIB + float(wobble[n]),
            {"worker-#": 10},
        )
        for n in range(count)
    ]


@FEW
@given(SEEDS, COUNTS, NOISE, st.floats(4.0, 100.0))
def test_what_grows_all_the_time_is_a_leak(
    seed: int, count: int, deviation: float, grown: float
) -> None:
    found = judge(MEMORY, series(lambda at: grown * at, count, seed, deviation))
    assert found.verdict == LEAK
    assert found.low is not None
    assert found.high is not None
    assert found.per_hour == pytest.approx(grown * MIB / (count * EVERY) * 3600.0, rel=0.3)
    assert found.low <= found.per_hour <= found.high


@FEW
@given(SEEDS, COUNTS, NOISE)
def test_what_stays_is_none(seed: int, count: int, deviation: float) -> None:
    found = judge(MEMORY, series(lambda _: 0.0, count, seed, deviation))
    assert found.verdict == NO_LEAK


@FEW
@given(SEEDS, COUNTS, NOISE, st.floats(2.0, 60.0), st.floats(0.0, 1.0))
def test_what_is_filled_once_is_none(
    seed: int, count: int, deviation: float, step: float, when: float
) -> None:
    found = judge(MEMORY, series(lambda at: step * (at >= when), count, seed, deviation))
    assert found.verdict != LEAK


@FEW
@given(SEEDS, COUNTS, NOISE, st.floats(2.0, 60.0), st.floats(0.01, 0.15))
def test_what_fills_ever_more_slowly_is_none(
    seed: int, count: int, deviation: float, size: float, within: float
) -> None:
    """A cache that fills: within the share of the time, most of it is there."""
    filled = series(lambda at: size * (1 - math.exp(-at / within)), count, seed, deviation)
    assert judge(MEMORY, filled).verdict != LEAK


@FEW
@given(SEEDS, COUNTS, NOISE, st.floats(1.0, 60.0))
def test_what_goes_up_and_down_is_none(
    seed: int, count: int, deviation: float, height: float
) -> None:
    """Garbage that is collected now and then."""
    saw = series(lambda at: height * ((at * 7.3) % 1.0), count, seed, deviation)
    assert judge(MEMORY, saw).verdict != LEAK


@FEW
@given(SEEDS, st.integers(36, 80), st.floats(0.0, 0.05), st.floats(5.0, 50.0))
def test_a_restart_in_the_middle_is_no_shrinking_and_no_cure(
    seed: int, count: int, deviation: float, grown: float
) -> None:
    """It grows, falls back to where it was as a new process, and grows again."""

    def life(at: float) -> str:
        return "pod/0" if at < 0.5 else "pod/1"

    leaky = series(lambda at: grown * (at % 0.5) * 2, count, seed, deviation, life=life)
    found = judge_manager("pod", leaky)
    assert found.verdict == LEAK
    assert found.restarts == 1
    flat = series(lambda at: 30.0 * (at < 0.5), count, seed, deviation, life=life)
    assert judge_manager("pod", flat).verdict == NO_LEAK


@FEW
@given(SEEDS, st.integers(40, 80), st.floats(0.0, 0.1), st.floats(0.02, 0.2))
def test_what_the_load_brings_is_none(seed: int, count: int, deviation: float, each: float) -> None:
    """Machines come, stay, and go: the memory follows them."""

    def load(at: float) -> float:
        return 10.0 + 200.0 * max(0.0, math.sin(at * 3 * math.pi))

    found = judge(MEMORY, series(lambda at: each * load(at), count, seed, deviation, load))
    assert found.verdict == NO_LEAK
    assert found.per_load == pytest.approx(each * MIB, rel=0.1)
    both = series(lambda at: each * load(at) + 20.0 * at, count, seed, deviation, load)
    assert judge(MEMORY, both).verdict == LEAK


def test_a_load_that_grew_as_evenly_cannot_be_told_from_a_leak_but_by_each_object() -> None:
    def load(at: float) -> float:
        return 100.0 * at

    found = judge(MEMORY, series(lambda at: 50.0 * at, 40, load=load, deviation=0.0))
    assert found.verdict == UNCLEAR
    assert "the load grew as evenly" in found.reason
    assert found.per_load == pytest.approx(0.5 * MIB)


def test_too_few_samples_say_nothing() -> None:
    found = judge(MEMORY, series(lambda at: 50.0 * at, 15))
    assert (found.verdict, found.samples) == (UNCLEAR, 15)
    assert "15 samples" in found.reason
    assert judge_manager("pod", []).verdict == UNCLEAR


def test_noise_that_would_hide_a_leak_is_no_proof_of_its_absence() -> None:
    said = [
        judge(MEMORY, series(lambda _: 0.0, 20, seed, deviation=20.0)).verdict for seed in range(40)
    ]
    assert said.count(UNCLEAR) >= 30
    assert LEAK not in said


def test_a_new_leader_that_fills_its_caches_is_judged_by_itself() -> None:
    samples = [
        Sample(n * EVERY, "pod/0", n >= 20, 10.0, SIZE + 40 * MIB * (n >= 20), {"t": 5})
        for n in range(40)
    ]
    assert judge_manager("pod", samples).verdict == NO_LEAK


def tasks(count: Callable[[int], int]) -> list[Sample]:
    return [
        Sample(
            *(n * EVERY, "pod/0", True, 10.0, SIZE),
            {"worker-#": 10, "lost-#": count(n)},
            {"beskar7/kube/stream.py:80": 1000 * n, "elsewhere.py:1": 5},
        )
        for n in range(40)
    ]


def test_tasks_that_are_never_ended_are_a_leak_and_told_by_name() -> None:
    found = judge_manager("pod", tasks(lambda n: n // 2))
    assert found.verdict == LEAK
    memory, lost = found.judgements
    assert (memory.verdict, lost.of, lost.verdict) == (NO_LEAK, TASKS, LEAK)
    assert found.grown_tasks == (("lost-#", 19),)
    assert found.grown_sites == (("beskar7/kube/stream.py:80", 37000),)
    assert judge_manager("pod", tasks(lambda n: n % 3)).verdict == NO_LEAK


def test_where_nobody_tells_of_tasks_the_memory_is_judged_alone() -> None:
    samples = [Sample(n * EVERY, "pod/0", True, 1.0, SIZE) for n in range(20)]
    found = judge_manager("pod", samples)
    assert found.verdict == NO_LEAK
    assert "nobody measures" in found.judgements[1].reason


def test_one_manager_that_leaks_is_enough_for_all() -> None:
    leaky = judge_manager("a", series(lambda at: 50.0 * at, 40))
    fine = judge_manager("b", series(lambda _: 0.0, 40))
    short = judge_manager("c", series(lambda _: 0.0, 4))
    assert overall([fine, leaky, short]) == LEAK
    assert overall([fine, short]) == UNCLEAR
    assert overall([fine]) == NO_LEAK
    assert overall([]) == UNCLEAR


def test_the_bounds_hold_the_true_slope_as_often_as_they_say() -> None:
    """95 of 100 are promised, and chance takes some."""
    random = numpy.random.default_rng(7)
    times = [float(n) for n in range(40)]
    held = 0
    for _ in range(100):
        values = 3.0 * numpy.arange(40) + random.normal(0.0, 20.0, 40)
        found = trend(times, list(values), [1.0] * 40)
        assert found is not None
        held += found.low <= 3.0 <= found.high
    assert 88 <= held <= 100
