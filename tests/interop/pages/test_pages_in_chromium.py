"""Pages in a browser: offline, on a phone, in both themes, by mouse, finger and keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

PHONE = {"width": 360, "height": 740}
Load = Callable[..., Any]


def test_it_loads_nothing_and_complains_of_nothing(load: Load, page_file: Path) -> None:
    tab = load(page_file)
    tab.page.wait_for_load_state("networkidle")
    assert tab.requests == [page_file.as_uri()]
    assert tab.complaints == []


def test_on_a_phone_nothing_is_cut_off_and_the_answer_is_on_the_first_screen(
    load: Load, page_file: Path
) -> None:
    tab = load(page_file, **PHONE)
    assert tab.page.evaluate("document.documentElement.scrollWidth") == 360
    for name in ("#question", "#answer", ".tile"):
        box = tab.page.locator(name).first.bounding_box()
        assert box["y"] + box["height"] <= 740, name
    boxes = tab.page.locator(".plane text").evaluate_all(
        "all => all.map(t => [t.textContent, t.getBoundingClientRect()])"
        ".map(([t, b]) => [t, b.left, b.right])"
    )
    assert len(boxes) > 60
    assert [t for t, left, right in boxes if left < 0 or right > 360] == []


def test_names_of_ticks_do_not_touch_on_a_phone(load: Load, page_file: Path) -> None:
    touching = load(page_file, **PHONE).page.evaluate(
        """() => [...document.querySelectorAll(".along")].flatMap((group) => {
            const boxes = [...group.querySelectorAll("text")].map((t) => t.getBoundingClientRect());
            return boxes.slice(1).filter((box, n) => box.left < boxes[n].right + 2).map(() =>
                group.closest("figure").querySelector("h3").textContent);
        })"""
    )
    assert touching == []


def test_light_and_dark_follow_the_system_and_the_switch(load: Load, page_file: Path) -> None:
    light = load(page_file, color_scheme="light").page
    dark = load(page_file, color_scheme="dark").page
    pictures = [page.screenshot() for page in (light, dark)]
    assert pictures[0] != pictures[1]
    ground = "getComputedStyle(document.body).backgroundColor"
    assert light.evaluate(ground) == "rgb(246, 247, 249)"
    assert dark.evaluate(ground) == "rgb(15, 20, 26)"
    light.get_by_role("button", name="dark").click()
    assert light.evaluate(ground) == "rgb(15, 20, 26)"
    light.reload()
    assert light.evaluate(ground) == "rgb(15, 20, 26)", "the choice is kept"
    light.get_by_role("button", name="auto").click()
    assert light.evaluate(ground) == "rgb(246, 247, 249)"


def test_every_figure_shows_interval_seed_and_command(load: Load, page_file: Path) -> None:
    page = load(page_file).page
    tiles = page.locator(".tile.figure")
    assert tiles.count() == 2
    for tile in tiles.all():
        assert tile.locator(".interval").inner_text()
        tile.locator("summary").click()
        assert "seeds 1 to 20" in tile.inner_text()
        assert tile.locator(".command").is_visible()
        assert "beskar7 plan racks.yaml --seed 1" in tile.inner_text()
    assert "13m to 13m41s" in tiles.first.inner_text()


SPOTS = [
    ("Crossover", 1, "standard, machines at once 4: 3.5s (3.15s to 4.2s, 20 runs)"),
    ("Growth", 2, "claimed, time 16s: 6s"),
    ("Errors", 3, "model, machines at once 64: 20s (18s to 24s)"),
    ("Sensitivity", 1, "model, no spare hosts: 7s (6s to 8s)"),
    ("Waits", 9, "a: 45% within 4.5s (100 samples)"),
    ("Grid", 4, "workers 4, cooldown 0s: 4s"),
]


def test_pointing_at_a_value_tells_it(load: Load, page_file: Path) -> None:
    tab = load(page_file)
    for title, spot, said in SPOTS:
        plot = tab.plot(title)
        plot.scroll_into_view_if_needed()
        where = plot.locator(".content [data-x]").nth(spot)
        x, y = (float(where.get_attribute(name)) / 1000 for name in ("data-x", "data-y"))
        box = plot.locator(".room").bounding_box()
        tip = plot.locator(".tip")
        assert not tip.is_visible()
        tab.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        assert tip.inner_text() == said
        tab.page.mouse.move(1, 1)
        assert not tip.is_visible()
    assert tab.complaints == []


def test_a_tap_tells_a_value_for_good(load: Load, page_file: Path) -> None:
    tab = load(page_file, **PHONE, has_touch=True, is_mobile=True)
    plot = tab.plot("Crossover")
    plot.locator(".frame").tap()
    assert "machines at once" in plot.locator("output").inner_text()


def test_the_legend_takes_a_series_away_and_brings_it_back(load: Load, page_file: Path) -> None:
    plot = load(page_file).plot("Sensitivity")
    first, value = plot.locator(".series").first, plot.locator(".bar-value").first
    key = plot.get_by_role("button", name="model")
    assert first.is_visible()
    key.click()
    assert key.get_attribute("aria-pressed") == "false"
    assert not first.is_visible()
    assert not value.is_visible()
    assert plot.locator(".series").nth(1).is_visible()
    key.press("Enter")
    assert first.is_visible()
    assert value.is_visible()


def test_the_keyboard_reads_all_values(load: Load, page_file: Path) -> None:
    tab = load(page_file)
    plot = tab.plot("Crossover")
    frame, output = plot.locator(".frame"), plot.locator("output")
    frame.focus()
    heard = []
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowLeft"):
        tab.page.keyboard.press(key)
        heard.append(output.inner_text().split(": ")[0])
    assert heard == [
        "standard, machines at once 1",
        "standard, machines at once 4",
        "leader-elected, machines at once 4",
        "leader-elected, machines at once 1",
        "standard, machines at once 1",
        "standard, machines at once 1",
    ]
    tab.page.keyboard.press("Escape")
    assert not plot.locator(".tip").is_visible()


def ticks(plot: Any) -> list[str]:
    found: list[str] = plot.locator(".along text").all_text_contents()
    return found


def test_zooming_out_again_leaves_the_ticks_that_the_page_came_with(
    load: Load, page_file: Path
) -> None:
    """Which are made twice, by the page's maker and by its script."""
    tab = load(page_file)
    for title in ("Crossover", "Growth", "Errors", "Waits", "Spread"):
        plot = tab.plot(title)
        before = ticks(plot)
        assert len(before) >= 2
        plot.locator(".frame").focus()
        tab.page.keyboard.press("+")
        assert ticks(plot) != before
        assert plot.get_by_role("button", name="whole range").is_visible()
        tab.page.keyboard.press("0")
        assert ticks(plot) == before, title


def test_a_drag_chooses_a_range(load: Load, page_file: Path) -> None:
    tab = load(page_file)
    plot = tab.plot("Growth")
    plot.scroll_into_view_if_needed()
    box = plot.locator(".room").bounding_box()
    y = box["y"] + 100
    tab.page.mouse.move(box["x"] + box["width"] * 0.5, y)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] * 0.6, y)
    tab.page.mouse.move(box["x"] + box["width"] * 0.75, y)
    tab.page.mouse.up()
    seen = [float(text.removesuffix("s")) for text in ticks(plot)]
    assert min(seen) >= 30, seen
    assert max(seen) <= 50, seen
    plot.get_by_role("button", name="whole range").click()
    assert "1m" in ticks(plot)


def test_without_script_all_is_there(load: Load, page_file: Path) -> None:
    tab = load(page_file, java_script_enabled=False)
    assert tab.page.locator(".plane").count() == 7
    assert not tab.page.locator(".theme").is_visible()
    plot = tab.plot("Crossover")
    assert plot.locator(".series .line").first.is_visible()
    plot.locator("summary").click()
    assert "3.15s to 4.2s" in plot.locator("table").inner_text()


def test_a_column_sorts_by_value_and_code_is_selected_to_copy(load: Load, page_file: Path) -> None:
    tab = load(page_file)
    plot = tab.plot("Sensitivity")
    plot.locator("summary").click()
    rows = plot.locator("tbody tr")
    assert "half the workers" in rows.first.inner_text()
    plot.get_by_role("button", name="code").last.click()
    assert "no spare hosts" in rows.first.inner_text()
    tab.page.get_by_role("button", name="copy").click()
    tab.page.locator(".copy", has_text=re.compile("copied|selected")).wait_for()


def test_on_paper_it_is_light(load: Load, page_file: Path) -> None:
    page = load(page_file, color_scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 43)"
    assert not page.locator(".theme").is_visible()
