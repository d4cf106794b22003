"""Liveness with a clock: what nothing keeps from being done is done soon.

``terminal`` asks only whether the world comes to rest in the end, and nets below other nets see to
that within minutes or hours. A lost wake-up hides behind them; here it cannot. Only in virtual
time: in wall time a busy machine may be what is slow.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from beskar7.api.kinds import HOST_CLAIM
from beskar7.config import ConfigError, Tuning
from beskar7.flags import manager_settings
from emulator.bmc.log import BmcEvent, BmcRecord
from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import requirements
from scenarios.engine.history import Track, consumer_uid, dig, state
from scenarios.engine.invariants.calm import Span, calm_spans, longest_calm
from scenarios.engine.invariants.verdict import Judged, Rules, Violation
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.schema import Configure

CLAIM_SECONDS = 20.0
"""A machine for which a host is free waits for conflicts, for a coordinator's patience and for its
turn: seconds each. The controller's own net below all wake-ups comes after a minute."""
AGE_SECONDS = 2.0
"""Of two machines whose creation is less far apart the API may tell the same age."""
SAME_MOMENT = 1.0
"""Seconds within which two that are served count as served at once: workers run beside each
other."""
IDLE_SECONDS = 20.0
"""The same between two operations; polls, cooldowns and retries are the configuration's, beside."""
AT_WORK = ("Enrolling", "Claimed", "Provisioning", "Deprovisioning")


def claimed_promptly(evidence: Evidence, rules: Rules) -> Judged:
    """A machine gets a host soon once one that would do is free and stays so.

    Judged while neither the API nor the managers are disturbed.
    """
    spans = calm_spans(evidence)
    found: list[Violation] = []
    cases = 0
    for row in machine_times(evidence):
        if row.claimed is None or row.eligible is None or not spans:
            continue
        cases += 1
        waited = longest_calm(spans, row.eligible, row.claimed)
        if waited > CLAIM_SECONDS:
            text = f"{row.name} waited {waited:.1f} s while a host was free that would do"
            found.append(Violation("claimed-promptly", row.host, row.name, row.claimed, text))
    return Judged(found, cases)


def oldest_first(evidence: Evidence, rules: Rules) -> Judged:
    """Of machines that require the same and wait, the one that was created first is served first.

    Judged while neither the API nor the managers are disturbed, for those that waited before the
    host became free; the API tells ages in whole seconds. A claim that the coordinator has lost
    once comes after those of its minute that it has not.
    """
    lost = {
        record.name
        for record in evidence.history.writes
        if record.kind == HOST_CLAIM.kind and dig(record.object, "status", "retries")
    }
    spans = calm_spans(evidence)
    history = evidence.history
    rows = sorted(machine_times(evidence), key=lambda row: row.created)
    wishes = {uid: repr(requirements(t.versions[0].object)) for uid, t in history.machines.items()}
    found: list[Violation] = []
    cases = 0
    for row in rows:
        if row.claimed is None or row.eligible is None or not row.waited:
            continue
        calm = next(
            (end for start, end in spans if start <= row.eligible < row.claimed < end), None
        )
        if calm is None:
            continue
        cases += 1
        for older in rows:
            if older.created > row.created - AGE_SECONDS:
                break
            if older.name in lost:
                continue
            until = min(t for t in (older.claimed, older.deletion, calm) if t is not None)
            if wishes[older.uid] == wishes[row.uid] and until > row.claimed + SAME_MOMENT:
                text = f"got {row.host} before {older.name}, which waited since {older.created:.1f}"
                found.append(
                    Violation("oldest-first", row.host, row.name, row.claimed, f"{row.name} {text}")
                )
                break
    return Judged(found, cases)


def never_idle(evidence: Evidence, rules: Rules) -> Judged:
    """While a host is owed work, some BMC is talked to: the fleet does not stand still.

    Judged while neither the API nor the managers are disturbed, and for hosts that no fault hit
    since the world was last at rest: after a failure waiting is right.
    """
    spans = calm_spans(evidence, bmcs=True)
    limit = _patience(evidence, rules)
    rests = [i.time for i in evidence.incidents if i.kind == "settled"]
    hits = _last_hits(evidence)
    found: list[Violation] = []
    cases = 0
    busy = _busy(evidence)
    for track in evidence.history.hosts.values():
        hit = hits.get(track.name, float("-inf"))
        well_again = next((time for time in rests if time > hit), float("inf"))
        for start, end, at in _owed(track, evidence.ended):
            if hit > float("-inf") and start < well_again:
                continue
            cases += 1
            idle = _idle(busy, spans, start, end, limit)
            if idle is not None:
                since, length = idle
                text = (
                    f"{track.name} was {at}, and for {length:.1f} s no BMC was asked for anything "
                    f"(at most {limit:.1f} s would be right)"
                )
                machine = evidence.history.machine_name(consumer_uid(track.at(since)))
                found.append(Violation("never-idle", track.name, machine, since, text))
    return Judged(found, cases)


def _idle(
    busy: list[Span], spans: list[Span], start: float, end: float, limit: float
) -> Span | None:
    """The first pause between requests of more than ``limit`` calm seconds: since when, and how
    long."""
    since = start
    for begin, done in (*busy, (end, end)):
        length = longest_calm(spans, since, min(begin, end))
        if length > limit:
            return since, length
        since = max(since, done)
        if since >= end:
            break
    return None


def _last_hits(evidence: Evidence) -> dict[str, float]:
    """When a fault hit each host for the last time; hosts that none hit are not there."""
    found: dict[str, float] = {}
    logged: list[BmcRecord | BmcEvent] = [*evidence.requests, *evidence.events]
    for item in logged:
        if item.fault:
            time = item.end if isinstance(item, BmcRecord) else item.time
            found[item.host] = max(time, found.get(item.host, 0.0))
    return found


def _patience(evidence: Evidence, rules: Rules) -> float:
    """Seconds without any request that the configuration explains, the slowest that was in force.

    Where BMCs fail, the only slot may be held by an operation whose connection comes to nothing,
    and a circuit may be open.
    """
    tunings = _tunings(evidence)
    if tunings[0].max_concurrent_ops == 0:  # drained: nothing is begun
        return float("inf")
    rest = max(t.boot_poll_interval for t in tunings) + max(rules.cooldowns.values(), default=0.0)
    if any(window.blocking for window in evidence.faults):
        rest += max(t.connection_timeout + t.request_timeout for t in tunings)
        rest += max(t.circuit_max_delay for t in tunings)
    return IDLE_SECONDS + rest


def _tunings(evidence: Evidence) -> list[Tuning]:
    """That of the scenario, and those that acts made of it."""
    found: list[Tuning] = []
    world = evidence.scenario.world
    managers = manager_settings("judged", world.managers.args)
    data = dict(world.config)
    actions = [act.action for act in evidence.scenario.acts]
    for settings in ({}, *(a.settings for a in actions if isinstance(a, Configure))):
        data |= settings
        with contextlib.suppress(ConfigError):
            found.append(managers.tuned(data))
    return found


def _owed(track: Track, until: float) -> Iterator[tuple[float, float, str]]:
    """From when to when the host was in a state in which it is worked for."""
    since: float | None = None
    for version in track.versions:
        if version.time > until:
            break
        at = state(version.object)
        owed = at in AT_WORK or (at == "Available" and bool(consumer_uid(version.object)))
        if owed and since is None:
            since, what = version.time, at
        elif not owed and since is not None:
            yield since, version.time, what
            since = None
        elif owed:
            what = at
    if since is not None:
        yield since, until, what


def _busy(evidence: Evidence) -> list[Span]:
    """The spans in which requests were under way, merged, by start."""
    merged: list[Span] = []
    for start, end in sorted((r.start, r.end) for r in evidence.requests):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
