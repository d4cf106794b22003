"""When a manager was certain of its leadership, by what its own client asked and was answered."""

from __future__ import annotations

from beskar7.api.durations import parse_duration
from beskar7.api.kinds import LEASE
from beskar7.config import Tuning
from scenarios.engine.evidence import Aftermath, Evidence
from scenarios.engine.history import LEASE_NAME

Spans = list[tuple[float, float]]
"""From when until when, by ``runtime.now()``, in order."""


def certain_spans(evidence: Evidence, aftermath: Aftermath) -> dict[str, Spans]:
    """By User-Agent. A renewal makes certain from its answer on, until the deadline after its
    start; the lease itself lasts longer."""
    world = evidence.scenario.world
    text = world.managers.args.get("leader-elect-renew-deadline") or world.config.get(
        "leaderElection.renewDeadline"
    )
    deadline = parse_duration(text) if text else Tuning().renew_deadline
    found: dict[str, Spans] = {}
    for call in aftermath.look.calls:
        if (call.kind, call.name, call.outcome) != (LEASE.kind, LEASE_NAME, "ok"):
            continue
        spans = found.setdefault(call.client, [])
        until = call.start + deadline
        if spans and call.end < spans[-1][1]:
            spans[-1] = spans[-1][0], until
        elif call.end < until:
            spans.append((call.end, until))
    return found


def within(spans: Spans, start: float, end: float) -> bool:
    """Whether one of the spans holds all the time from ``start`` to ``end``."""
    return any(since <= start and end < until for since, until in spans)
