"""The Grafana dashboard, from ``dashboard.yaml``.

The form is that of Grafana's schema 39 (Grafana 10.4 and 11); later ones read it and migrate.
"""

from __future__ import annotations

from importlib import resources
from itertools import count
from typing import Any

import yaml

from beskar7.manifests.objects import SCRAPE_INTERVAL

SCHEMA_VERSION = 39
UID = "beskar7-provisioning"
TITLE = "Beskar7 Concurrent Provisioning"
COLUMNS = 24
_DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_NAMESPACES = "label_values(beskar7_controller_physicalhost_availability, namespace)"


def dashboard() -> dict[str, Any]:
    """As Grafana imports it, from a file or through its API."""
    text = resources.files("beskar7.monitoring").joinpath("dashboard.yaml").read_text("utf-8")
    return {
        "uid": UID,
        "title": TITLE,
        "tags": ["beskar7", "concurrent-provisioning"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": f"{SCRAPE_INTERVAL}s",
        "time": {"from": "now-1h", "to": "now"},
        "timepicker": {},
        "links": [],
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": _panels(yaml.safe_load(text)),
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "hide": 0,
            "refresh": 1,
        },
        {
            "name": "namespace",
            "label": "Namespace",
            "type": "query",
            "datasource": dict(_DATA_SOURCE),
            "definition": _NAMESPACES,
            "query": {"query": _NAMESPACES, "refId": "namespaces"},
            "includeAll": True,
            "allValue": ".*",
            "multi": True,
            "current": {"text": ["All"], "value": ["$__all"]},
            "refresh": 2,
            "sort": 1,
        },
    ]


def _panels(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """From left to right, then down; a row's title has a line of its own."""
    found: list[dict[str, Any]] = []
    ids = count(1)
    y = 0
    for row in rows:
        found.append(
            {
                "id": next(ids),
                "type": "row",
                "title": row["row"],
                "collapsed": False,
                "panels": [],
                "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            }
        )
        x, y, height = 0, y + 1, row["height"]
        for panel in row["panels"]:
            if x + panel["width"] > COLUMNS:
                x, y = 0, y + height
            place = {"x": x, "y": y, "w": panel["width"], "h": height}
            found.append(_panel(panel, next(ids), place))
            x += panel["width"]
        y += height
    return found


def _panel(panel: dict[str, Any], number: int, place: dict[str, int]) -> dict[str, Any]:
    kind = panel["type"]
    steps = panel.get("steps")
    defaults: dict[str, Any] = {
        "unit": panel.get("unit", "short"),
        "min": 0,
        "thresholds": {"mode": "absolute", "steps": _steps(steps or {"green": 0})},
        "color": {"mode": "palette-classic" if kind == "timeseries" else "thresholds"},
    }
    options: dict[str, Any] = {}
    if kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineWidth": 1,
            "fillOpacity": 40 if panel.get("stacked") else 10,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.get("stacked") else "none", "group": "A"},
            "thresholdsStyle": {"mode": "dashed" if steps else "off"},
        }
        options = {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    elif kind in ("stat", "gauge"):
        if panel.get("unit") == "percent":
            defaults["max"] = 100
        options = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
    return {
        "id": number,
        "type": kind,
        "title": panel["title"],
        "description": panel.get("description", ""),
        "datasource": dict(_DATA_SOURCE),
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": dict(_DATA_SOURCE),
                "expr": expression,
                "legendFormat": legend,
                "range": kind in ("timeseries", "state-timeline"),
                "instant": kind not in ("timeseries", "state-timeline"),
            }
            for index, (expression, legend) in enumerate(panel["queries"])
        ],
    }


def _steps(steps: dict[str, float]) -> list[dict[str, Any]]:
    """Colour by the value from which on it holds; Grafana's first step has no lower end."""
    return [
        {"color": color, "value": None if index == 0 else value}
        for index, (color, value) in enumerate(steps.items())
    ]
