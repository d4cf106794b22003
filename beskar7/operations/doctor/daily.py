"""``beskar7 doctor --daily``: a line for the log, and a word to a webhook when something is wrong.

Rates are over the time since the last check, whose counters are kept in a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from beskar7.api.meta import rfc3339
from beskar7.operations.cluster import Cluster
from beskar7.operations.doctor.command import WEBHOOK
from beskar7.operations.doctor.diagnosis import Diagnosis, Severity
from beskar7.operations.doctor.gather import gather
from beskar7.operations.doctor.judging import judge
from beskar7.operations.doctor.state import load, save
from beskar7.runtime import Runtime

LONGEST = 7 * 86_400.0
"""Seconds that a check looks back at most, however old the last one is."""
ATTEMPTS, PAUSE = 3, 2.0
"""Of a POST, and the seconds between them."""
POST_TIMEOUT = 10.0
MAX_URL = 4096
SHOWN = 10
"""Findings in a message; a chat shows no more."""


class WebhookError(Exception):
    """It cannot be used, or did not take the message. The text never has the URL."""


@dataclass(frozen=True, slots=True)
class Day:
    """What was found, and the line that the log gets."""

    diagnosis: Diagnosis
    line: str


def look(cluster: Cluster, name: str, state: Path, recent: float) -> Day:
    """Judge the time since the last check, and keep the counters for the next.

    ``name`` is the cluster's, by which the state is known. Raises an ApiError and StateError.
    """
    before = load(state, name)
    if before is not None:
        recent = min(max(recent, cluster.runtime.wall() - before.at), LONGEST)
    snapshot, counters = gather(cluster, before=before, recent=recent)
    diagnosis = judge(snapshot)
    save(state, name, counters)
    return Day(diagnosis, summary(diagnosis))


def summary(diagnosis: Diagnosis) -> str:
    """One line: when, how bad, the numbers, and the findings that are worse than a notice."""
    facts = {section.name: section.facts for section in diagnosis.sections}
    claims, queue, machines = facts["claims"], facts["queue"], facts["machines"]
    managers, hosts = facts["deployment"], facts["hosts"]
    # What could not be read has no facts, and prerequisites says so.
    numbers = {
        "managers": f"{managers.get('ready', 0)}/{managers.get('replicas', 0)}",
        "hosts": hosts.get("total", 0),
        "available": hosts.get("available", 0),
        "error": len(hosts.get("error", ())),
        "machines": machines.get("total", 0),
        "pending": len(machines.get("pending", ())),
        "conflicts": f"{claims.get('conflicts', 0):.0f}/{claims.get('tries', 0):.0f}",
        "queue": f"{queue.get('length', 0):.0f}/{queue.get('capacity', 0):.0f}",
        "rejected": f"{sum(queue.get('rejected', {}).values()):.0f}",
        "warnings": sum(facts["events"].get("warnings", {}).values()),
    }
    told = " ".join(f"{name}={value}" for name, value in numbers.items())
    bad = [each.id for each in diagnosis.findings if each.severity >= Severity.WARNING]
    window = diagnosis.window.replace(" ", "-")
    line = f"{rfc3339(diagnosis.at)} {diagnosis.severity.word} {told} window={window}"
    return line + (f" findings={','.join(dict.fromkeys(bad))}" if bad else "")


def append(path: Path, line: str) -> None:
    """In one write at the end, so that lines of others do not mix with it. Raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def message(diagnosis: Diagnosis) -> dict[str, Any]:
    """What a webhook gets: Slack's form, which others take, too."""
    bad = [each for each in diagnosis.findings if each.severity >= Severity.WARNING]
    lines = [f"Beskar7 in {diagnosis.namespace}: {diagnosis.severity.word}"]
    lines += [f"- {each.severity.word} {each.id}: {each.message}" for each in bad[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"- and {len(bad) - SHOWN} more")
    return {"text": "\n".join(lines)}


def webhook_url(environment: Mapping[str, str], file: Path | None) -> str:
    """Of the file, else of the environment; empty for none. Raises WebhookError."""
    if file is not None:
        where = str(file)
        try:
            with file.open(encoding="utf-8") as opened:
                url = opened.read(MAX_URL + 1).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise WebhookError(f"{where}: {getattr(error, 'strerror', '') or 'no text'}") from None
    else:
        where = f"${WEBHOOK}"
        url = environment.get(WEBHOOK, "").strip()
        if not url:
            return ""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= MAX_URL
    except ValueError:
        fine = False
    if not fine or any(character.isspace() for character in url):
        raise WebhookError(f"{where}: not one URL that begins with http:// or https://")
    return url


def post(runtime: Runtime, url: str, body: dict[str, Any]) -> None:
    """Send ``body``, again if that failed for a reason that may pass. Raises WebhookError."""
    why = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            runtime.sleep(PAUSE)
        try:
            # Without redirects: who takes messages is who was named.
            answer = requests.post(url, json=body, timeout=POST_TIMEOUT, allow_redirects=False)
        except requests.RequestException as error:
            # Only its kind: the text of these errors has the URL.
            why = type(error).__name__
            continue
        if answer.ok and not answer.is_redirect:
            return
        why = f"HTTP {answer.status_code}"
        if answer.status_code < 500 and answer.status_code != 429:
            break
    raise WebhookError(f"the webhook did not take the message: {why}")
