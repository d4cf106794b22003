"""The page: self-contained, escaped, well-formed, and showing what it has to show."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.models.estimates import estimate
from scenarios.pages import export
from scenarios.pages.content import Axis, Figure, Mark, Page, Plot, Series, Table
from scenarios.pages.numbers import table
from scenarios.pages.page import render, save
from scenarios.pages.plane import draw

pytestmark = pytest.mark.unit

EVIL = "<script>alert('x')</script>&\""


def test_equal_pages_are_equal_text_and_load_nothing(sample_page: Page) -> None:
    html = render(sample_page)
    assert html == render(sample_page)
    assert "default-src 'none'" in html
    inline = "".join(re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", html, re.S))
    for forbidden in ("url(", "@import", "fetch(", "XMLHttpRequest", "import("):
        assert forbidden not in inline
    assert set(re.findall(r"(?:src|href)=\S+", html)) == set()
    assert "http" not in html.replace("http-equiv", "")


def test_what_comes_from_outside_is_escaped(sample_page: Page) -> None:
    axis = Axis(EVIL)
    plot = Plot(EVIL, axis, axis, [Series(EVIL, [1.0], [2.0])] * 2, marks=[Mark(1, EVIL)])
    names = Plot(EVIL, axis, axis, [Series(EVIL, [EVIL], [2.0])], "bars", note=EVIL)
    cells = replace(names, kind="heat", value=axis, marks=())
    figure = Figure(EVIL, 1.0, EVIL, EVIL, note=EVIL)
    section = replace(
        sample_page.sections[0],
        title=EVIL,
        text=EVIL,
        plots=[plot, names, cells],
        tables=[Table([EVIL], [[EVIL]], EVIL, EVIL)],
        figures=[figure],
    )
    page = replace(sample_page, title=EVIL, question=EVIL, answer=EVIL, made=EVIL, seed=EVIL)
    html = render(replace(page, sections=[section], figures=[figure]))
    assert EVIL not in html
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(") > 20
    assert "<script>" not in export.svg(plot)


def test_every_figure_has_interval_or_reason_seed_and_command(sample_page: Page) -> None:
    html = render(sample_page)
    tiles = re.findall(r'<div class="tile figure">(.*?)</details>', html, re.S)
    assert len(tiles) == 2
    for tile in tiles:
        assert "seeds 1 to 20" in tile
        assert "beskar7 plan racks.yaml --seed 1" in tile
    assert "13m to 13m41s" in tiles[0]
    assert "95 % interval" in tiles[0]
    assert "exact" in tiles[1]


def test_a_figure_without_interval_must_say_why() -> None:
    with pytest.raises(ValueError, match="interval"):
        Figure("x", 1.0, "seed 1", "beskar7 plan")
    assert "not known" in Figure.of("x", estimate([1.0]), "seed 1", "beskar7 plan").note
    figure = Figure.of("x", estimate([1.0, 2.0, 3.0]), "seed 1", "beskar7 plan")
    assert figure.low is not None
    assert figure.low < 2.0 < (figure.high or 0.0)


def test_a_plot_refuses_what_its_kind_cannot_show() -> None:
    axis = Axis("x")
    with pytest.raises(ValueError, match="as many"):
        Series("a", [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="as many"):
        Series("a", [1.0], [1.0], low=[0.5])
    with pytest.raises(ValueError, match="heat"):
        Plot("p", axis, axis, [], "heat")
    with pytest.raises(ValueError, match="told apart"):
        Plot("p", axis, axis, [Series(str(n), [1.0], [1.0]) for n in range(9)])
    with pytest.raises(ValueError, match="one series"):
        Plot("p", axis, axis, [Series(n, [1.0]) for n in "ab"], "distribution")
    with pytest.raises(ValueError, match="cells"):
        Table(["a", "b"], [["c"]])


def test_the_numbers_stand_beneath_the_plots(sample_plots: list[Plot]) -> None:
    by_title = {plot.title: table(plot) for plot in sample_plots}
    assert by_title["Crossover"].head == ["machines at once", "standard", "leader-elected"]
    assert len(by_title["Crossover"].rows) == 4
    assert by_title["Waits"].rows[0][:2] == ["a", 100]
    assert by_title["Grid"].head == ["cooldown", "1", "2", "4"]


def test_each_kind_is_a_picture_by_itself(sample_plots: list[Plot], tmp_path: Path) -> None:
    for plot in sample_plots:
        export.save(plot, tmp_path / "new" / f"{plot.title}.svg")
        text = (tmp_path / "new" / f"{plot.title}.svg").read_text()
        assert ElementTree.fromstring(text).tag.endswith("svg")
        assert "var(" not in text, "not every reader of pictures knows variables"
        for series in plot.series:
            assert series.name in text or len(plot.series) == 1


def test_bars_of_both_signs_have_a_zero_and_an_empty_plot_says_so() -> None:
    axis = Axis("error", "ratio")
    both = Plot("Errors", Axis("s"), axis, [Series("e", ["a", "b"], [-0.1, 0.2])], "bars")
    picture = export.svg(both)
    bars = re.findall(r'class="bar" x="([\d.]+)" width="([\d.]+)"', picture)
    (left, wide), (right, _) = [(float(x), float(w)) for x, w in bars]
    assert left + wide == pytest.approx(right, abs=0.1), "both begin at 0"
    assert 'class="axis" x1=' in picture
    assert "nothing was measured" not in picture
    empty = Plot("Errors", axis, axis, [Series("e", [1.0], [None])])
    assert "nothing was measured" in export.svg(empty)


def test_of_a_long_line_a_page_shows_as_much_as_can_be_seen() -> None:
    xs = [float(n) for n in range(10_000)]
    plot = Plot("Long", Axis("t", "seconds"), Axis("n"), [Series("s", xs, xs)])
    assert len(table(plot).rows) <= 100
    assert "of 10000" in table(plot).note
    assert len(re.findall(r'class="dot', str(draw(plot).svg))) <= 200


def test_a_page_is_written_with_its_directories(sample_page: Page, tmp_path: Path) -> None:
    save(sample_page, tmp_path / "a" / "b.html")
    assert (tmp_path / "a" / "b.html").read_text().startswith("<!doctype html>")


NUMBERS = st.floats(-1e9, 1e9) | st.sampled_from([0.0, float("nan"), float("inf")]) | st.none()
ROWS = st.lists(st.tuples(st.floats(-1e6, 1e6), NUMBERS, NUMBERS, NUMBERS), max_size=12)
SCALE = st.sampled_from(["linear", "log"])


@given(ROWS, st.sampled_from(["line", "step", "points", "bars", "heat"]), SCALE, SCALE)
def test_any_values_can_be_drawn(
    rows: list[tuple[float, float | None, float | None, float | None]], kind: str, x: str, y: str
) -> None:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    series = Series("s", *columns)  # type: ignore[arg-type]  # generated
    axes = [Axis("a", "seconds", each) for each in (x, y)]  # type: ignore[arg-type] # parametrized
    value = axes[1] if kind == "heat" else None
    plot = Plot("p", axes[0], axes[1], [series], kind, value)  # type: ignore[arg-type] # parametrized
    picture = ElementTree.fromstring(export.svg(plot))
    assert not any("nan" in text or "inf" in text for text in _attributes(picture))


@given(st.lists(st.floats(0, 1e6), max_size=60), SCALE, st.sampled_from(["ecdf", "distribution"]))
def test_any_samples_can_be_drawn(samples: list[float], scale: str, kind: str) -> None:
    axis = Axis("a", "seconds", scale)  # type: ignore[arg-type]  # sampled
    plot = Plot("p", axis, Axis(""), [Series("s", samples)], kind)  # type: ignore[arg-type] # parametrized
    picture = ElementTree.fromstring(export.svg(plot))
    assert not any("nan" in text or "inf" in text for text in _attributes(picture))


def _attributes(picture: ElementTree.Element) -> list[str]:
    places = ("d", "x", "y", "x1", "x2", "y1", "y2", "width", "height")
    return [each.get(name, "") for each in picture.iter() for name in places]
