"""How Sphinx makes a site of the Markdown of this repository: ``ci/docs``, or ``make docs``.

The source folder is the repository's root, so that a link from one page to another is the same on
a forge and in the site. Which page stands where is in ``navigation.yaml``.
"""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

project = "Beskar7 harness"
author = "the Beskar7 harness contributors"
extensions = ["myst_parser", "sphinx_external_toc"]

external_toc_path = "docs/navigation.yaml"
include_patterns = [
    *("docs/**.md", "README.md", "CONTRIBUTING.md", "scenarios/README.md", "examples/README.md"),
]
# Not even to be walked through.
exclude_patterns = [".[a-zA-Z]*", "out", "build", "dist"]

# As deep as headings go: forges give every one of them an anchor.
myst_heading_anchors = 6
# On a forge there are no directives, roles, or targets: none of MyST's own syntax may creep in.
myst_enable_extensions: list[str] = []
# What is typed is shown as it is typed, two dashes too.
smartquotes = False
suppress_warnings = ["myst.strikethrough"]

html_theme = "furo"
html_title = "Beskar7 harness"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
# Opened from a disk, too: nothing is asked of any server.
html_baseurl = ""


def open_pages(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """A link to an HTML file of the repository opens it; MyST would have it downloaded."""
    for reference in list(doctree.findall(addnodes.download_reference)):
        if reference.get("filename", "").endswith(".html"):
            depth = docname.count("/")
            target = "../" * depth + "_downloads/" + reference["filename"]
            link = nodes.reference("", "", *reference.children, refuri=target, internal=True)
            reference.replace_self(link)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("doctree-resolved", open_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
