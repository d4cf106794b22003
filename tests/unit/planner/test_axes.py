"""What is searched is what the controller takes, and no BMC gets less rest than its vendor asks."""

from __future__ import annotations

from copy import deepcopy

import pytest

from beskar7.api.documents import parse
from beskar7.config import Tuning, parse_tuning
from beskar7.redfish.vendors import VENDORS
from scenarios.engine.loader import build
from scenarios.engine.schema import Scenario
from scenarios.planner.axes import LEAST, Axis, AxisError, axes
from scenarios.planner.costs import WEIGHTS, CostError, weights

pytestmark = pytest.mark.unit

TEXT = """
name: searched
world:
  hosts: {count: 30, vendors: {dell: 1, hpe: 1, lenovo: 1, supermicro: 1}}
load: {machines: 20}
"""
DOCUMENT = parse(TEXT, "searched.yaml")
BASE = build(deepcopy(DOCUMENT))


def searched(*ranges: str) -> dict[str, Axis]:
    return {axis.name: axis for axis in axes(BASE, Tuning(), ranges)}


def played(axis: Axis, value: str) -> Scenario:
    return build(deepcopy(DOCUMENT), axis.overrides(value))


@pytest.mark.parametrize("name", list(WEIGHTS))
def test_every_value_is_one_that_the_controller_takes(name: str) -> None:
    for axis in (searched()[name], searched(f"{name}={_all(name)}")[name]):
        ends = {*axis.values[:2], *axis.values[-2:]}
        for value in ends:
            parse_tuning(played(axis, value).world.config)


def _all(name: str) -> str:
    span = {
        "hosts": "1..30", "replicas": "1..5", "ops": "1..50", "workers": "1..75",
        "reconciles": "1..50", "queue": "10..500", "cooldown": "x1,x4", "looks": "1s,1m",
        "mode": "leader", "algorithm": "priority",
    }  # fmt: skip
    return span[name]


@pytest.mark.parametrize("name", [name for name in WEIGHTS if name not in ("mode", "algorithm")])
def test_more_of_an_axis_costs_more(name: str) -> None:
    axis = searched()[name]
    units = [axis.units(value) for value in axis.values]
    assert units == sorted(units)
    assert len(set(units)) == len(units)


def test_no_bmc_gets_less_rest_than_its_vendor_asks_for() -> None:
    axis = searched("cooldown=x1,x1.5,x2,x3,x4")["cooldown"]
    for value in axis.values:
        tuning = parse_tuning(played(axis, value).world.config)
        for vendor in VENDORS:
            assert vendor.cooldown <= tuning.cooldown(vendor) <= 60.0


def test_where_nothing_else_is_said_the_search_begins_at_the_defaults() -> None:
    for name, least in LEAST.items():
        assert searched()[name].values[0] == least
    assert searched("workers=1..9")["workers"].values == tuple(map(str, range(1, 10)))
    assert searched("mode=leader")["mode"].values == ("leader",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker=3..9", 'did you mean "workers"'),
        ("workers", "AXIS=LOW..HIGH"),
        ("workers=90..99", "nothing is left of it; possible: 1 to 75"),
        ("workers=0", "'0' is not possible"),
        ("mode=standard", "possible: claims, leader"),
        ("hosts=31..40", "possible: 1 to 30"),
    ],
)
def test_a_wrong_range_is_refused(text: str, said: str) -> None:
    with pytest.raises(AxisError, match=said):
        searched(text)


def test_weights_are_changed_by_name() -> None:
    assert weights(["hosts=3", "ops=0"]) == {**WEIGHTS, "hosts": 3.0, "ops": 0.0}
    for wrong in ("hosts", "host=3", "hosts=-1", "hosts=many", "hosts=nan"):
        with pytest.raises(CostError, match="AXIS=WEIGHT"):
            weights([wrong])
