"""What managers counted during a load, although they end and begin anew while it runs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beskar7.metrics import Metrics
from beskar7.operations.cluster import Usage
from beskar7.operations.profile_counters import GAUGES, Counters, UsageSpan
from beskar7.operations.profile_report import counted, lasted

pytestmark = pytest.mark.unit

CLAIMS = "beskar7_host_claim_attempts_total"


class Manager:
    """A process with metrics of its own, that may die and come again."""

    def __init__(self) -> None:
        self.metrics = Metrics()

    def works(self, claims: int) -> None:
        labels = ("default", "success", "none")
        for _ in range(claims):
            self.metrics.claim_attempts.labels(*labels).inc()
            self.metrics.claim_duration.labels("default", "success").observe(0.3)

    def restarts(self) -> None:
        self.metrics = Metrics()

    def text(self) -> str:
        return self.metrics.exposition().decode()


def claims(counters: Counters) -> float:
    return counters.managers_series().total(CLAIMS)


STEPS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 4), st.booleans()), max_size=8
)


@settings(max_examples=30)  # each writes and reads whole expositions
@given(st.integers(0, 5), STEPS)
def test_nothing_counted_before_is_in_it_and_nothing_counted_since_is_lost(
    before: int, steps: list[tuple[str, int, bool]]
) -> None:
    managers = {"a": Manager(), "b": Manager()}
    for manager in managers.values():
        manager.works(before)
    counters = Counters()
    counters.begin({name: each.text() for name, each in managers.items()}, set(managers))
    worked = 0
    for name, claims_made, restarts in steps:
        manager = managers[name]
        if restarts:
            manager.restarts()
            counters.look({n: each.text() for n, each in managers.items()})
        manager.works(claims_made)
        worked += claims_made
        counters.look({n: each.text() for n, each in managers.items()})
    assert claims(counters) == worked
    told = counted(counters)
    assert told["claims"]["duration"]["count"] == worked
    if worked:
        assert told["claims"]["duration"]["mean"] == pytest.approx(0.3)
        assert 0.25 < told["claims"]["duration"]["p50"] <= 0.5  # its bucket


def test_a_manager_that_began_anew_between_two_looks_counts_from_0() -> None:
    manager, counters = Manager(), Counters()
    manager.works(5)
    counters.begin({"a": manager.text()}, {"a"})
    manager.restarts()
    manager.works(3)
    counters.look({"a": manager.text()})
    assert (claims(counters), counters.resets) == (3, 1)


def test_a_series_that_goes_with_its_bmc_is_no_new_beginning() -> None:
    manager, counters = Manager(), Counters()
    manager.works(5)
    manager.metrics.cooldown_waits.labels("default", "10.0.0.1").inc()
    counters.begin({"a": manager.text()}, {"a"})
    manager.metrics.cooldown_waits.remove("default", "10.0.0.1")
    manager.works(1)
    counters.look({"a": manager.text()})
    assert (claims(counters), counters.resets) == (1, 0)


def test_a_pod_that_comes_with_the_load_counts_in_full_one_that_answers_late_does_not() -> None:
    new, late, counters = Manager(), Manager(), Counters()
    late.works(7)
    counters.begin({}, {"late"})
    new.works(2)
    counters.look({"late": late.text(), "new": new.text()})
    assert claims(counters) == 2
    late.works(1)
    counters.look({"late": late.text()})  # the other one is gone, and keeps what it had
    assert claims(counters) == 3
    assert counted(counters)["managers"]["first_seen_late"] == ["late"]


def test_the_most_of_a_gauge_is_of_all_managers_at_one_moment() -> None:
    a, b, counters = Manager(), Manager(), Counters()
    for manager, waiting in ((a, 3), (b, 4)):
        manager.metrics.queue_length.labels("default").set(waiting)
    counters.begin({"a": a.text(), "b": b.text()}, {"a", "b"})
    a.metrics.queue_length.labels("default").set(1)
    counters.look({"a": a.text(), "b": b.text()})
    assert counters.most["waiting"] == 7
    assert not any(name in key[0] for name in GAUGES.values() for key in counters.grown)


@pytest.mark.parametrize("text", ["", "no exposition {", "other_total 5\n"])
def test_what_is_no_exposition_counts_nothing(text: str) -> None:
    counters = Counters()
    counters.begin({"a": text}, {"a"})
    counters.look({"a": text})
    assert counters.grown == {}


@given(st.lists(st.floats(0.0, 1e6), min_size=1))
def test_percentiles_are_values_that_there_were(seconds: list[float]) -> None:
    found = lasted(seconds)
    assert found["p50"] in seconds
    assert found["p95"] in seconds
    assert found["mean"] is not None
    assert math.isclose(found["mean"], math.fsum(seconds) / len(seconds), abs_tol=1e-6)


def test_the_most_of_usage_is_kept_beside_what_it_was_before() -> None:
    span = UsageSpan()
    span.look({"a": Usage(0.1, 100)}, first=True)
    span.look({"a": Usage(0.5, 90), "b": Usage(0.2, 50)})
    span.look(None)
    assert span.before == {"a": Usage(0.1, 100)}
    assert span.most == {"a": Usage(0.5, 100), "b": Usage(0.2, 50)}
