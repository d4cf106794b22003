"""What conditions are judged by: sums of metrics over lives, counts of Events and handovers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from emulator.kube.store.writelog import WriteRecord
from scenarios.engine.rehearsal.conditions import Series
from scenarios.engine.rehearsal.counts import Counts, since
from scenarios.engine.rehearsal.record import Part, Step
from scenarios.engine.rehearsal.repairs import by_operator, described
from scenarios.engine.rehearsal.samples import SampleBook, parse_samples, quantile, total
from scenarios.engine.rehearsal.show import acts_table, stretches

pytestmark = pytest.mark.unit
CLAIMS = Series("claims_total")
LENGTH = Series("length")


def claims(success: int, conflict: int, length: int) -> str:
    return (
        "# TYPE claims_total counter\n"
        f'claims_total{{outcome="success"}} {success}\n'
        f'claims_total{{outcome="conflict"}} {conflict}\n'
        f"length {length}\n"
        "other 7\n"
    )


def test_counters_count_over_the_lives_of_managers_and_gauges_of_the_living() -> None:
    book = SampleBook(["claims_total", "length"])
    book.take({"a": claims(5, 1, 4), "b": claims(2, 0, 3)})
    base = book.totals
    assert total(base, {}, CLAIMS) == 8
    assert total(base, {}, LENGTH) == 7
    book.take({"a_1": claims(1, 1, 2), "b": claims(2, 0, 3)})  # a was killed and came again
    assert total(book.totals, {}, CLAIMS) == 10
    assert total(book.totals, base, CLAIMS) == 2
    assert total(book.totals, base, Series("claims_total", {"outcome": "conflict"})) == 1
    assert total(book.totals, base, LENGTH) == 5, "what is now, not what it became more"
    assert total(book.totals, base, Series("other")) is None, "nobody asked for it"
    book.take({})
    assert total(book.totals, {}, LENGTH) is None
    assert total(book.totals, {}, CLAIMS) == 10


def test_a_text_that_breaks_off_gives_what_it_has() -> None:
    assert parse_samples('x{a="b"} 1\nx{a="', ["x"]) == {("x", (("a", "b"),)): 1.0}
    assert parse_samples("x 1\ny 2\n", ["x"]) == {("x", ()): 1.0}


@given(st.lists(st.sampled_from([0.05, 0.3, 0.7, 3.0, 40.0]), min_size=1), st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_of_its_sample(samples: list[float], share: float) -> None:
    registry = CollectorRegistry()
    histogram = Histogram("took_seconds", "", buckets=(0.1, 0.5, 1.0, 5.0), registry=registry)
    for sample in samples:
        histogram.observe(sample)
    sums = parse_samples(generate_latest(registry).decode(), ["took_seconds"])
    found = quantile(sums, {}, Series("took_seconds"), share)
    assert found is not None
    rank = share * len(samples)
    exact = next(s for n, s in enumerate(sorted(samples), 1) if n >= rank - 1e-9)
    low, high = {
        0.05: (0.0, 0.1),
        0.3: (0.1, 0.5),
        0.7: (0.5, 1.0),
        3.0: (1.0, 5.0),
        40.0: (5.0, 5.0),  # beyond the last bound there is nothing to interpolate
    }[exact]
    assert low - 1e-9 <= found <= high + 1e-9


def test_a_quantile_of_nothing_is_none() -> None:
    registry = CollectorRegistry()
    Histogram("took_seconds", "", registry=registry)
    sums = parse_samples(generate_latest(registry).decode(), ["took_seconds"])
    assert quantile(sums, {}, Series("took_seconds"), 0.5) is None


def write(
    seq: int, kind: str, name: str, obj: dict[str, Any], *, verb: str = "update", client: str = "x"
) -> WriteRecord:
    return WriteRecord(
        *(seq, float(seq), client, verb, "ok", kind, "beskar7-system", name, "", str(seq)),
        object={"metadata": {"name": name}, **obj},
        previous=None,
    )


def test_an_event_that_comes_again_counts_by_its_count() -> None:
    log = [
        write(1, "Event", "e1", {"reason": "QueueFull", "count": 1}, verb="create"),
        write(2, "Event", "e1", {"reason": "QueueFull", "count": 4}),
        write(3, "Event", "e2", {"reason": "QueueFull"}, verb="create"),
        write(4, "Event", "e2", {"reason": "QueueFull"}, verb="delete"),
    ]
    counts = Counts()
    counts.read(log[:2])
    assert since(counts.events["QueueFull"], 0.0) == 4
    counts.read(log)
    assert since(counts.events["QueueFull"], 0.0) == 5
    assert since(counts.events["QueueFull"], 2.0) == 4


def test_a_lease_changes_hands_when_another_holds_it_also_after_its_deletion() -> None:
    def held(seq: int, holder: str, verb: str = "update") -> WriteRecord:
        return write(seq, "Lease", "l", {"spec": {"holderIdentity": holder}}, verb=verb)

    counts = Counts()
    counts.read([held(1, "a"), held(2, "a"), held(3, ""), held(4, "a")])
    assert counts.handovers == {}
    counts.read([held(1, "a")] * 4 + [held(5, "b"), held(6, "b", "delete"), held(7, "c")])
    assert since(counts.handovers["l"], 0.0) == 2


@pytest.mark.parametrize(
    ("client", "kind", "is_operator"),
    [
        ("kubectl/v1.31", "ConfigMap", True),
        ("beskar7-operations", "Lease", True),
        ("k9s", "Pod", True),
        ("beskar7-manager/a", "PhysicalHost", False),
        ("beskar7-scenario", "Beskar7Machine", False),
        ("kubelet/lab", "Pod", False),
        ("kube-controller-manager/deployment", "ReplicaSet", False),
        ("default-scheduler", "Event", False),
    ],
)
def test_who_is_the_operator(client: str, kind: str, is_operator: bool) -> None:
    assert by_operator(write(1, kind, "x", {}, client=client)) is is_operator


def test_a_repair_is_told_with_what_it_changed() -> None:
    record = WriteRecord(
        *(1, 1.0, "kubectl/v1.31 (linux)", "patch", "ok", "ConfigMap", "beskar7-system", "c"),
        *("u", "2"),
        object={"metadata": {"name": "c", "resourceVersion": "2"}, "data": {"a": "5", "b": "x"}},
        previous={"metadata": {"name": "c", "resourceVersion": "1"}, "data": {"a": "0"}},
    )
    told = 'kubectl: patch ConfigMap beskar7-system/c: data.a "0" -> "5", data.b none -> "x"'
    assert described(record) == told


def test_of_a_secret_only_the_writing_is_told() -> None:
    record = WriteRecord(
        *(1, 1.0, "kubectl/v1.31 (linux)", "patch", "ok", "Secret", "default", "bmc"),
        *("u", "2"),
        object={"metadata": {"name": "bmc"}},
        previous={"metadata": {"name": "bmc"}},
    )
    assert described(record) == "kubectl: patch Secret bmc"


def parts() -> list[Part]:
    return [
        Part("cause", 10.0, 10.0, [Step("break it", at=10.0, outcome="done")]),
        Part("symptom", 10.0, 18.0, [Step("it hurts", 60.0, 18.0, "came", "9")]),
        Part("remedy", 18.0, 18.1, [Step("kubectl", at=18.1, outcome="done")]),
        Part("recovery", 18.1, None, [Step("it heals", 20.0, None, "missed", "0 of 3")]),
    ]


def test_the_line_shows_short_acts_and_all_of_the_time() -> None:
    found = stretches(parts(), 38.1)
    assert [each.part.name for each in found] == ["cause", "symptom", "remedy", "recovery"]
    assert min(each.width for each in found) > 1.0
    assert found[-1].x + found[-1].width == pytest.approx(100.0, abs=0.01)
    assert [each.after for each in found] == [["0s"], ["8s"], ["100ms"], ["-"]]
    assert stretches([], 5.0) == []


def test_the_table_says_what_there_was_instead() -> None:
    outcomes = list(acts_table(parts()).columns[4].cells)
    assert [str(cell) for cell in outcomes] == ["done", "came", "done", "missed: 0 of 3"]


def test_an_act_is_told_by_seconds_since_the_load_began() -> None:
    told = parts()[1].to_json(origin=9.5)
    assert (told["act"], told["began"], told["seconds"]) == ("symptom", 0.5, 8.0)
    assert told["steps"][0]["after"] == 8.0
