"""When a manager was certain of its leadership, by what its own client asked and was answered."""

from __future__ import annotations

from itertools import pairwise

from beskar7.api.durations import parse_duration
from beskar7.api.kinds import CONFIG_MAP, LEASE
from beskar7.config import CONFIG_MAP_NAME, Tuning
from scenarios.engine.evidence import Aftermath, Evidence
from scenarios.engine.history import LEASE_NAME, MANAGER_AGENT, dig

Spans = list[tuple[float, float]]
"""From when until when, by ``runtime.now()``, in order."""


def certain_spans(evidence: Evidence, aftermath: Aftermath, *, at_most: bool) -> dict[str, Spans]:
    """By User-Agent. A renewal makes certain from its answer on, until the deadline after its
    start; the lease itself lasts longer.

    A manager keeps the deadline that was set when it began. Where that was changed, ``at_most``
    takes the longest for all of them, else the shortest.
    """
    deadline = (max if at_most else min)(_deadlines(evidence))
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


def lost_terms(evidence: Evidence) -> dict[str, list[float]]:
    """When somebody led, maybe the same manager again, after a term was over; by whose it was.

    Others may lead once the lease has run out in its hands. The manager itself gave up when it
    could not renew it before the deadline, and may have taken it again while it still lasted.
    """
    deadline = min(_deadlines(evidence))
    found: dict[str, list[float]] = {}
    for old, new in pairwise(evidence.history.leases):
        lasts = deadline if new.holder == old.holder else old.duration
        if old.holder and new.holder and new.time >= old.time + lasts:
            found.setdefault(old.holder, []).append(new.time)
    if evidence.aftermath is not None:
        # Its deadline counts from when it asked, which only its own client knows.
        for client, spans in certain_spans(evidence, evidence.aftermath, at_most=False).items():
            began = [start for _, (start, _) in pairwise(spans)]
            found.setdefault(client.removeprefix(MANAGER_AGENT), []).extend(began)
    return {manager: sorted(times) for manager, times in found.items()}


def within(spans: Spans, start: float, end: float) -> bool:
    """Whether one of the spans holds all the time from ``start`` to ``end``."""
    return any(since <= start and end < until for since, until in spans)


def _deadlines(evidence: Evidence) -> list[float]:
    """Of leader election, in seconds: the flag's, else all that the ConfigMap ever had."""
    flag = evidence.scenario.world.managers.args.get("leader-elect-renew-deadline")
    if flag:
        return [parse_duration(flag)]
    key = "leaderElection.renewDeadline"
    texts = [evidence.scenario.world.config.get(key)]
    texts += [
        dig(record.object, "data", key)
        for record in evidence.history.writes
        if record.kind == CONFIG_MAP.kind and record.name == CONFIG_MAP_NAME
    ]
    return [parse_duration(text) if text else Tuning().renew_deadline for text in texts]
