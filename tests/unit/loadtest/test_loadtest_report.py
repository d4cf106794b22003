"""Percentiles, conflict counts and the verdict of a load test."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.managers import by_urls, fetch
from loadtest.metrics import CLAIM_ATTEMPTS, ClaimAttempts, totals
from loadtest.report import Recorder, percentile, render, summary, write
from loadtest.thresholds import parse

pytestmark = pytest.mark.unit

TEXT = f"""\
# HELP {CLAIM_ATTEMPTS} Claims
# TYPE {CLAIM_ATTEMPTS} counter
{CLAIM_ATTEMPTS}{{namespace="a",outcome="success",conflict_reason="none"}} 7.0
{CLAIM_ATTEMPTS}{{outcome="conflict",conflict_reason="optimistic_lock",namespace="a"}} 2.0
{CLAIM_ATTEMPTS}{{namespace="b, \\"c\\"",outcome="conflict"}} 1.0 1700000000
{CLAIM_ATTEMPTS.replace("_total", "_created")}{{outcome="conflict"}} 1.7e9
beskar7_other_total{{outcome="conflict"}} 99
{CLAIM_ATTEMPTS}{{outcome="broken"}} NaN
"""


def test_attempts_are_summed_by_outcome_whatever_the_order_of_labels() -> None:
    assert totals(TEXT, CLAIM_ATTEMPTS, "outcome") == {"success": 7, "conflict": 3}


def test_a_sample_without_labels_counts_under_no_name() -> None:
    assert totals("x_total 4\n", "x_total", "outcome") == {"": 4}


def test_only_growth_since_the_start_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"http://a": TEXT, "http://dead": None, "http://restarted": TEXT}
    monkeypatch.setattr("loadtest.managers.fetch", lambda url: pages[url])
    attempts = ClaimAttempts(by_urls(pages))
    pages["http://a"] = TEXT.replace(" 7.0", " 10.0").replace(" 2.0", " 2.0")
    pages["http://restarted"] = f'{CLAIM_ATTEMPTS}{{outcome="success"}} 1.0\n'
    grown = attempts.since_start()
    assert grown is not None
    assert +grown == {"success": 3 + 1}


def test_nobody_to_ask_is_unknown_and_not_zero() -> None:
    assert ClaimAttempts(by_urls([])).since_start() is None
    assert fetch("file:///etc/hostname") is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_percentile_is_the_nearest_rank(values: list[float], share: float) -> None:
    ordered = sorted(values)
    got = percentile(ordered, share)
    assert sum(value <= got for value in ordered) >= math.floor(share * len(ordered))
    assert sum(value < got for value in ordered) < share * len(ordered)


def test_percentiles_of_a_known_sample() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert [percentile(ordered, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]


def recorder() -> Recorder:
    taken = Recorder()
    for name in ("time-to-claim", "time-to-provisioned", "time-to-release"):
        taken.success(name, 0.25)
    taken.outcome("watch restarted")
    return taken


def test_conflicts_are_outcomes_and_no_failures(tmp_path: Path) -> None:
    found = summary(recorder(), {"seconds": 60.0}, Counter(success=9, conflict=1), 1)
    assert found["passed"] is True
    text = render(found)
    assert "conflict" in text
    assert "1 (10.0%)" in text
    assert "HELD: every promise held" in text
    write(found, tmp_path / "deep" / "summary.json")
    assert json.loads((tmp_path / "deep" / "summary.json").read_text())["conflict_events"] == 1


def test_one_broken_promise_is_enough() -> None:
    taken = recorder()
    taken.failure("single-owner", "host-1 is owned by a and by b")
    found = summary(taken, {}, None, None)
    assert found["passed"] is False
    text = render(found)
    assert "single-owner" in text
    assert "host-1 is owned by a and by b" in text
    assert "FELL SHORT: promises broken: 1" in text
    assert text.count("unknown") == 2


def test_a_test_in_which_nothing_was_provisioned_shows_nothing() -> None:
    found = summary(Recorder(), {}, None, None)
    assert found["passed"] is False
    assert "nothing was shown" in found["verdict"]


def test_what_workers_sent_is_one_report() -> None:
    workers = [recorder(), recorder()]
    workers[1].failure("time-to-claim", "no host claimed")
    master = Recorder()
    for worker in workers:
        master.merge(json.loads(json.dumps(worker.take())))
        assert worker == Recorder()
        master.merge(worker.take())
    assert master.succeeded["time-to-claim"] == 2
    assert master.samples["time-to-claim"] == [0.25, 0.25]
    assert master.failed.total() == 1
    assert master.outcomes["watch restarted"] == 2
    assert master.messages == {"time-to-claim: no host claimed": 1}


def test_a_generator_that_is_late_spoils_times_and_nothing_else() -> None:
    taken = recorder()
    taken.loop.update(looks=100, late=6)
    bounds = parse({"time-to-claim.p95": {"max": 0.1}, "time-to-claim.count": {"min": 1}})
    found = summary(taken, {}, None, None, bounds)
    assert [row["outcome"] for row in found["thresholds"]] == ["not judged", "passed"]
    assert found["passed"] is True
    assert "its times are upper bounds" in render(found)
    taken.loop.update(looks=100)
    found = summary(taken, {}, None, None, bounds)
    assert [row["outcome"] for row in found["thresholds"]] == ["failed", "passed"]
    assert (found["passed"], found["verdict"]) == (False, "thresholds crossed: 1")
