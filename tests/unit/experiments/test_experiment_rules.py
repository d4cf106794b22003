"""The rules of experiments on figures made by hand, and the files that come along."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from scenarios.experiments.files import experiments, load
from scenarios.experiments.findings import RULES, Found, Rule, find
from scenarios.experiments.publish import ANSWER, FOLDER, INDEX
from scenarios.sweep.axes import read_axis, zipped
from scenarios.sweep.curves import Curve, Place, curves, factor, main_factor, plots, point_number
from scenarios.sweep.runs import Run

pytestmark = pytest.mark.unit

X = ("10", "20", "40", "80")


def curve(name: str, *means: float, noise: Sequence[float] = (-0.1, 0.0, 0.1)) -> Curve:
    """A place for each mean, with a run for each seed's noise: the same luck at every place."""
    return Curve(
        name,
        tuple(
            Place(x, {seed: mean + each for seed, each in enumerate(noise, 1)})
            for x, mean in zip(X, means, strict=True)
        ),
    )


def judged(kind: str, *found: Curve, **more: object) -> Found:
    rule = Rule(kind, "queue_seconds.p95", **more)  # type: ignore[arg-type]  # by the tests
    judgement = find(rule, found)
    assert judgement is not None
    return judgement


def test_curves_cross_where_one_stays_clearly_below() -> None:
    flat = curve("flat", 5, 5, 5, 5)
    falls = judged("crossover", curve("a", 9, 6, 4, 3), flat, series="a", against="flat")
    assert (falls.outcome, falls.words["x"], falls.words["before"]) == ("crosses", "40", "20")
    assert falls.words["one"].startswith("4s (")
    assert falls.words["other"].startswith("5s (")
    below = judged("crossover", curve("a", 4, 4, 4, 4), flat, series="a", against="flat")
    above = judged("crossover", curve("a", 6, 6, 6, 6), flat, series="a", against="flat")
    back = judged("crossover", curve("a", 6, 4, 4, 6), flat, series="a", against="flat")
    same = judged("crossover", curve("a", 5, 5, 5, 5), flat, series="a", against="flat")
    outcomes = [each.outcome for each in (below, above, back, same)]
    assert outcomes == ["always", "never", "never", "equal"]


def test_common_luck_tells_apart_what_scatter_would_hide() -> None:
    wild = (-3.0, 0.0, 3.0)
    one, other = curve("a", 5, 5, 5, 4.5, noise=wild), curve("b", 5, 5, 5, 5, noise=wild)
    assert one.places[-1].estimate is not None
    assert one.places[-1].estimate.half > 5
    found = judged("crossover", one, other, series="a", against="b")
    assert (found.outcome, found.words["x"]) == ("always", "80")


def test_a_threshold_is_kept_from_some_place_on_with_its_interval() -> None:
    found = judged("threshold", curve("a", 9, 1.2, 2.8, 0.5), series="a", bound=1.0)
    assert (found.outcome, found.words["x"], found.words["before"]) == ("found", "80", "40")
    # 0.9 on average is not enough: the interval of these three runs reaches to 1.15.
    assert judged("threshold", curve("a", 9, 9, 9, 0.9), series="a", bound=1.0).outcome == "never"
    assert judged("threshold", curve("a", *[0.5] * 4), series="a", bound=1.0).outcome == "always"
    base = curve("b", 10, 10, 10, 10)
    more = judged(
        "threshold", curve("a", 20, 12, 10.5, 10), base, series="a", against="b", bound=0.1
    )
    assert (more.outcome, more.words["x"]) == ("found", "40")


def test_an_onset_is_where_there_is_anything() -> None:
    found = judged("onset", curve("a", 0, 0, 3, 9, noise=(0.0, 0.0)), series="a")
    assert (found.outcome, found.words["x"], found.words["before"]) == ("found", "40", "20")
    none = curve("a", 0, 0, 0, 0, noise=(0.0, 0.0))
    assert judged("onset", none, series="a").outcome == "never"


def test_ends_rise_or_fall_only_clearly() -> None:
    assert judged("ends", curve("a", 1, 5, 5, 4), series="a").words["ratio"] == "4"
    for last, outcome in ((4, "rises"), (0.5, "falls"), (1, "equal")):
        assert judged("ends", curve("a", 1, 5, 5, last), series="a").outcome == outcome


def test_the_best_is_clearly_better_than_what_there_was() -> None:
    found = judged("best", curve("a", 5, 2, 9, 4), series="a", against="10")
    assert (found.outcome, found.words["x"], found.words["worst"]) == ("better", "20", "40")
    assert found.words["less"].startswith("3s")
    assert judged("best", curve("a", 5, 6, 9, 7), series="a", against="10").outcome == "equal"


def test_places_without_a_value_are_no_finding() -> None:
    empty = Curve("a", tuple(Place(x, {}) for x in X))
    assert find(Rule("ends", "queue_seconds.p95", "a"), [empty]) is None
    first, *others = empty.places
    holed = Curve("a", (Place(first.x, {1: 2.0, 2: 3.0}), *others))
    for kind, each in RULES.items():
        rule = Rule(kind, "queue_seconds.p95", "a", "10" if kind == "best" else "a", 1.0)
        found = find(rule, [holed])
        assert found is not None
        assert found.outcome in each.outcomes
        assert set(found.words) == set(each.words)


def test_a_grid_becomes_curves() -> None:
    groups = [
        zipped([read_axis("load.machines=10,20")]),
        zipped([read_axis("provisioning.bmcCooldownPeriod=1s,10s,30s")]),
    ]
    factors = [factor(group) for group in groups]
    assert [each.label for each in factors] == ["machines", "provisioning.bmcCooldownPeriod"]
    assert factors[1].xs == (1.0, 10.0, 30.0)
    assert (main_factor(factors), point_number(factors, (1, 2))) == (1, 5)
    runs = {
        (point, seed): Run(point, seed, {"throughput": point + seed / 10})
        for point in range(6)
        for seed in (1, 2)
    }
    few, many = curves(factors, runs, "throughput", 1)
    assert (few.name, many.name) == ("10", "20")
    assert [place.values for place in many.places] == [
        {1: 3.1, 2: 3.2}, {1: 4.1, 2: 4.2}, {1: 5.1, 2: 5.2},
    ]  # fmt: skip
    (plot,) = plots(factors, runs, "throughput", 1)
    assert (plot.kind, plot.x.unit, plot.x.scale) == ("line", "seconds", "log")
    assert list(plot.series[1].ys) == pytest.approx([3.15, 4.15, 5.15])


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_can_be_played(name: str) -> None:
    experiment = load(name)
    assert experiment.name == name
    assert experiment.question.endswith("?")
    assert experiment.design().count <= 1000


@pytest.mark.parametrize("name", experiments())
def test_every_experiment_has_its_page(name: str) -> None:
    folder = Path(__file__).parents[3] / FOLDER
    page = (folder / f"{name}.md").read_text(encoding="utf-8")
    experiment = load(name)
    assert page.startswith(f"# {' '.join(experiment.question.split())}\n")
    answer = next(line for line in page.splitlines() if line.startswith(ANSWER))
    assert f"]({name}.md) | {answer.removeprefix(ANSWER)} |" in (folder / INDEX).read_text("utf-8")
    for measure in experiment.measures:
        assert f"- `{measure}`: " in page
    for picture in re.findall(r"\]\((\S+\.svg)\)", page):
        assert (folder / picture).is_file()
