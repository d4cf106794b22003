"""The report: self-contained, escaped, and showing what it has to show."""

from __future__ import annotations

import gzip
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.invariants import Rules
from scenarios.engine.keeping import save
from scenarios.engine.report import render
from scenarios.engine.result import Result, conclude

pytestmark = pytest.mark.unit

EVIL = "<script>alert('x')</script>&\""
VOID = {"meta", "link", "br", "input", "img", "hr"}


class Page(HTMLParser):
    """Collects what a browser would load, and checks that every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.stack: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.stack.append(tag)
        for name, value in attrs:
            loads = ("src", "href", "srcset", "data", "action", "poster", "xlink:href")
            if name in loads or name.startswith("on"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        opened = self.stack.pop()
        assert opened == tag, f"<{opened}> closed by </{tag}>"


def run(logs: Any, description: str = "a storm") -> Result:
    logs.claimed()
    logs.machine(1.0, EVIL)
    logs.request("h1", 2.0, 2.5, "reset:On", operation=logs.provision("h1", "m1"), fault="slow")
    logs.event("h1", 3.0, "boot-finished", f"Cd:{logs.image}")
    logs.host(4.0, "h1", state="Provisioned")
    logs.machine(4.0, "m1", phase="Provisioned")
    logs.host(8.0, "h1", owner=EVIL)
    logs.incidents = [Incident(2.0, "kill-manager", "mgr-1")]
    fault = {"id": "slow", "kind": "latency", "start": 0.0, "duration": None}
    logs.faults = [FaultWindow(fault, 0.0, None)]
    checks = "checks: [{measure: claim_seconds.p95, max: 2s}]\n"
    text = logs.minimal + f"description: {json.dumps(description)}\n" + checks
    return conclude(logs.evidence(10.0, text), Rules(), 3.0)


def test_the_page_is_well_formed_and_loads_nothing(logs: Any) -> None:
    page = Page()
    page.feed(render(run(logs)))
    page.close()
    assert page.stack == []
    links = {"timeline.html", "timeline.txt", *(f"timeline.html#violation-{n}" for n in range(9))}
    assert set(page.loads) <= {f"a href={link}" for link in links}, "only what lies beside it"
    assert page.tags.count("script") == 1


def test_neither_style_nor_script_loads_anything(logs: Any) -> None:
    html = render(run(logs))
    inline = "".join(re.findall(r"<(?:style|script)>(.*?)</(?:style|script)>", html, re.S))
    for forbidden in ("url(", "@import", "fetch(", "XMLHttpRequest", "import(", "//"):
        assert forbidden not in inline.replace("// ", "")
    assert "default-src 'none'" in html


def test_what_comes_from_outside_is_escaped(logs: Any) -> None:
    html = render(run(logs, EVIL))
    assert EVIL not in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(&#39;x&#39;)" in html


def test_it_shows_verdict_lanes_kill_fault_and_violation(logs: Any) -> None:
    html = render(run(logs))
    assert "Not held" in html
    assert "single-owner" in html
    assert 'class="hurt">h1<' in html
    assert "st-Provisioned" in html
    assert "Provisioned of m1, 4.000 to 8.000 s" in html
    assert "reset:On -&gt; 204 at 2.000 s, 500 ms, fault slow" in html
    assert "kill-manager mgr-1" in html
    assert "fault slow (latency)" in html


def test_a_run_of_which_nothing_is_known_is_still_reported(logs: Any) -> None:
    evidence = logs.evidence(0.0)
    evidence.load_began, evidence.ending, evidence.complete = None, "failed", False
    html = render(conclude(evidence, Rules(), 0.0))
    assert "inconclusive" in html


def test_everything_is_kept_where_it_can_be_looked_up(logs: Any, tmp_path: Path) -> None:
    result = run(logs)
    result.evidence.manager_metrics = {"../../mgr 1": "beskar7_x 1\n"}
    save(result, tmp_path / "new" / "dir")
    folder = tmp_path / "new" / "dir"
    told = json.loads((folder / "result.json").read_text())
    assert told == json.loads(json.dumps(result.to_json()))
    with gzip.open(folder / "writes.jsonl.gz", "rt") as file:
        writes = [json.loads(line) for line in file]
    cited = told["violations"][0]["evidence"]["writes"]
    assert {record["seq"] for record in writes} >= set(cited)
    assert (folder / "metrics-.._.._mgr_1.prom").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]


def test_charts_and_machines_over_time_are_drawn(logs: Any) -> None:
    html = render(run(logs))
    assert "Time to claim" in html
    assert "Machines over time" in html
    assert "mgr-1 killed" in html
    assert 'data-name="provisioned"' in html
