"""The rules ask for what managers expose, and every alarm leads to its paragraph."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beskar7.api.durations import parse_duration
from beskar7.manifests.objects import SCRAPE_INTERVAL
from beskar7.monitoring.rules import MAX_COMPRESSION, rule_groups

pytestmark = pytest.mark.unit

PAGE = Path(__file__).parents[3] / "docs" / "monitoring.md"
GUIDE = {
    "HighClaimConflictRate": ("warning", "3m"),
    "ProvisioningQueueNearFull": ("warning", "2m"),
    "ProvisioningQueueFull": ("critical", "1m"),
    "BMCOverload": ("warning", "5m"),
    "LeaderElectionInstability": ("warning", "5m"),
    "ConcurrentProvisioningDown": ("critical", "1m"),
}
"""What the guide gives: severity, and for how long."""
WINDOW = re.compile(r"\[([^\]]*)\]")


def alarms(rules: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules if "alert" in rule}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("sum(beskar7_nothing)", ["no series beskar7_nothing"]),
        (
            'rate(beskar7_host_claim_attempts_total{reason="x"}[5m])',
            ["beskar7_host_claim_attempts_total has no label reason"],
        ),
        ("sum by (vendor) (beskar7_leader)", ["nothing has the label vendor"]),
        ("sum by (vendor) (beskar7_leader) or vector(0)", ["nothing has the label vendor"]),
        ("vector(0)", ["asks for nothing"]),
        ('sum by (namespace) (beskar7_leader{identity="by (x)"})', []),
    ],
)
def test_the_test_itself_sees_what_is_wrong(
    complaints: Callable[[str], list[str]], expression: str, said: list[str]
) -> None:
    assert complaints(expression) == said


def test_every_rule_asks_for_what_there_is(
    all_rules: list[dict[str, Any]], complaints: Callable[[str], list[str]]
) -> None:
    wrong = {rule["expr"]: said for rule in all_rules if (said := complaints(rule["expr"]))}
    assert wrong == {}


def test_what_an_alarm_says_names_labels_that_it_has(
    all_rules: list[dict[str, Any]], complaints: Callable[[str], list[str]]
) -> None:
    for name, rule in alarms(all_rules).items():
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"]):
            probe = f"sum by ({label}) ({rule['expr']})"
            assert complaints(probe) == [], name


@pytest.mark.parametrize("name", GUIDE)
def test_the_guides_alarms_keep_name_severity_and_time(
    all_rules: list[dict[str, Any]], name: str
) -> None:
    rule = alarms(all_rules)[name]
    assert (rule["labels"]["severity"], rule["for"]) == GUIDE[name]
    assert rule["labels"]["component"] == "concurrent-provisioning"


def test_names_are_unique(all_rules: list[dict[str, Any]]) -> None:
    names = [rule["alert"] for rule in all_rules if "alert" in rule]
    assert len(names) == len(set(names))
    recorded = [(r["record"], str(r.get("labels"))) for r in all_rules if "record" in r]
    assert len(recorded) == len(set(recorded))


def test_every_alarm_has_a_paragraph_to_which_it_links(all_rules: list[dict[str, Any]]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == set(alarms(all_rules))
    for name, body in sections.items():
        for part in ("**Means**", "**First look**", "**Remedy**"):
            assert part in body, (name, part)
        link = alarms(all_rules)[name]["annotations"]["runbook_url"]
        assert link == f"docs/monitoring.md#{name.lower()}"


def test_the_page_names_only_metrics_that_exist(complaints: Callable[[str], list[str]]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in sorted(set(re.findall(r"`(beskar7[_:][a-z0-9_:]+)", text))):
        assert complaints(name) == [], name


def test_links_go_where_the_page_is_served() -> None:
    first = rule_groups(runbooks="https://x/m")["groups"][0]["rules"]
    links = [rule["annotations"]["runbook_url"] for rule in first if "alert" in rule]
    assert links[0] == "https://x/m#highclaimconflictrate"


@pytest.mark.parametrize("factor", [2, 7, MAX_COMPRESSION])
def test_compression_divides_all_times_and_nothing_else(factor: int) -> None:
    def times(group: dict[str, Any]) -> list[float]:
        texts = [group["interval"]]
        for rule in group["rules"]:
            texts += [*WINDOW.findall(rule["expr"]), *([rule["for"]] if "for" in rule else [])]
        return [parse_duration(text) for text in texts]

    def rest(group: dict[str, Any]) -> list[Any]:
        return [
            {**rule, "expr": WINDOW.sub("[]", rule["expr"]), "for": ""} for rule in group["rules"]
        ]

    whole, small = rule_groups()["groups"], rule_groups(compression=factor)["groups"]
    for before, after in zip(whole, small, strict=True):
        assert times(after) == pytest.approx([time / factor for time in times(before)], rel=1e-3)
        assert rest(after) == rest(before)


@pytest.mark.parametrize("factor", [1, MAX_COMPRESSION])
def test_every_window_holds_several_scrapes(factor: int) -> None:
    """Of fewer than two no rate can be taken, and one may be missed."""
    scrape = max(1, SCRAPE_INTERVAL // factor)
    for group in rule_groups(compression=factor)["groups"]:
        for rule in group["rules"]:
            for window in WINDOW.findall(rule["expr"]):
                assert parse_duration(window) >= 4 * scrape, rule
