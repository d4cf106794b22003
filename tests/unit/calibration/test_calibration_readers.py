"""Recorded logs: what is read of them, and what is said about their mistakes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from emulator.calibration.observations import kind_of
from emulator.calibration.readers import Reading, read
from emulator.fields import FieldError

pytestmark = pytest.mark.unit


def reading_of(file: Path, text: str, **options) -> Reading:
    file.write_text(text)
    reading = Reading(**options)
    read(file, reading)
    return reading


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("media", "media"),
        ("Reset", "reset"),
        ("GET /redfish/v1/Systems/1", "system"),
        ("get /redfish/v1/Systems/1?$select=Id", "system"),
        ("GET /redfish/v1/Systems", "collection"),
        ("GET /redfish/v1/Managers/1/VirtualMedia/2", "get"),
        ("PATCH /redfish/v1/Systems/System.Embedded.1", "boot"),
        ("PATCH /redfish/v1/Managers/1", "patch"),
        ("POST /redfish/v1/Systems/1/Actions/ComputerSystem.Reset", "reset"),
        ("POST /redfish/v1/Managers/1/VirtualMedia/2/Actions/VirtualMedia.EjectMedia", "media"),
        ("POST /redfish/v1/SessionService/Sessions", "session"),
        ("GET Systems", "system"),
        ("POST ComputerSystem.Reset", "reset"),
        ("POST InsertMedia", "media"),
        ("PATCH Systems", "boot"),
        ("GET ServiceRoot", "get"),
    ],
)
def test_a_logs_words_mean_a_kind_of_request(operation: str, kind: str) -> None:
    assert kind_of(operation) == kind


def test_a_csv_with_a_header_has_its_columns_in_any_order(tmp_path: Path) -> None:
    text = "time,seconds,host,operation\n1,0.5,a,get\n2,0.25,a,GET /redfish/v1/Systems\n"
    found = reading_of(tmp_path / "log.csv", text).found
    assert found["get"].values == [0.5]
    assert found["collection"].values == [0.25]


def test_a_csv_without_a_header_is_operation_and_seconds(tmp_path: Path) -> None:
    found = reading_of(tmp_path / "log.csv", "get,0.5,more\n# a remark\n\nget,0.75\n").found
    assert found["get"].values == [0.5, 0.75]
    assert found["get"].files == ["log.csv"]


def test_words_of_the_logs_own_can_be_mapped(tmp_path: Path) -> None:
    reading = reading_of(tmp_path / "log.csv", "power,0.5\n", renamed={"power": "reset"})
    assert reading.found["reset"].values == [0.5]


def test_bad_rows_are_named_with_their_line_and_what_is_right(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    rows = ["operation,seconds", "get,abc", "fly,1", "get", "get,-1", "get,nan", "get,0.5"]
    reading = reading_of(file, "\n".join(rows))
    assert [problem.removeprefix(f"{file}:")[:2] for problem in reading.problems] == [
        *("2:", "3:", "4:", "5:", "6:"),
    ]
    assert "must be a number from 0 to 3600, not 'abc'" in reading.problems[0]
    assert "must be one of get, system" in reading.problems[1]
    assert reading.found["get"].values == [0.5]
    header = reading_of(file, "what,how long\n").problems
    assert header == [f"{file}:1: header: must name the columns operation and seconds"]


def test_a_mockups_times_stand_for_what_is_rounded_to_them(tmp_path: Path) -> None:
    for path, times in (
        ("redfish/v1/Systems", {"GET_Time": "0.12"}),
        ("redfish/v1/Systems/1", {"GET_Time": "0.30", "HEAD_Time": "0.28"}),
        ("redfish/v1/Managers/1", {"GET_Time": "0.00"}),
    ):
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "time.json").write_text(json.dumps(times))
        (folder / "index.json").write_text("{}")
    reading = Reading()
    read(tmp_path, reading)
    assert reading.problems == []
    assert reading.found["collection"].bins == {(0.115, 0.125): 1.0}
    assert reading.found["system"].bins == {(0.295, 0.305): 1.0, (0.275, 0.285): 1.0}
    assert reading.found["get"].bins == {(0.0, 0.005): 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", ":1: must be JSON"),
        ('{"Time": 1}', ":1: must be an object with one of GET_Time"),
        ("[]", ":1: must be an object with one of GET_Time"),
        ('{"GET_Time": "soon"}', ":1: GET_Time: must be a number from 0 to 3600, not 'soon'"),
    ],
)
def test_a_bad_time_json_is_named(tmp_path: Path, text: str, message: str) -> None:
    problems = reading_of(tmp_path / "time.json", text).problems
    assert len(problems) == 1
    assert message in problems[0]


def exposition() -> str:
    registry = CollectorRegistry()
    histogram = Histogram(
        "beskar7_bmc_request_duration_seconds",
        "x",
        ["operation", "outcome", "site"],
        buckets=(0.1, 0.5, 2.0),
        registry=registry,
    )
    for site, seconds in (("a", 0.05), ("a", 0.3), ("b", 0.4), ("b", 7.0)):
        histogram.labels("GET Systems", "success", site).observe(seconds)
    histogram.labels("GET Systems", "error", "a").observe(3.0)
    histogram.labels("POST InsertMedia", "success", "a").observe(0.2)
    return generate_latest(registry).decode()


def test_histogram_buckets_are_added_up_over_their_series(tmp_path: Path) -> None:
    found = reading_of(tmp_path / "metrics.txt", exposition()).found
    counts = {bounds: count for bounds, count in found["system"].bins.items() if count}
    assert counts == {(0.0, 0.1): 1.0, (0.1, 0.5): 2.0, (2.0, math.inf): 1.0}
    assert found["media"].count == 1


def test_series_can_be_left_out_by_label(tmp_path: Path) -> None:
    reading = reading_of(tmp_path / "metrics.txt", exposition(), labels={"site": "b"})
    assert reading.found["system"].count == 2
    assert set(reading.found) == {"system"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('h_bucket{operation="get",le="1"} 3\n', ':1: must end with the bucket le="+Inf"'),
        (
            'h_bucket{operation="get",le="1"} 3\nh_bucket{operation="get",le="+Inf"} 2\n',
            ":2: must not be less than the bucket before it (3)",
        ),
        ('h_bucket{le="+Inf"} 3\n', ":1: must have the label operation"),
        ('h_bucket{operation="fly",le="+Inf"} 3\n', ":1: operation: must be one of"),
        (
            'h_bucket{operation="get",le="x"} 3\nh_bucket{operation="get",le="+Inf"} 3',
            ":1: le: must be a number or +Inf, not 'x'",
        ),
        ('h_bucket{operation="get" 3\nh_bucket{operation="get",le="+Inf"} 3', ":1: must be a"),
    ],
)
def test_bad_buckets_are_named_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    problems = reading_of(tmp_path / "metrics.txt", text).problems
    assert any(message in problem for problem in problems), problems


def test_several_histograms_need_a_choice(tmp_path: Path) -> None:
    text = "".join(f'{n}_bucket{{operation="get",le="+Inf"}} 3\n' for n in ("one", "two"))
    with pytest.raises(FieldError, match="say --metric one or two"):
        reading_of(tmp_path / "metrics.txt", text)
    reading = reading_of(tmp_path / "metrics.txt", text, metric="two")
    assert reading.found["get"].count == 3


@pytest.mark.parametrize("what", ["missing", "folder", "bytes"])
def test_what_cannot_be_read_is_said(tmp_path: Path, what: str) -> None:
    place = tmp_path / "it"
    if what == "folder":
        place.mkdir()
    elif what == "bytes":
        place.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FieldError, match=str(place)):
        read(place, Reading())


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=200) | st.lists(st.sampled_from('get,0.5\n"{}_bucket le=+Inf 3#')).map("".join)
)
def test_no_text_makes_it_fail_but_by_saying_so(tmp_path: Path, text: str) -> None:
    file = tmp_path / "log"
    file.write_text(text, "utf-8", "surrogatepass")
    reading = Reading()
    refused = ""
    try:
        read(file, reading)
    except FieldError as bad:
        refused = str(bad)
    assert not refused or str(file) in refused
    assert all(problem.startswith(f"{file}:") for problem in reading.problems)
