"""The dashboard in Grafana's form: each panel has its place, its data source and true queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations
from typing import Any

import pytest

from beskar7.monitoring.dashboard import COLUMNS, dashboard

pytestmark = pytest.mark.unit

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
TYPES = {"row", "stat", "gauge", "timeseries", "state-timeline"}
"""Of current Grafana; "graph" and "singlestat" are those that it has given up."""
UNITS = {"short", "percent", "s", "ops", "reqps"}
WANTED = {
    "claims": "beskar7_host_claim_attempts_total",
    "conflicts by reason": "sum by (conflict_reason)",
    "queue": "beskar7_provisioning_queue_length",
    "BMCs": "beskar7_bmc_circuit_state",
    "leaders": "beskar7_leader",
    "latency per vendor": "by (vendor, le)",
}


@pytest.fixture(scope="module")
def board() -> dict[str, Any]:
    return dashboard()


@pytest.fixture(scope="module")
def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_it_is_a_dashboard_and_not_the_wrapper_of_an_api_call(board: dict[str, Any]) -> None:
    assert board["title"] == "Beskar7 Concurrent Provisioning"
    assert board["schemaVersion"] >= 36, "from which on a data source is an object"
    assert "dashboard" not in board
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", board["uid"])


def test_ids_are_unique_and_types_are_todays(board: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    assert {panel["type"] for panel in board["panels"]} <= TYPES
    titles = [panel["title"] for panel in board["panels"]]
    assert len(titles) == len(set(titles))


def test_no_two_panels_cover_each_other_and_all_are_on_the_board(board: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    for place in places:
        assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
        assert place["h"] > 0
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below, (one, other)


def test_rows_are_filled(panels: list[dict[str, Any]]) -> None:
    widths: dict[int, int] = {}
    for panel in panels:
        place = panel["gridPos"]
        widths[place["y"]] = widths.get(place["y"], 0) + place["w"]
    assert set(widths.values()) == {COLUMNS}


def test_the_data_source_is_a_variable_everywhere(
    board: dict[str, Any], panels: list[dict[str, Any]]
) -> None:
    variables = {each["name"]: each for each in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["datasource"]["query"] == "prometheus"
    assert variables["namespace"]["datasource"] == SOURCE
    for panel in panels:
        assert panel["datasource"] == SOURCE
        assert panel["targets"]
        assert all(target["datasource"] == SOURCE for target in panel["targets"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))


def test_only_variables_that_exist_are_used(
    board: dict[str, Any], panels: list[dict[str, Any]]
) -> None:
    known = {each["name"] for each in board["templating"]["list"]} | {"__rate_interval"}
    for panel in panels:
        for target in panel["targets"]:
            assert set(re.findall(r"\$\{?(\w+)", target["expr"])) <= known


def test_every_query_asks_for_what_there_is(
    panels: list[dict[str, Any]], complaints: Callable[[str], list[str]]
) -> None:
    wrong = {
        target["expr"]: said
        for panel in panels
        for target in panel["targets"]
        if (said := complaints(target["expr"]))
    }
    assert wrong == {}


def test_a_legend_names_labels_that_its_query_leaves(
    panels: list[dict[str, Any]], complaints: Callable[[str], list[str]]
) -> None:
    for panel in panels:
        for target in panel["targets"]:
            for label in re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]):
                inner = target["expr"]
                assert complaints(f"sum by ({label}) ({inner})") == [], panel["title"]
                groupings = re.findall(r"\bby \(([^)]*)\)", inner)
                assert not groupings or label in groupings[0], panel["title"]


def test_units_and_thresholds_are_grafanas(panels: list[dict[str, Any]]) -> None:
    for panel in panels:
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"] in UNITS
        values = [step["value"] for step in defaults["thresholds"]["steps"]]
        assert values[0] is None, "the first step has no lower end"
        assert values[1:] == sorted(values[1:])


@pytest.mark.parametrize("subject", WANTED)
def test_every_subject_has_a_panel(
    panels: list[dict[str, Any]], all_rules: list[dict[str, Any]], subject: str
) -> None:
    recorded = {rule["record"]: rule["expr"] for rule in all_rules if "record" in rule}
    shown = [target["expr"] for panel in panels for target in panel["targets"]]
    shown += [recorded[name] for name in shown if name in recorded]
    assert any(WANTED[subject] in expression for expression in shown)


def test_the_guides_thresholds_of_the_success_rate(panels: list[dict[str, Any]]) -> None:
    (panel,) = [panel for panel in panels if panel["title"] == "Claim Success Rate"]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert [(step["color"], step["value"]) for step in steps] == [
        ("red", None),
        ("yellow", 85),
        ("green", 95),
    ]
