"""The pages of a run in a browser: they share the style sheet and the plots of the other pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.interop

Load = Callable[..., Any]
PAGES = ("smoke/report.html", "smoke/timeline.html", "index.html")


def test_they_load_nothing_complain_of_nothing_and_fit_a_phone(
    load: Load, run_directory: Path
) -> None:
    for name in PAGES:
        tab = load(run_directory / name, width=360, height=740)
        assert tab.page.evaluate("document.documentElement.scrollWidth") == 360, name
        assert tab.requests == [(run_directory / name).as_uri()]
        assert tab.complaints == [], name


def test_the_timeline_is_drawn_anew_in_other_colours(load: Load, run_directory: Path) -> None:
    page = load(run_directory / "smoke/timeline.html", color_scheme="light").page
    corner = """() => [...document.getElementById("canvas").getContext("2d")
        .getImageData(4, 300, 1, 1).data].slice(0, 3)"""
    page.wait_for_function("document.getElementById('canvas').width > 300")
    light = page.evaluate(corner)
    page.get_by_role("button", name="dark").click()
    dark = page.evaluate(corner)
    assert sum(light) > 600
    assert sum(dark) < 200


def test_the_report_tells_values_and_sorts_and_filters(load: Load, run_directory: Path) -> None:
    tab = load(run_directory / "smoke/report.html")
    plot = tab.plot("Machines over time")
    plot.locator(".frame").focus()
    tab.page.keyboard.press("ArrowRight")
    assert "created, since the load began 0s: 0" in plot.locator("output").inner_text()
    machines = tab.page.locator("#machines tbody tr")
    first = machines.first.inner_text()
    heads = tab.page.locator("#machines th button")
    heads.first.click()
    heads.first.click()
    assert machines.first.inner_text() != first
    tab.page.locator("#filter").fill("no such machine")
    assert not machines.first.is_visible()
