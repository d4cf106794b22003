"""docs/guide-on-trial.md and .html, from the claims, the blocks, and what they came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from guidetrial.blocks import RESULTS, Expected, read_expected
from guidetrial.catalogue import CLAIMS, EXPERIMENTS, SUMS, rests_on
from guidetrial.estimate import Judged, estimate, judge
from guidetrial.findings import FINDINGS
from guidetrial.kept import ROOT, Figures, Results
from guidetrial.model import VERDICTS, Claim, Run
from guidetrial.shown import fill, ranged, unit_of

MARKDOWN = ROOT / "docs" / "guide-on-trial.md"
HTML = ROOT / "docs" / "guide-on-trial.html"
SOURCES = {
    "M": "main document",
    "C": "configuration",
    "R": "runbook",
    "I": "index",
    "T": "troubleshooting",
    "X": "earlier tests",
    "internal": "follows from its numbers",
}
MARKS = {"holds": "✓", "fails": "✗", "undecided": "?"}


class StaleError(Exception):
    """The page cannot be written: what is missing or no longer true, for the user's eyes."""


@dataclass(frozen=True, slots=True)
class View:
    """All that the templates show."""

    claims: list[dict[str, Any]]
    blocks: list[dict[str, Any]]
    findings: list[dict[str, str]]
    verdicts: dict[str, int]
    results: dict[str, int]
    codes: list[str]


def view(results: Results) -> View:
    """Raises StaleError, naming all that is missing or untrue."""
    figures = Figures(results, SUMS)
    wrong: list[str] = []
    claims = []
    for claim in CLAIMS:
        try:
            claims.append(claim_view(claim, results, figures, wrong))
        except LookupError as error:
            wrong.append(f"{claim.id}: {error.args[0]}")
    blocks = [block_view(each, results, wrong) for each in read_expected()]
    try:
        findings = [{"anchor": each.anchor, "text": fill(each.text, figures)} for each in FINDINGS]
    except LookupError as error:
        findings = []
        wrong.append(f"findings: {error.args[0]}")
    if wrong:
        raise StaleError("\n".join(wrong))
    counted = Counter(each["verdict"] for each in claims)
    ran = Counter(each["result"] for each in blocks)
    return View(
        claims,
        blocks,
        findings,
        {verdict: counted[verdict] for verdict in VERDICTS},
        {result: ran[result] for result in RESULTS},
        sorted({row["code"] for row in results.experiments.values()}),
    )


def claim_view(
    claim: Claim, results: Results, figures: Figures, wrong: list[str]
) -> dict[str, Any]:
    """Raises LookupError when a figure is missing."""
    for name in rests_on(claim):
        experiment = EXPERIMENTS.get(name)
        if experiment is None:
            continue
        if results.lacks(experiment):
            wrong.append(f"{claim.id}: {name} was not played as it is now; give --claims")
    verdict, judged = judge(claim, figures)
    if verdict != claim.found_for:
        wrong.append(f"{claim.id}: is {verdict}, and what was found is told of {claim.found_for}")
    return {
        "id": claim.id,
        "says": claim.says,
        "where": ", ".join(SOURCES[each] for each in claim.where.split()),
        "verdict": verdict,
        "found": fill(claim.found, figures),
        "assumes": claim.assumes,
        "parts": [part_view(each) for each in judged],
        "columns": list(claim.shows),
        "rows": rows(claim, figures),
        "sums": [each.how for each in SUMS if each.name in rests_on(claim)],
        "command": f"python ci/guide_on_trial.py --claims --only {claim.id}",
        "example": example(claim),
    }


def part_view(judged: Judged) -> dict[str, str]:
    part = judged.part
    return {
        "mark": MARKS[judged.outcome],
        "outcome": judged.outcome,
        "says": part.says,
        "figure": ranged(judged.left, part.unit),
        "bound": f"{part.op} {ranged(judged.right, part.unit)}",
        "seeds": "" if judged.seeds == 1 else f"seeds 1 to {judged.seeds}",
    }


def rows(claim: Claim, figures: Figures) -> list[list[str]]:
    """A row for each experiment: its name, and the measures that the claim shows."""
    found = []
    for name in rests_on(claim):
        if name not in EXPERIMENTS:
            continue
        cells = []
        for measure in claim.shows:
            try:
                cells.append(ranged(estimate(figures.of(f"{name}:{measure}")), unit_of(measure)))
            except LookupError:
                cells.append("")
        if any(cells):
            found.append([name, *cells])
    return found


def example(claim: Claim) -> str:
    """The command that plays the first of the scenarios that it rests on by itself."""
    for name in rests_on(claim):
        experiment = EXPERIMENTS.get(name)
        if isinstance(experiment, Run):
            return experiment.command(1)
    return ""


def block_view(expected: Expected, results: Results, wrong: list[str]) -> dict[str, Any]:
    ran = results.blocks.get(str(expected.number))
    if ran is None:
        wrong.append(f"block {expected.number} was not run; give --blocks GUIDE.md")
        ran = {"digest": "", "code": 0, "seconds": 0, "shown": []}
    elif ran["digest"] != expected.digest:
        wrong.append(f"block {expected.number}: another text was run; give --blocks GUIDE.md")
    elif ran["shortfalls"]:
        wrong.append(f"block {expected.number}: {'; '.join(ran['shortfalls'])}")
    return {
        "number": expected.number,
        "heading": expected.heading,
        "digest": expected.digest,
        "result": expected.result,
        "why": expected.why,
        "exit": "still running" if ran["code"] == -1 else str(ran["code"]),
        "seconds": f"{ran['seconds']:.0f}",
        "shown": ran["shown"],
    }


@cache
def environment(html: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def cell(text: str) -> str:
    """Text inside a row of a table in Markdown."""
    return text.replace("|", "\\|").replace("\n", " ")


def code_cell(text: str) -> str:
    """Inline code in such a row, whatever it holds."""
    fence = "``" if "`" in text else "`"
    return f"{fence}{cell(text)}{fence}"


def render(results: Results) -> dict[Path, str]:
    """The two pages. Raises StaleError."""
    seen = view(results)
    pages = {}
    for path, name, html in ((MARKDOWN, "page.md.j2", False), (HTML, "page.html.j2", True)):
        template = environment(html).get_template(name)
        pages[path] = template.render(view=seen, cell=cell, code_cell=code_cell)
    return pages


def write(results: Results) -> None:
    for path, text in render(results).items():
        path.write_text(text, encoding="utf-8")


def stale(results: Results) -> list[str]:
    """What is wrong with the pages that are there; nothing when they are up to date."""
    try:
        pages = render(results)
    except StaleError as error:
        return str(error).splitlines()
    return [
        f"{path.name}: not up to date; run python ci/guide_on_trial.py"
        for path, text in pages.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
