"""ci/doc_links.py: which links of Markdown and of HTML it takes for good, and which it tells of."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("myst_parser", reason="install the extra docs")
pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]


def script() -> ModuleType:
    """The module of ci/, which is no package."""
    spec = importlib.util.spec_from_file_location("ci_doc_links", ROOT / "ci" / "doc_links.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = script()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("# It\n\n## `a_b` & C\n\n## Twice\n\n## Twice\n")
    (tmp_path / "docs" / "picture.svg").write_text("<svg/>")
    return tmp_path


def told(tree: Path, text: str) -> list[str]:
    (tree / "docs" / "page.md").write_text(text)
    links.headings.cache_clear()
    return list(links.markdown_faults(tree))


@pytest.mark.parametrize(
    "link",
    [
        *("../README.md", "../README.md#a_b--c", "../README.md#twice-1", "picture.svg", "../docs"),
        *("https://example.org/no#where", "mailto:a@example.org", "#here", "page.md#here"),
    ],
)
def test_a_link_that_a_forge_follows_is_good(tree: Path, link: str) -> None:
    assert told(tree, f"# Here\n\n[it]({link})\n") == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("nowhere.md", "there is no such file"),
        ("../README", "there is no such file"),
        ("#there", "page.md has no anchor #there"),
        ("../README.md#twice-2", "README.md has no anchor #twice-2"),
        ("../README.md#Twice", "README.md has no anchor #Twice"),
        ("../../elsewhere.md", "leaves the folder"),
    ],
)
def test_a_link_that_leads_nowhere_is_told_with_file_line_and_reason(
    tree: Path, link: str, reason: str
) -> None:
    assert told(tree, f"# Here\n\n[it]({link})\n") == [f"docs/page.md:3: {link}: {reason}"]


def test_pictures_tables_html_and_references_are_looked_at_and_code_is_not(tree: Path) -> None:
    text = (
        "![no](a.png)\n\n| a |\n|---|\n| [b](b.md) |\n\n<a href='c.md'>c</a>\n\n[d]\n\n"
        "```md\n[x](x.md)\n```\n\n`[y](y.md)`\n\n[d]: d.md\n"
    )
    assert [line.split(": ")[1] for line in told(tree, text)] == ["a.png", "b.md", "c.md", "d.md"]


def test_a_site_may_link_out_but_load_nothing_from_there(tmp_path: Path) -> None:
    (tmp_path / "other.html").write_text("<h1 id='top'>Other</h1>")
    (tmp_path / "page.html").write_text(
        "<link rel='stylesheet' href='https://fonts.example/f.css'>\n"
        "<script src='https://cdn.example/x.js'></script>\n"
        "<a href='https://example.org'>out</a><a href='other.html#top'>good</a>\n"
        "<a href='other.html#bottom'>bad</a><img src='none.png'>\n"
        "<link rel='canonical' href='https://example.org/page'>\n"
    )
    links.site_page.cache_clear()
    assert list(links.site_faults(tmp_path)) == [
        "page.html:4: other.html#bottom: other.html has no anchor #bottom",
        "page.html:4: none.png: there is no such file",
        "page.html:1: https://fonts.example/f.css: is loaded from another host",
        "page.html:2: https://cdn.example/x.js: is loaded from another host",
    ]
