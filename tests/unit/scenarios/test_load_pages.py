"""What a load leaves: the clients' figures in a run's report, and a page of a cluster's."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from loadtest.report import Recorder, summary
from loadtest.shapes import shape
from loadtest.thresholds import parse
from scenarios.engine.invariants import Rules
from scenarios.engine.report import render as render_report
from scenarios.engine.result import conclude
from scenarios.load.cluster import result_of
from scenarios.load.page import load_page
from scenarios.pages.page import render

pytestmark = pytest.mark.unit


def found(*, broken: bool = False) -> dict[str, Any]:
    recorder = Recorder()
    for name, seconds in (("time-to-claim", 0.25), ("time-to-provisioned", 4.5)):
        recorder.success(name, seconds)
    if broken:
        recorder.failure("single-owner", "<host-1> is owned by a and by b")
    recorder.outcome("late")
    bounds = parse({"time-to-claim.p95": {"max": 5}})
    return summary(recorder, {"seconds": 9.0}, Counter(success=3, conflict=1), 1, bounds)


def test_the_page_of_a_cluster_says_what_is_known_and_escapes_it() -> None:
    html = render(load_page(shape("batch"), found(broken=True), "beskar7 load batch"))
    assert "1 machines were Provisioned; promises broken: 1." in html
    assert "&lt;host-1&gt; is owned by a and by b" in html
    assert "<host-1>" not in html
    for text in ("claim attempts: conflict", "late", "time-to-claim.p95", "beskar7 load batch"):
        assert text in html, text


def test_the_result_of_a_cluster_has_the_names_of_a_scenario() -> None:
    result = result_of(shape("batch"), found(), 12.0)
    assert result["metrics"]["claim_seconds.p95"] == 0.25
    assert result["metrics"]["ready_seconds.count"] == 1
    assert result["metrics"]["conflict_ratio"] == 0.25
    assert result["passed"] is True
    assert result["shortfalls"] == []
    assert result_of(shape("batch"), found(broken=True), 1.0)["shortfalls"] == [
        "promises broken: 1"
    ]


def test_a_runs_report_and_verdict_have_what_its_clients_saw(logs: Any) -> None:
    evidence = logs.evidence()
    evidence.client = found(broken=True)
    result = conclude(evidence, Rules(), 1.0)
    assert not result.passed
    assert "the load generator saw: promises broken: 1" in result.shortfalls()
    assert result.to_json()["client"]["verdict"] == "promises broken: 1"
    html = render_report(result)
    assert "What the clients saw" in html
    assert "<td>single-owner</td>" in html
    evidence.client = found()
    del evidence.client["thresholds"]
    assert "What the clients saw" in render_report(conclude(evidence, Rules(), 1.0))
    evidence.client = None
    assert "What the clients saw" not in render_report(conclude(evidence, Rules(), 1.0))
