"""The fault vocabulary: validation, whom a fault selects, when and how often it strikes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.runtime import Random, VirtualRuntime
from emulator.faults import FaultSet
from emulator.faultspec import Fault, Select, Target
from emulator.fields import FieldError
from emulator.latency import Latency

pytestmark = pytest.mark.unit

POPULATION = [
    Target(f"host-{i:03d}", f"rack-{i % 5}", ("dell", "hpe")[i % 2], "1.0", {"zone": "ab"[i % 2]})
    for i in range(40)
]


def fault(**data: Any) -> Fault:
    return Fault.from_dict({"id": "f", "kind": "error", **data})


def fault_set(seed: int = 1) -> FaultSet:
    return FaultSet(VirtualRuntime(seed), seed, lambda: POPULATION)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "explode"}, "fault.kind: must be one of refused, reset-at-accept"),
        ({}, "fault.kind: must be one of"),
        ({"kind": "error", "colour": 1}, "fault.colour: unknown field; allowed: id, kind"),
        ({"kind": "latency"}, "fault.latency: missing"),
        ({"kind": "latency", "latency": {}}, "fault.latency.mean: missing"),
        ({"kind": "latency", "latency": {"mean": -1}}, "fault.latency.mean: must be a number"),
        (
            {"kind": "latency", "latency": {"mean": 1, "distribution": "normal"}},
            "fault.latency.distribution: must be one of constant, lognormal, gamma, uniform",
        ),
        ({"kind": "error", "status": 200}, "fault.status: must be a whole number from 400 to 599"),
        ({"kind": "hang", "status": 503}, "fault.status: only for kind error, not hang"),
        ({"kind": "error", "probability": 1.5}, "fault.probability: must be a number from 0 to 1"),
        ({"kind": "error", "probability": True}, "fault.probability: must be a number"),
        ({"kind": "error", "count": 0}, "fault.count: must be a whole number from 1"),
        ({"kind": "error", "start": -1}, "fault.start: must be"),
        ({"kind": "error", "duration": "long"}, "fault.duration: must be"),
        ({"kind": "error", "select": {"fraction": 2}}, "fault.select.fraction: must be"),
        ({"kind": "error", "select": {"host": []}}, "fault.select.host: unknown field"),
        ({"kind": "error", "select": {"hosts": "a"}}, "fault.select.hosts: must be a list"),
        ({"kind": "error", "select": {"labels": ["a"]}}, "fault.select.labels: must be a mapping"),
        ({"kind": "error", "match": {"methods": ["FETCH"]}}, "fault.match.methods: must be one of"),
        ({"kind": "reset", "perform": 1}, "fault.perform: must be true or false"),
        ("slow", "fault: must be a mapping, not str"),
    ],
)
def test_errors_name_the_field_and_what_it_may_hold(data: Any, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Fault.from_dict({"id": "f", **data} if isinstance(data, dict) else data)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "latency", "latency": {"mean": 0.5, "sigma": 0.3, "distribution": "lognormal"}},
        {"kind": "error", "status": 429, "retry_after": 2, "count": 3, "probability": 0.5},
        {
            "kind": "hang",
            "perform": True,
            "select": {"hosts": ["host-00*"], "labels": {"zone": "a"}, "fraction": 0.1},
            "match": {"methods": ["post"], "path": "*/Actions/*"},
            "start": 1,
            "duration": 30.0,
        },
    ],
)
def test_a_fault_survives_the_wire(data: dict[str, Any]) -> None:
    read = Fault.from_dict({"id": "f", **data})
    assert Fault.from_dict(read.to_dict()) == read


@pytest.mark.parametrize(
    ("select", "count"),
    [
        ({}, 40),
        ({"hosts": ["host-00*"]}, 10),
        ({"hosts": ["host-001", "host-002"]}, 2),
        ({"racks": ["rack-1"]}, 8),
        ({"vendors": ["dell"]}, 20),
        ({"labels": {"zone": "a"}, "racks": ["rack-1", "rack-2"]}, 8),
    ],
)
def test_all_criteria_hold_and_within_a_list_one_is_enough(
    select: dict[str, Any], count: int
) -> None:
    assert len(fault(select=select).select.choose(POPULATION, "salt")) == count


@settings(max_examples=60, deadline=None)
@given(fraction=st.floats(0, 1, allow_nan=False), size=st.integers(1, 40), salt=st.text(max_size=5))
def test_a_fraction_is_that_share_rounded_and_at_least_one(
    fraction: float, size: int, salt: str
) -> None:
    population = POPULATION[:size]
    chosen = Select(fraction=fraction).choose(population, salt)
    assert len(chosen) == max(1, int(fraction * size + 0.5))
    assert chosen == Select(fraction=fraction).choose(reversed(population), salt)


def test_another_seed_or_id_chooses_others_and_a_larger_share_holds_the_smaller() -> None:
    def choose(fraction: float, salt: str) -> frozenset[str]:
        return Select(fraction=fraction).choose(POPULATION, salt)

    assert choose(0.25, "1/f") != choose(0.25, "2/f")
    assert choose(0.25, "1/f") != choose(0.25, "1/g")
    assert choose(0.25, "1/f") < choose(0.5, "1/f")


def test_a_selector_that_hits_nobody_is_refused() -> None:
    with pytest.raises(FieldError, match="selects none"):
        fault_set().add(fault(select={"hosts": ["nobody"]}))


def test_the_same_id_twice_is_refused() -> None:
    faults = fault_set()
    faults.add(fault())
    with pytest.raises(FieldError, match="in force already"):
        faults.add(fault())


def test_start_and_duration_count_from_the_origin() -> None:
    faults = fault_set()
    faults.add(fault(start=10, duration=5), origin=100.0)
    struck = [now for now in (109.9, 110.0, 114.9, 115.0) if _hit(faults, now)]
    assert struck == [110.0, 114.9]


def _hit(faults: FaultSet, now: float, method: str = "GET", path: str = "/redfish/v1/") -> str:
    return faults.match("host-001", method, path, now).id


def test_method_and_path_are_matched() -> None:
    faults = fault_set()
    faults.add(fault(match={"methods": ["POST"], "path": "*/Actions/*"}))
    assert _hit(faults, 0.0, "POST", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset") == "f"
    assert _hit(faults, 0.0, "GET", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset") == ""
    assert _hit(faults, 0.0, "POST", "/redfish/v1/Systems/1") == ""


def test_count_is_spent() -> None:
    faults = fault_set()
    active = faults.add(fault(count=2))
    assert [_hit(faults, 0.0) for _ in range(3)] == ["f", "f", ""]
    assert active.hits == 2


def test_probability_is_drawn_from_a_stream_of_fault_and_host() -> None:
    def pattern(seed: int, others: bool) -> list[str]:
        faults = fault_set(seed)
        if others:
            # Neither another fault nor another host's requests shift this one's luck.
            faults.add(Fault.from_dict({"id": "g", "kind": "hang", "probability": 0.0}))
        faults.add(fault(probability=0.4))
        seen = []
        for _ in range(200):
            if others:
                faults.match("host-002", "GET", "/", 0.0)
            seen.append(_hit(faults, 0.0))
        return seen

    assert pattern(1, others=False) == pattern(1, others=True)
    assert pattern(1, others=False) != pattern(2, others=False)
    assert 50 < pattern(1, others=False).count("f") < 110


def test_delays_add_up_and_the_first_other_fault_decides() -> None:
    faults = fault_set()
    for name, mean in (("slow", 1.0), ("slower", 2.0)):
        faults.add(Fault.from_dict({"id": name, "kind": "latency", "latency": {"mean": mean}}))
    assert faults.match("host-001", "GET", "/", 0.0).id == "slower"
    faults.add(Fault.from_dict({"id": "hang", "kind": "hang", "duration": 9}), origin=1.0)
    faults.add(Fault.from_dict({"id": "late", "kind": "reset"}))
    hit = faults.match("host-001", "GET", "/", 1.0)
    assert (hit.delay, hit.id, hit.ends) == (3.0, "hang", 10.0)


def test_clearing_ends_a_fault_and_tells_subscribers() -> None:
    faults = fault_set()
    told: list[bool] = []
    faults.add(fault())
    faults.subscribe(cleared=lambda removed: told.append(faults.holds("f")))
    assert faults.clear("nobody") == 0
    assert faults.clear("f") == 1
    assert told == [True, False]
    assert _hit(faults, 0.0) == ""
    assert faults.list() == []


@pytest.mark.parametrize(
    ("distribution", "sigma"), [("constant", 0.0), ("lognormal", 0.5), ("gamma", 1.0)]
)
def test_draws_have_the_mean_that_was_asked_for(distribution: str, sigma: float) -> None:
    latency = Latency(2.0, distribution, sigma)
    rng = Random(1)
    draws = [latency.draw(rng) for _ in range(20_000)]
    assert sum(draws) / len(draws) == pytest.approx(2.0, rel=0.03)
    assert min(draws) >= 0.0
    scaled = latency.scaled(0.1)
    assert sum(scaled.draw(rng) for _ in range(20_000)) / 20_000 == pytest.approx(0.2, rel=0.03)


def test_uniform_is_within_its_width() -> None:
    rng = Random(1)
    draws = [Latency(2.0, "uniform", 0.5).draw(rng) for _ in range(1000)]
    assert 1.5 <= min(draws) < 1.55
    assert 2.45 < max(draws) <= 2.5


@settings(max_examples=200)
@given(
    start=st.floats(0, 100),
    duration=st.floats(0.001, 50),
    gap=st.floats(0, 50),
    times=st.one_of(st.none(), st.integers(1, 5)),
    now=st.floats(0, 1000),
)
def test_what_comes_again_is_in_force_in_its_windows_and_nowhere_else(
    start: float, duration: float, gap: float, times: int | None, now: float
) -> None:
    every = duration + gap
    active = fault_set().add(
        fault(start=start, duration=duration, every=every, times=times), origin=10.0
    )
    most = times or int(1000 / every) + 2
    windows = [active.window(number) for number in range(min(most, 5000))]
    expected = any(begin <= now < (end or 0.0) for begin, end in windows)
    if most <= 5000:
        assert active.in_force(now) == expected
    assert active.ends == (None if times is None else windows[-1][1])
