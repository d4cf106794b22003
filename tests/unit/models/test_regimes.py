"""What ends and what goes on are told apart; of what goes on the warm-up is left out."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import loads
from scenarios.models.estimates import estimate, replicate
from scenarios.models.modelmachine import ModelMachine
from scenarios.models.outcome import ModelRun
from scenarios.models.regimes import regime_of, settled, settled_times

pytestmark = pytest.mark.unit

TEXT = """
name: labelled
world: {{hosts: {{count: 3}}}}
load: {{machines: 9{load}}}
{more}
"""
GOES = ", lifetime: {constant: 1m}"
DAY = ", arrivals: {diurnal: {mean: 9/h}}"


@pytest.mark.parametrize(
    ("load", "more", "regime"),
    [
        ("", "", "terminating"),
        (GOES, "", "terminating"),
        (", arrivals: {poisson: 1/s}", "", "terminating"),
        (", arrivals: {poisson: 1/s}" + GOES, "", "steady-state"),
        (", arrivals: {constant: 1/s}" + GOES, "", "steady-state"),
        (DAY + GOES, "", "terminating"),
        (
            ", arrivals: {poisson: 1/s}" + GOES,
            "acts: [{at: 1s, create_machines: {count: 1}}]",
            "terminating",
        ),
        (
            ", arrivals: {poisson: 1/s}" + GOES,
            "faults: [{id: dead, kind: hang, duration: 1s}]",
            "terminating",
        ),
    ],
)
def test_a_run_is_what_its_load_is(load: str, more: str, regime: str) -> None:
    assert regime_of(loads(TEXT.format(load=load, more=more))) == regime


def machine(number: int, created: float, lasted: float) -> ModelMachine:
    found = ModelMachine(number, created, created)
    found.claimed, found.provisioned = created + 0.1, created + lasted
    return found


def machines() -> list[ModelMachine]:
    """A hundred that come to a full system, then four hundred at rest; two seconds to each."""
    lasted = [30.0] * 100 + [10.0 + number % 7 for number in range(400)]
    return [machine(number, 2.0 * number, each) for number, each in enumerate(lasted)]


def test_the_warm_up_and_the_end_are_left_out() -> None:
    chosen = settled(machines())
    numbers = [one.number for one in chosen]
    assert 100 <= numbers[0] < 120
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    # Who comes half a minute before the last arrival, as long as it may take, is still counted.
    assert numbers[-1] == 499 - 15
    times = settled_times(machines())
    assert times["ready_seconds.max"] == pytest.approx(16.0)
    assert times["claim_seconds.p50"] == pytest.approx(0.1)


def test_what_never_settles_leaves_nothing() -> None:
    growing = [machine(number, 2.0 * number, float(number)) for number in range(200)]
    assert settled(growing) == []
    assert settled_times(growing)["ready_seconds.p95"] is None
    assert settled([]) == []


def test_all_of_a_terminating_run_counts() -> None:
    metrics: dict[str, float | None] = {"ready_seconds.p95": 7.0}
    assert ModelRun(metrics, 1.0, machines()).settled == metrics
    steady = ModelRun(metrics, 1.0, machines(), "steady-state").settled
    assert steady["ready_seconds.max"] == pytest.approx(16.0)


def test_estimates_say_what_they_are_of() -> None:
    found = replicate(lambda seed: {"x": float(seed)}, most=3, regime="steady-state")
    assert found["x"].regime == "steady-state"
    assert estimate([1.0, 2.0]).regime == "terminating"
