"""Counters from Prometheus' text format, and how often claims conflicted."""

from __future__ import annotations

import re
from collections import Counter

from loadtest.api import Api, ApiError, Unreachable, events_path
from loadtest.managers import Pages

CLAIM_ATTEMPTS = "beskar7_host_claim_attempts_total"
QUEUE_LENGTH = "beskar7_provisioning_queue_length"

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')


def totals(text: str, metric: str, label: str) -> Counter[str]:
    """The sum of ``metric``'s samples for each value of ``label`` ("" where it has none)."""
    found: Counter[str] = Counter()
    for line in text.splitlines():
        sample = _SAMPLE.match(line)
        if sample is None or sample["name"] != metric:
            continue
        try:
            value = int(float(sample["value"]))
        except (ValueError, OverflowError):
            continue
        found[dict(_LABEL.findall(sample["labels"] or "")).get(label, "")] += value
    return found


class ClaimAttempts:
    """The managers' claim attempts by outcome, from a start on."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._before = self._read()

    def since_start(self) -> Counter[str] | None:
        """Attempts by outcome since the start; None when no manager could be asked."""
        now = self._read()
        if not now:
            return None
        grown: Counter[str] = Counter()
        for manager, counts in now.items():
            before = self._before.get(manager, Counter())
            # A counter that fell was restarted with its process: all of it is new.
            for outcome, value in counts.items():
                grown[outcome] += value - before[outcome] if value >= before[outcome] else value
        return grown

    def _read(self) -> dict[str, Counter[str]]:
        return {
            manager: totals(text, CLAIM_ATTEMPTS, "outcome")
            for manager, text in self._pages().items()
        }


def conflict_events(api: Api, namespace: str, prefixes: tuple[str, ...]) -> int | None:
    """How often the Events say ClaimConflict of our machines; None when they cannot be read."""
    try:
        listed = api.get(events_path(namespace, "reason=ClaimConflict"))
    except (ApiError, Unreachable):
        return None
    return sum(
        int(event.get("count") or 1)
        for event in listed.get("items") or []
        if str((event.get("involvedObject") or {}).get("name", "")).startswith(prefixes)
    )
