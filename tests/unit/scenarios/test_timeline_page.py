"""``timeline.html``: self-contained, safe whatever the logs hold, bounded, and its script works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beskar7.api.states import LEGAL_EDGES
from scenarios.engine.evidence import FaultWindow, Incident
from scenarios.engine.invariants import Rules
from scenarios.engine.result import conclude
from scenarios.engine.story.entries import entries
from scenarios.engine.story.lanes import build
from scenarios.engine.story.leases import holds
from scenarios.engine.story.page import render
from scenarios.engine.story.recording import Recording
from scenarios.pages.templating import embedded

pytestmark = pytest.mark.unit

EVIL = "</script><script>alert('x')</script><!--<script>&\u2028\""
RULES = Rules(legal_edges=LEGAL_EDGES | {("", "Available")})
HARNESS = Path(__file__).with_name("timeline_harness.js")


class Page(HTMLParser):
    """What a browser would make of the page: elements, what they load, and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "input"):
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "action", "style") or name.startswith("on"):
                self.loads.append(f"{tag} {name}={value}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)


def recording(logs: Any) -> Recording:
    """Two hosts, one of them stolen by a machine with an evil name; a killed manager; faults."""
    logs.claimed("h1", "m1")
    logs.machine(1.5, EVIL)
    logs.claimed("h2", "m2", at=1.6)
    logs.request("h1", 2.0, 2.5, "reset:On", operation=logs.provision("h1", "m1"), fault="slow")
    logs.request("h1", 2.55, 2.6, "", operation=logs.provision("h1", "m1"), status=503)
    logs.event("h1", 2.6, "boot-finished", EVIL)
    logs.event("h1", 2.7, "power-on")
    logs.host(2.9, "h1", owner=EVIL, outcome="Conflict", client="beskar7-manager/b")
    logs.host(3.0, "h1", owner=EVIL, client="beskar7-manager/b")
    logs.incidents = [Incident(0.0, "load", "", "2"), Incident(2.8, "kill-manager", "a", "leader")]
    fault = {"id": "slow", "kind": "latency", "start": 0.0, "duration": None}
    logs.faults = [FaultWindow(fault, 1.9, None)]
    return Recording.of(conclude(logs.evidence(10.0), RULES, 3.0))


def page_of(told: Recording, **options: int) -> str:
    return render(told, entries(told), **options)


def test_the_page_is_well_formed_and_loads_nothing(logs: Any) -> None:
    text = page_of(recording(logs))
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert "default-src 'none'" in text
    own = page.scripts[1]
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "eval(",
        "fetch(",
        "import(",
        "://",
    ):
        assert forbidden not in own


def test_no_text_of_a_log_ends_the_script_or_makes_an_element(logs: Any) -> None:
    text = page_of(recording(logs))
    page = Page(text)
    assert page.tags.count("script") == 2
    assert "alert" not in page.scripts[1]
    assert "<script>alert" not in text
    data = json.loads(page.scripts[0])
    assert EVIL in data["words"], "it is data, whole"


@given(st.text())
@example("<>&\u2028\u2029</script>")
def test_embedded_data_comes_back_as_it_was_and_has_no_markup(text: str) -> None:
    said = str(embedded({"a": [text, {text: 1.5}]}))
    assert json.loads(said) == {"a": [text, {text: 1.5}]}
    assert not set("<>&\u2028\u2029") & set(said)


def test_lanes_say_who_owned_led_and_lived(logs: Any) -> None:
    told = recording(logs)
    data = build(told, entries(told))
    words = data["words"]
    (host, other) = data["hosts"]
    assert (host["name"], host["hurt"], other["name"]) == ("h1", True, "h2")
    assert [(a, b, words[name]) for a, b, name, _ in host["owners"]] == [
        (1.0, 3.0, "m1"),
        (3.0, 10.0, EVIL),
    ]
    assert [words[name] for _, _, name, _ in host["states"]] == [
        "Available",
        "Claimed",
        "Provisioning",
    ]
    assert host["faults"] == [[1.9, 10.0, "slow (latency)"]]
    managers = {lane["name"]: lane for lane in data["managers"]}
    assert (managers["a"]["killed"], managers["a"]["end"]) == (True, 2.8)
    assert managers["a"]["leases"] == [[0.0, 10.0, "manager"]]
    assert not managers["b"]["killed"]
    refused = [data["rows"][index] for index in managers["b"]["entries"]]
    assert [words[row[6]] for row in refused] == ["Conflict", "ok"]
    assert data["violations"][0]["host"] == "h1"


def test_a_page_is_kept_small_by_leaving_out_what_matters_least(logs: Any) -> None:
    for number in range(60):
        name = f"h{number:03d}"
        logs.claimed(name, f"m{number:03d}")
        for step in range(20):
            operation = logs.provision(name, f"m{number:03d}", str(step))
            logs.request(name, 2.0 + step * 9, 2.1 + step * 9, operation=operation)
    logs.request("h050", 200.0, 201.0, operation="", fault="slow")
    logs.host(300.0, "h055", owner="m001")
    told = Recording.of(conclude(logs.evidence(400.0), RULES, 1.0))
    told.violations[:] = [v for v in told.violations if v.invariant == "single-owner"]
    whole = page_of(told)
    small = page_of(told, limit=60_000)
    data = json.loads(Page(small).scripts[0])
    names = [lane["name"] for lane in data["hosts"]]
    assert {"h055", "h001", "h050"} <= set(names), "violated, referred to, hit"
    assert names[0] == "h055"
    assert data["hidden"] == 60 - len(names) > 0
    assert len(small) < len(whole)
    assert len(Page(small).scripts[0].encode()) < 70_000
    assert json.loads(Page(whole).scripts[0])["hidden"] == 0


def test_a_lease_ends_when_given_up_taken_over_or_run_out(logs: Any) -> None:
    for time, holder in ((0.0, "a"), (3.0, "a"), (6.0, ""), (7.0, "b"), (9.0, "c"), (30.0, "c")):
        logs.lease(time, holder, 4)
    found = holds(logs.evidence(32.0).history, 32.0)
    assert [(hold.holder, hold.start, hold.end) for hold in found] == [
        ("a", 0.0, 6.0),
        ("b", 7.0, 9.0),
        ("c", 9.0, 13.0),
        ("c", 30.0, 32.0),
    ]


def test_a_run_that_held_and_one_of_which_nothing_is_known_have_a_page(logs: Any) -> None:
    evidence = logs.evidence(0.0)
    evidence.load_began, evidence.ending, evidence.complete = None, "failed", False
    text = page_of(Recording.of(conclude(evidence, Rules(), 0.0)))
    assert Page(text).open == []
    assert "No invariant was violated." in text


@pytest.fixture
def browse(tmp_path: Path) -> Any:
    """Runs the page's script under Node; what was drawn and said after each key."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node to run the page's script")

    def run(text: str, *args: str) -> dict[str, Any]:
        page = tmp_path / "timeline.html"
        page.write_text(text, encoding="utf-8")
        command = [str(node), str(HARNESS), str(page), *args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return run


def test_the_script_draws_lanes_and_goes_to_the_first_violation(logs: Any, browse: Any) -> None:
    seen = browse(page_of(recording(logs)), "", "h2")
    start = seen["start"]
    assert {"h1", "h2", "a", "b", "fault"} <= set(start["drawn"])
    assert "single-owner" in start["details"]
    assert ">>>" in start["details"]
    assert any("m1" in text for text in start["drawn"]), "the owner's name stands on its bar"
    assert any("killed" in text for text in seen["fit"]["drawn"])
    assert any("kill-manager" in text for text in seen["fit"]["drawn"])


def test_keys_move_between_violations_lanes_and_entries(logs: Any, browse: Any) -> None:
    told = recording(logs)
    assert len(told.violations) > 1
    seen = browse(page_of(told), "", "h2")
    assert seen["n"]["details"] != seen["start"]["details"]
    assert seen["p"]["details"] == seen["start"]["details"]
    assert seen["ArrowDown"]["details"] != seen["p"]["details"]
    assert re.search(r"w\d+|r\d+|e\d+", seen["."]["details"])
    assert seen["."]["details"] != seen[","]["details"]
    assert seen["hovered"] > 20


def test_an_address_names_a_violation_and_the_search_a_host(logs: Any, browse: Any) -> None:
    told = recording(logs)
    last = len(told.violations) - 1
    seen = browse(page_of(told), f"#violation-{last}", "m2")
    assert told.violations[last].invariant in seen["start"]["details"]
    assert seen["search"]["count"] == "1 of 2 hosts"
    assert "h2" in seen["search"]["drawn"]
    assert "h1" not in seen["search"]["drawn"]
    assert browse(page_of(told), "", "zzz")["search"]["count"] == "0 of 2 hosts"
