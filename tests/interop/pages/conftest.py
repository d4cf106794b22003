"""The system's Chromium, and the page that the unit tests have."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.engine.keeping import save as save_run
from scenarios.engine.loader import load as catalogued
from scenarios.engine.trial import play
from scenarios.pages.page import save
from scenarios.runall import keep_index, row_of

SAMPLES = Path(__file__).parents[2] / "unit" / "pages" / "conftest.py"
ROOMY = ["--no-sandbox", "--disable-dev-shm-usage"]
"""Chromium refuses to run as root with its sandbox, and containers have little shared memory."""


@pytest.fixture(scope="module")
def browser(program: Callable[[str], str]) -> Iterator[Any]:
    """Ended with its module: while Playwright runs, its event loop is the thread's."""
    path = program("chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="install the extra interop")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=path, args=ROOMY)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("page_samples", SAMPLES)
    assert spec is not None
    assert spec.loader is not None
    samples = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(samples)
    path = tmp_path_factory.mktemp("page") / "plan.html"
    save(samples.page(), path)
    return path


class Tab:
    """A page as it was loaded: what it asked of the network, and what it complained of."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def plot(self, title: str) -> Any:
        """The figure with this title."""
        return self.page.locator("figure.plot").filter(has_text=title).first


@pytest.fixture
def load(browser: Any) -> Iterator[Callable[..., Tab]]:
    """Loads a file in a context of its own; options are the context's."""
    contexts = []

    def open_tab(path: Path, width: int = 1100, height: int = 800, **options: Any) -> Tab:
        size = {"width": width, "height": height}
        context = browser.new_context(viewport=size, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        tab = Tab(context.new_page())
        tab.page.goto(path.as_uri())
        return tab

    yield open_tab
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def run_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run's report, the timeline beside it, and the index above it."""
    directory = tmp_path_factory.mktemp("runs")
    result = play(catalogued("smoke"), 1)
    save_run(result, directory / "smoke")
    keep_index(directory, argparse.Namespace(clock="virtual", seed=1), [row_of(result)])
    return directory
