"""A scenario from a few numbers."""

from __future__ import annotations

import pytest

from scenarios.engine.loader import build
from scenarios.planner.demand import Demand, DemandError, document

pytestmark = pytest.mark.unit


def test_numbers_become_a_scenario_of_real_times() -> None:
    asked = Demand(50, 20, "dell:4,hpe", "poisson:0.5/s", "exponential:30m")
    scenario = build(document(asked))
    assert scenario.world.hosts.vendors == {"dell": 4.0, "hpe": 1.0}
    assert scenario.world.hosts.boot_scale == scenario.world.hosts.latency_scale == 1.0
    assert (scenario.load.arrivals.process, scenario.load.arrivals.rate) == ("poisson", 0.5)
    assert scenario.load.lifetime is not None
    assert scenario.load.lifetime.mean == 1800.0


def test_what_is_left_out_is_a_batch_on_generic_hosts() -> None:
    scenario = build(document(Demand(5, 2)))
    assert scenario.world.hosts.vendors == {"generic": 1.0}
    assert scenario.load.arrivals.process == "batch"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Demand(5, 2, vendors="dell:x"), "is not VENDOR:WEIGHT"),
        (Demand(5, 2, vendors="del:1"), 'did you mean "dell"'),
        (Demand(5, 2, arrivals="0.5/s"), "poisson:0.5/s"),
        (Demand(5, 2, lifetime="30m"), "exponential:30m"),
    ],
)
def test_a_wrong_option_is_named(asked: Demand, said: str) -> None:
    with pytest.raises(DemandError, match=said):
        document(asked)
