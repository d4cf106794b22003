"""Grids: what is read, what is refused before anything is played, and in which order they go."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beskar7.api.documents import parse
from beskar7.api.problems import DocumentError
from scenarios.sweep import axes, codeprint, design
from scenarios.sweep.axes import Axis, count_points, read_axis, settings, zipped
from scenarios.sweep.runs import Run
from scenarios.sweep.store import RUNS, Store, StoreError
from scenarios.sweep.summary import read_measures, summary
from scenarios.sweep.tables import columns, save

pytestmark = pytest.mark.unit

SCENARIO = """
name: small
world: {hosts: {count: 4}}
load: {machines: 2}
"""


def designed(*grid: str, seeds: range = range(1, 3), text: str = SCENARIO) -> design.Design:
    groups = [zipped([read_axis(each)]) for each in grid]
    return design.design(
        parse(text, "s.yaml"), source="s.yaml", groups=groups, seeds=seeds, fidelity="model"
    )


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("load.machines=2,4, 8", "load.machines", ("2", "4", "8")),
        ("world.hosts.count=100..500:200", "world.hosts.count", ("100", "300", "500")),
        ("load.machines=1..3", "load.machines", ("1", "2", "3")),
        ("load.machines=1..4:2", "load.machines", ("1", "3")),
        ("world.hosts.scale.boot=0.1..0.3:0.1", "world.hosts.scale.boot", ("0.1", "0.2", "0.3")),
        (
            "provisioning.bmcCooldownPeriod=1s..5s:2s",
            "world.config.provisioning.bmcCooldownPeriod",
            ("1s", "3s", "5s"),
        ),
        ("world.hosts.vendors={dell: 1, hpe: 2},{dell: 1}", "world.hosts.vendors", None),
    ],
)
def test_values_are_listed_or_a_range(text: str, path: str, values: tuple[str, ...] | None) -> None:
    found = read_axis(text)
    assert found.path == path
    assert found.values == (values or ("{dell: 1, hpe: 2}", "{dell: 1}"))


@given(
    st.integers(-1000, 1000), st.integers(0, 300), st.sampled_from(["1", "2", "0.5", "0.25", "7"])
)
def test_a_range_holds_its_ends_and_equal_steps(low: int, width: int, step: str) -> None:
    high, by = low + width, Decimal(step)
    if width / by >= axes.MAX_VALUES:
        return
    values = [Decimal(value) for value in read_axis(f"load.x={low}..{high}:{step}").values]
    assert values[0] == low
    assert high - by < values[-1] <= high
    assert all(b - a == by for a, b in pairwise(values))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("load.machines", "has to be PATH=VALUES"),
        ("load.machines=", "has to be PATH=VALUES"),
        ("load.machines=1,,2", "empty value between commas"),
        ("load.machines=3..1", "is empty; write LOW..HIGH:STEP"),
        ("load.machines=1..9:0", "step above zero"),
        ("load.machines=1s..5s:2m", "one unit"),
        ("load.machines=1..999999", "the limit is 1000"),
        ("workerCount=2", 'did you mean "provisioning.workerCount"'),
        ("provisioning.workerCont=2", 'did you mean "provisioning.workerCount"'),
        ("world.config.provisioning.workerCont=2", "unknown; did you mean"),
        ("provisioning.workerCount=2,0", "workerCount=0: '0' is not a whole number from 1 to 75"),
    ],
)
def test_what_cannot_be_a_grid_is_refused_with_its_path(text: str, said: str) -> None:
    with pytest.raises(DocumentError) as error:
        read_axis(text)
    assert str(error.value).startswith("--grid ")
    assert said in str(error.value)


def test_every_point_is_read_before_anything_is_played() -> None:
    with pytest.raises(DocumentError, match=r'--grid world\.hosts\.cuont=1: .* did you mean "cou'):
        designed("world.hosts.cuont=1,2")
    with pytest.raises(DocumentError, match=r"--grid world\.hosts\.count=0: .*from 1 to 10000"):
        designed("world.hosts.count=3,0")
    with pytest.raises(DocumentError, match=r"stands twice"):
        designed("load.machines=1,2", "load.machines=3,4")
    with pytest.raises(DocumentError, match=r"4000000 points; the limit is 2000"):
        count_points(
            [
                (Axis("a.b", tuple(map(str, range(2000)))),),
                (Axis("a.c", tuple(map(str, range(2000)))),),
            ]
        )
    with pytest.raises(DocumentError, match=r"200000 runs"):
        designed("load.machines=1,2", seeds=range(100_000))
    unknown = SCENARIO + "acts: [{at: 1s, configure: {hostSelection.algorithm: priority}}]\n"
    with pytest.raises(DocumentError, match=r"--fidelity model: .*acts\.0 .*use --fidelity code"):
        designed("load.machines=1,2", text=unknown)


def test_what_goes_together_is_no_product() -> None:
    pair = zipped([read_axis("load.machines=1,2"), read_axis("world.hosts.count=3,4")])
    single = (read_axis("provisioning.workerCount=5,6"),)
    found = [[value for _, value in each] for each in settings([pair, single])]
    assert found == [["1", "3", "5"], ["1", "3", "6"], ["2", "4", "5"], ["2", "4", "6"]]
    with pytest.raises(DocumentError, match=r"load\.machines: has the value 2 twice"):
        zipped([read_axis("load.machines=2,3,2")])
    assert zipped([read_axis("load.machines=2,2"), read_axis("world.hosts.count=3,4")])
    with pytest.raises(DocumentError, match=r"has 3 values, but load\.machines 2"):
        zipped([read_axis("load.machines=1,2"), read_axis("world.hosts.count=3..5")])


def test_points_differ_by_their_settings_and_have_no_checks() -> None:
    text = SCENARIO + "checks: [{measure: claimed, equals: 2}]\n"
    found = designed("provisioning.workerCount=2,4", text=text)
    workers = [p.scenario.world.config["provisioning.workerCount"] for p in found.points]
    assert workers == ["2", "4"]
    assert all(not point.scenario.checks for point in found.points)


def test_measures_are_known_by_name() -> None:
    assert read_measures("claimed, queue_seconds.p95") == ("claimed", "queue_seconds.p95")
    with pytest.raises(DocumentError, match=r'--measures claimd: .* did you mean "claimed"'):
        read_measures("claimed,claimd")


def run(point: int, seed: int, value: float | None = 1.0, error: str = "") -> Run:
    metrics = {} if value is None else {"claimed": value, "conflicts": None}
    return Run(point, seed, metrics, error=error)


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    found = designed("load.machines=1,2")
    with Store(found, tmp_path) as store:
        for each in (run(0, 1), run(1, 1), run(0, 2, None, error="Broken: x")):
            store.add(each)
    with (tmp_path / RUNS).open("ab") as file:
        file.write(b'{"point": 1, "seed": 2, "metr')  # It was killed here.
    with Store(found, tmp_path, resume=True) as store:
        # What gave no result is played again.
        assert set(store.runs) == {(0, 1), (1, 1)}
        store.add(run(1, 2, 0.1 + 0.2))
    with Store(found, tmp_path, resume=True) as store:
        assert store.runs[1, 2].metrics == {"claimed": 0.1 + 0.2, "conflicts": None}
    with Store(designed("load.machines=1,2", seeds=range(2, 9)), tmp_path, resume=True) as store:
        assert set(store.runs) == {(1, 2)}, "other seeds may be asked for"


def test_a_scenario_that_says_the_same_is_the_same(tmp_path: Path) -> None:
    with Store(designed("load.machines=1,2"), tmp_path):
        pass
    other = """
        world: {managers: {replicas: 1}, hosts: {racks: 1, count: 4}}
        load: {machines: 2}
        description: Told otherwise, with what is so by default.
        name: small
        """
    with Store(designed("load.machines=1,2", text=other), tmp_path, resume=True):
        pass


def test_runs_of_other_code_are_of_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = designed("load.machines=1,2")
    with Store(found, tmp_path):
        pass
    monkeypatch.setattr(design, "code_print", lambda fidelity: f"another of {fidelity}")
    with pytest.raises(StoreError, match="the code that plays it changed since"):
        Store(found, tmp_path, resume=True)


def test_a_file_that_changes_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("beskar7/a.py", "emulator/b.yaml", "scenarios/engine/c.py", "scenarios/models/d"):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    (tmp_path / "scenarios/models/d.py").write_text("1")
    monkeypatch.setattr(codeprint, "_root", lambda package: tmp_path / package)
    printed = codeprint.code_print.__wrapped__
    model, code = printed("model"), printed("code")
    (tmp_path / "beskar7/README.md").write_text("Words are no code.")
    assert (printed("model"), printed("code")) == (model, code)
    (tmp_path / "scenarios/models/d.py").write_text("2")
    assert printed("code") == code, "the model has no part in it"
    assert printed("model") != model
    (tmp_path / "emulator/b.yaml").rename(tmp_path / "emulator/e.yaml")
    assert printed("code") != code


def test_another_sweep_is_refused(tmp_path: Path) -> None:
    found = designed("load.machines=1,2")
    with pytest.raises(StoreError, match=r"has no sweep\.json to go on with"):
        Store(found, tmp_path / "new", resume=True)
    with Store(found, tmp_path):
        pass
    with pytest.raises(StoreError, match="has a sweep already; --resume goes on"):
        Store(found, tmp_path)
    with pytest.raises(StoreError, match=r"the grid changed .*it was load.machines=1,2;"):
        Store(designed("load.machines=1,3"), tmp_path, resume=True)
    changed = designed("load.machines=1,2", text=SCENARIO.replace("count: 4", "count: 5"))
    with pytest.raises(StoreError, match="the scenario changed since"):
        Store(changed, tmp_path, resume=True)
    (tmp_path / RUNS).write_bytes(b'{"point": 0}\n')
    with pytest.raises(StoreError, match=r"runs\.jsonl:1: is no run"):
        Store(found, tmp_path, resume=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file; give a directory"):
        Store(found, tmp_path / "file")


def test_means_have_the_interval_of_their_seeds() -> None:
    found = designed("load.machines=1,2", seeds=range(1, 4))
    runs = {
        each.key: each
        for each in (
            run(0, 1, 1.0), run(0, 2, 2.0), run(0, 3, 3.0),
            run(1, 1, 4.0), run(1, 2, None, error="x"),
        )
    }  # fmt: skip
    first, second = summary(found, runs, ["claimed", "conflicts"])
    # Student's t for two degrees of freedom and 95 %: 4.302653 (any table).
    assert first.estimates["claimed"].half == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert (first.estimates["claimed"].mean, first.runs, first.lost) == (2.0, 3, 0)
    assert "conflicts" not in first.estimates, "nobody measured it"
    assert (second.runs, second.lost, second.estimates["claimed"].count) == (2, 1, 1)


def test_the_table_has_a_row_for_each_run(tmp_path: Path) -> None:
    found = designed("load.machines=1,2")
    runs = {each.key: each for each in (run(1, 2, 0.1), run(0, 1), run(1, 1, None, error="a, b"))}
    (path,) = [p for p in save(columns(found, runs), tmp_path) if p.suffix == ".csv"]
    assert path.read_text().splitlines() == [
        "point,seed,load.machines,claimed,conflicts,wall_seconds,shortfalls,error",
        "0,1,1,1.0,,0.0,,",
        '1,1,2,,,0.0,,"a, b"',
        "1,2,2,0.1,,0.0,,",
    ]
