"""Tells of links that lead nowhere: in the Markdown as a forge shows it, and in the built site.

    ci/doc_links.py [SITE]      SITE is a folder that Sphinx filled; without, only the Markdown

Sphinx itself refuses what it cannot resolve. It also resolves what no forge does (pages without
their suffix, targets of its own), and does not look at its own output; so both are looked at here.
Nothing is asked of the network: links to other hosts are left alone, but a page of the site that
would *load* anything from one is told of. Exit code 1 when there is one such link.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from myst_parser.slugs import github_slugify

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs/**/*.md", "*.md", "scenarios/*.md", "examples/*.md")
LOADED = {("link", "href"), ("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src")}
"""Tags and attributes that a browser follows without being asked."""
REMARKS = {"canonical", "search", "index", "next", "prev", "author", "license", "alternate"}
"""Relations of a ``link`` that load nothing."""


class Page(HTMLParser):
    """What an HTML page links to, with the line, what it loads, and which anchors it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.loads: list[tuple[int, str]] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        here = dict(attrs)
        self.anchors.update(name for name in (here.get("id"), here.get("name")) if name)
        line = self.getpos()[0]
        passive = tag == "link" and set((here.get("rel") or "").split()) <= REMARKS
        for name in ("href", "src"):
            if target := here.get(name):
                self.links.append((line, target))
                if (tag, name) in LOADED and not passive:
                    self.loads.append((line, target))


def tokens(text: str) -> Iterator[tuple[int, Token]]:
    """The tokens of a Markdown text, those inside of paragraphs too, with the lines they are on."""
    line = 1
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        line = token.map[0] + 1 if token.map else line
        yield line, token
        yield from ((line, child) for child in token.children or [])


@cache
def headings(path: Path) -> frozenset[str]:
    """The anchors that a forge gives to a Markdown file's headings."""
    seen: Counter[str] = Counter()
    anchors, wanted = set(), False
    for _, token in tokens(path.read_text(encoding="utf-8")):
        if token.type == "heading_open":
            wanted = True
        elif wanted and token.type == "inline":
            said = "".join(c.content for c in token.children or [] if c.type != "image")
            slug = github_slugify(said)
            anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
            wanted = False
    return frozenset(anchors)


@cache
def site_page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def written_links(path: Path) -> Iterator[tuple[int, str]]:
    """Line and target of each link and image of a Markdown file."""
    for line, token in tokens(path.read_text(encoding="utf-8")):
        if token.type in ("link_open", "image"):
            yield line, str(token.attrs.get("href", token.attrs.get("src", "")))
        elif token.type in ("html_inline", "html_block"):
            yield from ((line, target) for _, target in Page(token.content).links)


def fault(root: Path, path: Path, link: str) -> str | None:
    """Why a ``link`` of the file ``path`` leads nowhere; None if it leads somewhere, or out."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.is_relative_to(root):
        return "leaves the folder"
    if not target.exists():
        return "there is no such file"
    anchor = unquote(parts.fragment)
    if not anchor:
        return None
    if target.suffix == ".md":
        known = headings(target)
    elif target.suffix == ".html":
        known = frozenset(site_page(target).anchors)
    else:
        return None
    return None if anchor in known else f"{target.name} has no anchor #{anchor}"


def markdown_faults(root: Path) -> Iterator[str]:
    """``file:line: link: reason`` for each bad link of the Markdown below ``root``."""
    for path in sorted({path for folder in FOLDERS for path in root.glob(folder)}):
        for line, link in written_links(path):
            if reason := fault(root, path, link):
                yield f"{path.relative_to(root)}:{line}: {link}: {reason}"


def site_faults(site: Path) -> Iterator[str]:
    """The same of a built site, and everything that it would load from another host."""
    for path in sorted(site.rglob("*.html")):
        page = site_page(path)
        name = path.relative_to(site)
        for line, link in page.links:
            if reason := fault(site, path, link):
                yield f"{name}:{line}: {link}: {reason}"
        for line, link in page.loads:
            if urlsplit(link).netloc:
                yield f"{name}:{line}: {link}: is loaded from another host"


def main(argv: list[str]) -> int:
    faults = list(markdown_faults(ROOT))
    if argv:
        faults += site_faults(Path(argv[0]).resolve())
    for line in faults:
        print(line, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
