"""Judges what was left behind: Warning Events, errors in the logs; and what managers use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from beskar7.api.durations import format_duration
from beskar7.api.kinds import CONFIG_MAP, DEPLOYMENT, GROUP, LEASE, POD
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object
from beskar7.operations.doctor.deployment import silent
from beskar7.operations.doctor.diagnosis import Finding, Section, finding
from beskar7.operations.doctor.snapshot import UNREAD, Snapshot
from beskar7.operations.loglines import read_lines
from beskar7.operations.podstatus import container, pod_name
from beskar7.operations.quantities import quantity

EXAMPLES = 3
"""Newest messages that are told of a reason; the counts are of all."""
SYSTEM_KINDS = tuple(kind.kind for kind in (CONFIG_MAP, DEPLOYMENT, LEASE, POD))
"""Kinds whose Events are the controller's in its own namespace."""
MEMORY_SHARE, CPU_SHARE = 0.85, 0.9
"""Of a limit: a working set above the first is about to be ended, above the second slowed down."""


def occurrences(events: Iterable[Object], since: float) -> Iterator[tuple[Object, int]]:
    """The Events seen last after ``since`` (UTC seconds), each with how often it was seen.

    An Event counts all that it was seen, as the API does not say when each was; one that began
    before ``since`` counts once.
    """
    for event in events:
        last = _seen(event)
        if last < since:
            continue
        first = event.get("firstTimestamp")
        began = parse_rfc3339(first) if first else last
        count = max(1, int(event.get("count") or 1))
        yield event, count if began >= since else 1


def _seen(event: Object) -> float:
    series = event.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
        (event.get("metadata") or {}).get("creationTimestamp"),
    ):
        if text:
            return parse_rfc3339(text)
    return 0.0


def events(snapshot: Snapshot) -> Section:
    """Warning Events by reason, about the controller's kinds and the installation itself."""
    ours = [event for event in snapshot.warnings if _ours(snapshot, event)]
    counts: Counter[str] = Counter()
    newest: dict[str, list[tuple[float, str]]] = {}
    for event, count in occurrences(ours, snapshot.at - snapshot.recent):
        reason = str(event.get("reason") or "")
        counts[reason] += count
        newest.setdefault(reason, []).append((_seen(event), _told(event)))
    span = format_duration(snapshot.recent)
    examples = {
        reason: [text for _, text in sorted(newest[reason], reverse=True)[:EXAMPLES]]
        for reason in sorted(newest)
    }
    facts = {"warnings": dict(sorted(counts.items())), "newest": examples}
    if "events" in snapshot.unread:
        return Section("events", UNREAD, {})
    if not counts:
        return Section("events", f"no Warning Events within {span}", facts)
    line = ", ".join(f"{count} {reason}" for reason, count in counts.most_common())
    text = f"{counts.total()} within {span}: {line}"
    about = [each for texts in examples.values() for each in texts]
    return Section(
        "events", text, facts, (finding("warning-events", snapshot.namespace, text, about),)
    )


def _ours(snapshot: Snapshot, event: Object) -> bool:
    about = event.get("involvedObject") or {}
    if str(about.get("apiVersion") or "").startswith(f"{GROUP}/"):
        return True
    return about.get("namespace") == snapshot.namespace and about.get("kind") in SYSTEM_KINDS


def _told(event: Object) -> str:
    about = event.get("involvedObject") or {}
    where = f"{about.get('namespace')}/{about.get('name')}".removeprefix("None/")
    return f"{about.get('kind')} {where}: {event.get('message') or ''}"


def logs(snapshot: Snapshot) -> Section:
    """Records of level error, by logger; a message that merely has the word is none."""
    span = format_duration(snapshot.recent)
    levels: Counter[str] = Counter()
    errors: dict[str, list[str]] = {}
    for pod, lines in snapshot.logs.items():
        for record in read_lines(lines):
            levels[record.level] += 1
            if record.level in ("error", "critical"):
                errors.setdefault(record.logger, []).append(f"{pod}: {record.message}")
    facts: dict[str, Any] = {
        "records": dict(sorted(levels.items())),
        "errors": {
            logger: {"count": len(texts), "newest": texts[-EXAMPLES:]}
            for logger, texts in sorted(errors.items())
        },
    }
    if not snapshot.logs and snapshot.pods:
        return Section("logs", UNREAD, facts)
    if not errors:
        return Section("logs", f"no errors within {span}", facts)
    counted = ", ".join(f"{len(texts)} of {logger}" for logger, texts in sorted(errors.items()))
    text = f"{sum(map(len, errors.values()))} errors within {span}: {counted}"
    about = [text for texts in errors.values() for text in texts[-EXAMPLES:]]
    return Section(
        "logs", text, facts, (finding("errors-in-logs", snapshot.namespace, text, about),)
    )


def resources(snapshot: Snapshot) -> Section:
    """What each manager uses, beside its limits."""
    found: list[Finding] = []
    quiet = silent(snapshot)
    if quiet and "metrics" not in snapshot.unread:
        text = f"no metrics from {', '.join(quiet)}"
        found.append(finding("manager-silent", snapshot.namespace, text, quiet))
    if snapshot.usage is None:
        return Section("resources", "nobody measures them (no metrics-server)", {}, tuple(found))
    lines = []
    facts: dict[str, Any] = {}
    for pod in snapshot.pods:
        name = pod_name(pod)
        used = snapshot.usage.get(name)
        if used is None:
            continue
        limits = (container(pod).get("resources") or {}).get("limits") or {}
        cores, memory = float(quantity(limits.get("cpu"))), int(quantity(limits.get("memory")))
        facts[name] = {
            "cores": round(used.cores, 3),
            "coresLimit": cores or None,
            "memory": used.memory,
            "memoryLimit": memory or None,
        }
        lines.append(f"{name} {mebibytes(used.memory)} and {used.cores:.2f} cores")
        if memory and used.memory > MEMORY_SHARE * memory:
            text = f"{name} uses {mebibytes(used.memory)} of {mebibytes(memory)}"
            found.append(finding("memory-near-limit", snapshot.namespace, text, [name]))
        if cores and used.cores > CPU_SHARE * cores:
            text = f"{name} uses {used.cores:.2f} of {cores:g} cores"
            found.append(finding("cpu-near-limit", snapshot.namespace, text, [name]))
    return Section("resources", "; ".join(lines) or "no manager is measured", facts, tuple(found))


def mebibytes(count: float) -> str:
    return f"{count / 2**20:.0f}Mi"
