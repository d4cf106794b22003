"""When machines come: by each process, by a day's course, and by a recorded file."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from beskar7.api.problems import DocumentError, Problem
from beskar7.runtime import VirtualRuntime
from scenarios.engine.arrivals import arrivals_of, lifetime_of, rate_at
from scenarios.engine.loader import load, loads
from scenarios.engine.schema import Arrivals, Coming, Day, Lifetime, LoadSpec
from scenarios.engine.tracefile import MAX_RECORDED, parse_trace, read_trace
from scenarios.swarm.files import read_document

pytestmark = pytest.mark.unit

BASE = """
name: traced
world:
  hosts: {{count: 4, vendors: {{dell: 1}}, scale: {{boot: 0.01, latency: 0.1}}}}
load: {{arrivals: {arrivals}{more}}}
"""
HOUR = 3600.0


def offsets(load: LoadSpec, seed: int = 3) -> list[float]:
    return [coming.at for coming in arrivals_of(load, VirtualRuntime(seed).rng("arrivals"))]


def scenario(arrivals: str, more: str = "") -> str:
    return BASE.format(arrivals=arrivals, more=more)


def test_arrivals_follow_their_process() -> None:
    poisson = offsets(LoadSpec(1000, arrivals=Arrivals("poisson", 10.0)))
    assert poisson == sorted(poisson)
    assert 80 < poisson[-1] < 120
    assert offsets(LoadSpec(3, arrivals=Arrivals("constant", 2.0))) == [0.0, 0.5, 1.0]
    assert offsets(LoadSpec(2)) == [0.0, 0.0]


@pytest.mark.parametrize("peak", [1.0, 1.5, 3.0, 20.0])
def test_a_days_rate_has_its_mean_and_its_peak(peak: float) -> None:
    arrivals = Arrivals("diurnal", 0.01, Day(peak, at=9 * HOUR, starts=2 * HOUR))
    rates = [rate_at(arrivals, minute * 60.0) for minute in range(24 * 60)]
    assert math.fsum(rates) / len(rates) == pytest.approx(0.01, rel=1e-9)
    assert max(rates) == pytest.approx(0.01 * peak, rel=1e-9)
    if peak > 1.0:
        # The load begins at 2 o'clock, so nine o'clock is seven hours later.
        assert rates.index(max(rates)) == 7 * 60
    k = math.log(max(rates) / min(rates)) / 2
    assert 1.0 / special.i0e(k) == pytest.approx(peak, rel=1e-9)


def test_machines_come_when_the_day_has_them_come() -> None:
    day = Day(3.0, at=9 * HOUR, starts=6 * HOUR)
    arrivals = Arrivals("diurnal", 200 / 86_400.0, day)
    found = offsets(LoadSpec(20_000, arrivals=arrivals))
    # A hundred days: the count in an hour of the day is Poisson, judged at five deviations.
    for hour in range(24):
        low = (hour - 6) % 24 * HOUR
        expected = 100 * sum(rate_at(arrivals, low + second) * 60 for second in range(0, 3600, 60))
        seen = sum(low <= at % 86_400.0 < low + HOUR for at in found)
        assert abs(seen - expected) < 5 * math.sqrt(expected) + 1, hour


def test_rates_have_units() -> None:
    for text, rate in (("5/s", 5.0), ("30/m", 0.5), ("36/h", 0.01), ("864/d", 0.01), ("2", 2.0)):
        made = loads(scenario(f"{{constant: {text}}}", ", machines: 1"))
        assert made.load.arrivals.rate == pytest.approx(rate)
    made = loads(scenario("{diurnal: {mean: 864/d, peak: 3, at: 9h}}", ", machines: 1"))
    assert made.load.arrivals == Arrivals("diurnal", 864 / 86_400.0, Day(3.0, 9 * HOUR))


@pytest.mark.parametrize(
    ("arrivals", "says"),
    [
        ("{poisson: 5/w}", "arrivals.poisson: has to be a rate such as 5/s, 40/h or 200/d, not"),
        ("{constant: 1e9/d}", r"is 11574.1/s; it has to be from 1e-05/s to 10000/s"),
        ("{poisson: null}", "arrivals.poisson: is missing"),
        ("{diurnal: {peak: 3}}", "arrivals.diurnal.mean: is missing"),
        ("{diurnal: {mean: 1/h, peak: 0.5}}", "diurnal.peak: is 0.5; it has to be from 1 to 20"),
        ("{diurnal: {mean: 1/h, at: 25h}}", "diurnal.at: is 25h; it has to be from 0s to 24h"),
        ("{diurnal: {mean: 1/h, top: 3}}", "diurnal.top: unknown field"),
        ("{trace: 7}", "arrivals.trace: has to be a text"),
        ("{trace: none.csv}", r"arrivals.trace: .*none.csv: cannot read it: No such file"),
        ("{trace: none.csv, speed: 0}", "arrivals.speed: is 0; it has to be from 0.001"),
        ("{weekly: 3}", "has the fields weekly; write batch, {poisson: 5/s}"),
    ],
)
def test_a_mistake_is_named(arrivals: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        loads(scenario(arrivals, ", machines: 1"))


TRACE = """timestamp,variant,lifetime_seconds
2026-03-02T09:00:05+01:00,2,

2026-03-02T08:00:00Z,,30
2026-03-02 08:00:00.5,1,
"""


def written(folder: Path, text: str = TRACE, arrivals: str = "{trace: a.csv}") -> Path:
    (folder / "a.csv").write_text(text, encoding="utf-8")
    place = folder / "s.yaml"
    mix = ", mix: [{weight: 3}, {boot_mode: Legacy}], lifetime: {constant: 40s}"
    place.write_text(scenario(arrivals, mix))
    return place


def test_a_trace_is_read_beside_its_scenario(tmp_path: Path) -> None:
    made = load(str(written(tmp_path))).load
    assert made.machines == 3
    comings = arrivals_of(made, VirtualRuntime(1).rng("arrivals"))
    assert comings == [Coming(0.0, None, 30.0), Coming(0.5, 0), Coming(5.0, 1)]
    rng = VirtualRuntime(1).rng("lifetimes")
    assert [lifetime_of(made, coming, rng) for coming in comings] == [30.0, 40.0, 40.0]
    assert [len(arrivals_of(load(str(tmp_path / "s.yaml"), ["load.machines=2"]).load, rng))] == [2]
    fast = load(str(written(tmp_path, arrivals="{trace: a.csv, speed: 10}"))).load
    assert arrivals_of(fast, rng)[0] == Coming(0.0, None, 3.0)
    assert arrivals_of(fast, rng)[2].at == 0.5


def test_a_document_that_moves_takes_its_trace_along(tmp_path: Path) -> None:
    document = read_document(str(written(tmp_path)))
    moved = loads(yaml.safe_dump(document), str(tmp_path / "elsewhere" / "s.yaml"))
    assert moved == load(str(tmp_path / "s.yaml"))
    assert document["load"]["machines"] == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a.csv:1: holds no arrivals"),
        ("seconds\n", "a.csv:1: holds no arrivals"),
        ("seconds,timestamp\n1,2\n", "a.csv:1: needs one of the columns seconds and timestamp"),
        ("variant\n1\n", "a.csv:1: needs one of the columns"),
        ("second\n1\n", r'a.csv:1: second: unknown column; did you mean "seconds"\?'),
        ("seconds,seconds\n1,1\n", "a.csv:1: seconds: stands twice"),
        ("seconds\n1\n-2\nx\n", r'a.csv:3: seconds: "-2" is not a number.*\n.*a.csv:4: .*"x"'),
        ("seconds\nnan\n", 'a.csv:2: seconds: "nan" is not a number'),
        ("seconds,variant\n1,0\n", 'a.csv:2: variant: "0" is not a position in load.mix'),
        ("seconds,variant\n1\n", "a.csv:2: has 1 cells, but the first line names 2 columns"),
        ("seconds,lifetime_seconds\n1,0\n", "a.csv:2: lifetime_seconds:"),
        ("timestamp\nMonday\n", 'a.csv:2: timestamp: "Monday" is not a time such as'),
        ("timestamp\n2020-01-01\n2026-01-01\n", "span 2192 days; the limit is a year"),
        ('seconds\n"1\n', "not valid CSV"),
    ],
)
def test_a_mistake_in_a_trace_is_named_by_file_line_and_column(text: str, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        parse_trace(text, "a.csv")


def test_what_does_not_fit_its_load_is_refused(tmp_path: Path) -> None:
    place = str(written(tmp_path))
    with pytest.raises(DocumentError, match=r"load\.machines: is 4, but the trace has 3 arrivals"):
        load(place, ["load.machines=4"])
    with pytest.raises(DocumentError, match="arrival 3 is of variant 2, but the mix has 1"):
        load(place, ["load.mix=[{}]"])
    with pytest.raises(DocumentError, match=r"a\.csv:1: .*unknown column"):
        load(str(written(tmp_path, "when\n1\n")))
    (tmp_path / "a.csv").write_bytes(b"seconds\n\xff\n")
    with pytest.raises(DocumentError, match=r"a\.csv:2: is not UTF-8 text"):
        read_trace(tmp_path / "a.csv")
    long = written(tmp_path, "seconds\n0\n2592000\n")
    with pytest.raises(DocumentError, match="lasts 30 days; the limit is 7: give a greater speed"):
        load(str(long))
    assert load(str(long), ["load.arrivals.speed=60"]).load.machines == 2


ROWS = st.lists(
    st.tuples(
        st.floats(0.0, MAX_RECORDED),
        st.none() | st.integers(1, 50),
        st.none() | st.floats(0.001, MAX_RECORDED),
    ),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS, order=st.permutations(("seconds", "variant", "lifetime_seconds")))
def test_what_was_written_is_read(
    rows: list[tuple[float, int | None, float | None]], order: tuple[str, ...]
) -> None:
    text = io.StringIO()
    out = csv.DictWriter(text, order)
    out.writeheader()
    for at, variant, lifetime in rows:
        out.writerow({"seconds": repr(at), "variant": variant, "lifetime_seconds": lifetime})
    expected = [Coming(at, None if v is None else v - 1, life) for at, v, life in rows]
    assert list(parse_trace(text.getvalue(), "a.csv")) == sorted(expected, key=lambda one: one.at)


@given(text=st.text(max_size=200) | st.text('seconds,varint\n"0123.\r-:TZ', max_size=200))
def test_any_text_is_arrivals_or_a_named_mistake(text: str) -> None:
    found: tuple[Coming, ...] = ()
    wrong: list[Problem] = []
    try:
        found = parse_trace(text, "a.csv")
    except DocumentError as error:
        wrong = error.problems
    assert bool(found) != bool(wrong)
    assert all(problem.where.source == "a.csv" for problem in wrong)
    assert found == tuple(sorted(found, key=lambda row: row.at))


def test_lifetimes_without_a_trace_are_the_loads() -> None:
    rng = VirtualRuntime(1).rng("lifetimes")
    assert lifetime_of(LoadSpec(1), Coming(0.0), rng) is None
    assert lifetime_of(LoadSpec(1, lifetime=Lifetime("constant", 5.0)), Coming(0.0), rng) == 5.0
