"""ci/docs builds a site, and fails by what is wrong with a page."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="install the extra docs")
pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[3]
GOOD = "# A page\n\n[Home](index.md#what-it-is), [the read-me](../README.md).\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository of three pages with this one's script, settings and check of links."""
    for name in ("ci/docs", "ci/doc_links.py", "docs/conf.py", "docs/site/site.css"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "docs" / "navigation.yaml").write_text(
        "root: docs/index\nentries: [{file: docs/page}, {file: README}]\n"
    )
    (tmp_path / "docs" / "index.md").write_text("# Home\n\n## What it is\n\nA site.\n")
    (tmp_path / "docs" / "page.md").write_text(GOOD)
    (tmp_path / "README.md").write_text("# Read me\n\n[The page](docs/page.md#a-page).\n")
    return tmp_path


def build(tree: Path) -> tuple[int, str]:
    """Exit code and output of ci/docs."""
    done = subprocess.run(
        ["sh", "ci/docs"],
        cwd=tree,
        env=os.environ | {"VENV": sys.prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_good_tree_becomes_a_site_that_links_as_the_files_do(small: Path) -> None:
    status, said = build(small)
    assert (status, said) == (0, "Site: out/site/index.html, 5 pages\n")
    page = (small / "out" / "site" / "docs" / "page.html").read_text()
    assert 'href="index.html#what-it-is"' in page
    assert 'href="../README.html"' in page


def test_what_leads_nowhere_and_what_nothing_leads_to_fail_the_build(small: Path) -> None:
    (small / "docs" / "page.md").write_text("# A page\n\n[no](none.md)\n\n[no](index.md#where)\n")
    (small / "docs" / "lost.md").write_text("# Nobody leads here\n")
    status, said = build(small)
    assert status != 0
    assert "page.md:3: WARNING: 'myst' cross-reference target not found: 'none.md'" in said
    assert "page.md:5: WARNING: local id not found in doc 'docs/index': 'where'" in said
    assert "lost.md: WARNING: document isn't included in any toctree" in said


def test_what_sphinx_lets_through_fails_it_too(small: Path) -> None:
    (small / "docs" / "page.md").write_text("# A page\n\n<a href='none.html'>no</a>\n")
    status, said = build(small)
    assert status != 0
    assert "page.md:3: none.html: there is no such file" in said
