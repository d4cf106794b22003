"""Managers' metrics as numbers, from their ``/metrics`` texts."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families


def total(text: str, name: str, **labels: str) -> float:
    """The sum of the samples of this full name that have these labels; 0 without any.

    Raises ValueError when the text is none of Prometheus' format.
    """
    # The parser is slow, and a manager of 10,000 BMCs has thousands of lines about other things.
    lines = "\n".join(line for line in text.splitlines() if line.startswith(name))
    return sum(
        sample.value
        for family in text_string_to_metric_families(lines + "\n")
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def total_of_all(texts: Mapping[str, str], name: str, **labels: str) -> float:
    """As :func:`total`, over all managers."""
    return sum(total(text, name, **labels) for text in texts.values())
