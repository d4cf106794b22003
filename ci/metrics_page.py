"""Writes ``docs/metrics.md`` from a manager's registry: name, type, labels, meaning.

``--check`` only says whether the page is up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path

import wholepage
from prometheus_client.metrics import MetricWrapperBase

from beskar7.metrics import Metrics

TARGET = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
HEAD = """\
# Metrics

Written by `python ci/metrics_page.py` from the code; do not edit. Every manager serves these at
`/metrics`. Gauges of hosts, machines and clusters are those of the manager that reconciles; a sum
over all managers is true, as the others have none.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def all_metrics(metrics: Metrics) -> list[MetricWrapperBase]:
    """In the order of their definition."""
    found = [*vars(metrics).values(), *vars(metrics.controllers).values()]
    return [each for each in found if isinstance(each, MetricWrapperBase)]


def page() -> str:
    rows = []
    for metric in all_metrics(Metrics()):
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        # Without a sample nothing public tells a metric's labels.
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        rows.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |\n")
    return HEAD + "".join(rows)


def main(arguments: list[str] | None = None) -> int:
    return wholepage.main(TARGET, page, __file__, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
