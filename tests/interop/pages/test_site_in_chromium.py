"""The documentation's site in Chromium, from the disk: search, phone, dark, and no network."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sphinx", reason="install the extra docs")
pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the settings of ci/docs, in a place of this module's own."""
    place = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "sphinx", "--quiet", "--conf-dir", "docs", ".", str(place)],
        cwd=ROOT,
        env=os.environ,
        check=True,
        timeout=240,
    )
    return place


def test_the_search_finds_a_page_without_a_server(site: Path, load: Callable[..., Any]) -> None:
    tab = load(site / "docs" / "index.html")
    tab.page.locator("input[name=q]").first.fill("rendezvous")
    tab.page.locator("input[name=q]").first.press("Enter")
    found = tab.page.locator("ul.search li a", has_text="How a machine gets a host").first
    found.click()
    tab.page.wait_for_url("**/docs/claims.html*")
    assert tab.page.locator("h1").inner_text().startswith("How a machine gets a host")
    assert [url for url in tab.requests if not url.startswith("file:")] == []


@pytest.mark.parametrize("page", ["docs/metrics", "docs/tutorial", "scenarios/README"])
def test_a_page_fits_a_phone_and_its_wide_tables_scroll(
    site: Path, load: Callable[..., Any], page: str
) -> None:
    tab = load(site / f"{page}.html", width=360, height=700, color_scheme="dark")
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 360
    frames = "[...document.querySelectorAll('.table-wrapper')]"
    assert tab.page.evaluate(
        f"{frames}.every(f => f.scrollWidth <= f.clientWidth"
        " || ['auto', 'scroll'].includes(getComputedStyle(f).overflowX))"
    )
    paper = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert sum(int(part) for part in paper.strip("rgba()").split(",")[:3]) < 150
