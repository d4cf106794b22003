"""The recording and alerting rules, from ``rules.yaml``: plain, for the operator, compressed."""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import yaml

from beskar7.api.durations import parse_duration
from beskar7.api.objects import Object
from beskar7.manifests.objects import LABELS
from beskar7.manifests.rights import NAMESPACE

COMPONENT = "concurrent-provisioning"
RUNBOOKS = "docs/monitoring.md"
"""The page that has a paragraph for each alarm, as this project's own path."""
MAX_COMPRESSION = 20
"""At which one fail-over in LeaderElectionInstability's window, then of half a minute, is below its
limit of 3 a minute, and the shortest window holds six scrapes of a second each."""
_WINDOW = re.compile(r"(?<=\[)\d+[a-z]+(?=\])")


def rule_groups(*, compression: int = 1, runbooks: str = RUNBOOKS) -> dict[str, Any]:
    """The content of a rule file. ``runbooks`` is where the page of the alarms is served.

    ``compression`` divides every time (windows, ``for``, intervals) and no threshold: what lasts
    five minutes in production need last a few seconds in a rehearsal. 1 to
    :data:`MAX_COMPRESSION`.
    """
    text = resources.files("beskar7.monitoring").joinpath("rules.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    for group in found["groups"]:
        group["interval"] = _divided(group["interval"], compression)
        for rule in group["rules"]:
            rule["expr"] = _WINDOW.sub(
                lambda window: _divided(window.group(), compression), rule["expr"]
            )
            if "alert" in rule:
                rule["for"] = _divided(rule["for"], compression)
                rule["labels"]["component"] = COMPONENT
                rule["annotations"]["runbook_url"] = f"{runbooks}#{rule['alert'].lower()}"
    return found


def prometheus_rule(namespace: str = NAMESPACE, *, runbooks: str = RUNBOOKS) -> Object:
    """All rules as an object of the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "beskar7-concurrent-provisioning",
            "namespace": namespace,
            "labels": dict(LABELS),
        },
        "spec": rule_groups(runbooks=runbooks),
    }


def _divided(duration: str, by: int) -> str:
    """As Prometheus writes it, who knows no fractions; the rules' own form where nothing changes.

    Raises ValueError for what is no duration.
    """
    seconds = parse_duration(duration)
    return duration if by == 1 else f"{round(1000 * seconds / by)}ms"
