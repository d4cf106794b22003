"""What PromQL expressions ask for, as far as tests need to know: names and their labels."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from prometheus_client.metrics import MetricWrapperBase

from beskar7.metrics import Metrics
from beskar7.monitoring.rules import rule_groups

Rules = list[dict[str, Any]]
TARGET = {"job", "instance", "namespace", "pod"}
"""Labels that a target has, whatever its metrics say."""
_STRING = re.compile(r"\"(?:\\.|[^\"\\])*\"")
_SERIES = re.compile(r"\b(beskar7[a-z0-9_:]*|up|ALERTS)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


class Asked(NamedTuple):
    """A series, and the labels that its matchers name."""

    name: str
    labels: set[str]


def series_in(expression: str) -> Iterator[Asked]:
    for name, matchers in _SERIES.findall(_STRING.sub('""', expression)):
        yield Asked(name, set(_MATCHER.findall(matchers)))


def grouped_by(expression: str) -> set[str]:
    """The labels of all groupings."""
    lists = _GROUPING.findall(_STRING.sub('""', expression))
    return {label.strip() for each in lists for label in each.split(",") if label.strip()}


def exposed() -> dict[str, set[str]]:
    """Labels of each series that managers expose, by its name in PromQL."""
    metrics = Metrics()
    found: dict[str, set[str]] = {
        "up": set(),
        "ALERTS": {"alertname", "alertstate", "component", "severity"},
    }
    for metric in (*vars(metrics).values(), *vars(metrics.controllers).values()):
        if not isinstance(metric, MetricWrapperBase):
            continue
        (family,) = metric.describe()
        labels = set(metric._labelnames)
        match family.type:
            case "counter":
                found[f"{family.name}_total"] = labels
            case "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
                found[f"{family.name}_count"] = found[f"{family.name}_sum"] = labels
            case _:
                found[family.name] = labels
    return found


def wrong_with(expression: str, known: dict[str, set[str]]) -> list[str]:
    """What the expression asks for that nobody has; ``known`` are the labels of each series."""
    asked = list(series_in(expression))
    found = [f"no series {each.name}" for each in asked if each.name not in known]
    there = [(each, known[each.name] | TARGET) for each in asked if each.name in known]
    found += [
        f"{each.name} has no label {label}"
        for each, labels in there
        for label in sorted(each.labels - labels)
    ]
    anywhere = {label for _, labels in there for label in labels}
    found += [f"nothing has the label {x}" for x in sorted(grouped_by(expression) - anywhere)]
    return found if asked else ["asks for nothing"]


@pytest.fixture(scope="session")
def all_rules() -> Rules:
    return [rule for group in rule_groups()["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def complaints(all_rules: Rules) -> Callable[[str], list[str]]:
    """What is wrong with an expression's names and labels."""
    known = exposed()
    for rule in all_rules:
        if "record" in rule:
            kept = [known.get(each.name, set()) for each in series_in(rule["expr"])]
            known[rule["record"]] = grouped_by(rule["expr"]) or set().union(*kept)
    return lambda expression: wrong_with(expression, known)
