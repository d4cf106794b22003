"""Counters from Prometheus' text format, and how often claims conflicted."""

from __future__ import annotations

import http.client
import re
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlsplit

from loadtest.api import Api, ApiError, Unreachable, events_path

CLAIM_ATTEMPTS = "beskar7_host_claim_attempts_total"
QUEUE_LENGTH = "beskar7_provisioning_queue_length"
MAX_TEXT = 16 << 20

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


def fetch(url: str, timeout: float = 3.0) -> str | None:
    """The text at an http URL; None when it is not to be had (a manager may be dead by design)."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.read(MAX_TEXT).decode(errors="replace") if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


class ClaimAttempts:
    """The managers' claim attempts by outcome, from a start on."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.urls = list(urls)
        self._before = self._read()

    def since_start(self) -> Counter[str] | None:
        """Attempts by outcome since the start; None when no manager could be asked."""
        now = self._read()
        if not now:
            return None
        grown: Counter[str] = Counter()
        for url, counts in now.items():
            before = self._before.get(url, Counter())
            # A counter that fell was restarted with its process: all of it is new.
            for outcome, value in counts.items():
                grown[outcome] += value - before[outcome] if value >= before[outcome] else value
        return grown

    def _read(self) -> dict[str, Counter[str]]:
        texts = {url: fetch(url) for url in self.urls}
        return {
            url: totals(text, CLAIM_ATTEMPTS, "outcome")
            for url, text in texts.items()
            if text is not None
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
