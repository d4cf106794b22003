"""Liveness with a clock: what nothing keeps from being done is done soon.

``terminal`` asks only whether the world comes to rest in the end, and nets below other nets see to
that within minutes or hours. A lost wake-up hides behind them; here it cannot. Only in virtual
time: in wall time a busy machine may be what is slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from beskar7.config import ConfigError, Tuning, parse_tuning
from scenarios.engine.evidence import Evidence
from scenarios.engine.fitness import requirements
from scenarios.engine.history import Track, consumer_uid, state
from scenarios.engine.invariants.verdict import Judged, Rules, Violation
from scenarios.engine.machinetimes import machine_times
from scenarios.engine.managerlives import pod_lives

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
MANAGERS = ("kill-manager", "start-manager", "configure")


def claimed_promptly(evidence: Evidence, rules: Rules) -> Judged:
    """A machine gets a host soon once one that would do is free and stays so.

    Judged as long as neither the API nor the managers have been disturbed.
    """
    calm = _calm_until(evidence)
    found: list[Violation] = []
    cases = 0
    for row in machine_times(evidence):
        if row.claimed is None or row.eligible is None or row.claimed > calm:
            continue
        cases += 1
        if (waited := row.claimed - row.eligible) > CLAIM_SECONDS:
            text = f"{row.name} waited {waited:.1f} s while a host was free that would do"
            found.append(Violation("claimed-promptly", row.host, row.name, row.claimed, text))
    return Judged(found, cases)


def oldest_first(evidence: Evidence, rules: Rules) -> Judged:
    """Of machines that require the same and wait, the one that was created first is served first.

    Judged as long as neither the API nor the managers have been disturbed, for those that waited
    before the host became free; the API tells ages in whole seconds.
    """
    calm = _calm_until(evidence)
    history = evidence.history
    rows = sorted(machine_times(evidence), key=lambda row: row.created)
    wishes = {uid: repr(requirements(t.versions[0].object)) for uid, t in history.machines.items()}
    found: list[Violation] = []
    cases = 0
    for row in rows:
        if row.claimed is None or row.eligible is None or not row.waited or row.claimed > calm:
            continue
        cases += 1
        for older in rows:
            if older.created > row.created - AGE_SECONDS:
                break
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

    Judged as long as neither the API nor the managers have been disturbed, and for hosts that no
    fault hit: after a failure waiting is right.
    """
    calm = min(_calm_until(evidence), evidence.ended)
    limit = _patience(evidence, rules)
    failed = set().union(*evidence.fault_hits.values())
    found: list[Violation] = []
    cases = 0
    busy = _busy(evidence)
    for track in evidence.history.hosts.values():
        if track.name in failed:
            continue
        for start, end, at in _owed(track, calm):
            cases += 1
            since = start
            for begin, done in (*busy, (end, end)):
                if min(begin, end) - since > limit:
                    text = (
                        f"{track.name} was {at}, and for {min(begin, end) - since:.1f} s no BMC "
                        f"was asked for anything (at most {limit:.1f} s would be right)"
                    )
                    machine = evidence.history.machine_name(consumer_uid(track.at(since)))
                    found.append(Violation("never-idle", track.name, machine, since, text))
                    break
                since = max(since, done)
                if since >= end:
                    break
    return Judged(found, cases)


def _calm_until(evidence: Evidence) -> float:
    """When for the first time something happened to the API or to the managers."""
    if evidence.clock != "virtual":
        return evidence.began
    return min(
        chain(
            (w.start for w in evidence.faults if w.fault.get("target") == "api"),
            (i.time for i in evidence.incidents if i.kind in MANAGERS),
            _changes(evidence),
        ),
        default=float("inf"),
    )


def _changes(evidence: Evidence) -> Iterator[float]:
    """When managers began or ended as pods, once the load was there."""
    for life in pod_lives(evidence.history.writes):
        yield from (at for at in (life.start, life.end) if at is not None and at >= evidence.origin)


def _patience(evidence: Evidence, rules: Rules) -> float:
    """Seconds without any request that the configuration explains.

    Where BMCs fail, the only slot may be held by an operation whose connection comes to nothing.
    """
    try:
        tuning = parse_tuning(evidence.scenario.world.config)
    except ConfigError:
        tuning = Tuning()
    if tuning.max_concurrent_ops == 0:  # drained: nothing is begun
        return float("inf")
    rest = tuning.boot_poll_interval + max(rules.cooldowns.values(), default=0.0)
    if any(window.blocking for window in evidence.faults):
        rest += tuning.connection_timeout + tuning.request_timeout
    return IDLE_SECONDS + rest


def _owed(track: Track, until: float) -> Iterator[tuple[float, float, str]]:
    """From when to when the host was in a state in which it is worked for."""
    since: float | None = None
    for version in track.versions:
        if version.time > until:
            break
        at = state(version.object)
        if at in AT_WORK and since is None:
            since, what = version.time, at
        elif at not in AT_WORK and since is not None:
            yield since, version.time, what
            since = None
        elif at in AT_WORK:
            what = at
    if since is not None:
        yield since, until, what


def _busy(evidence: Evidence) -> list[tuple[float, float]]:
    """The spans in which requests were under way, merged, by start."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted((r.start, r.end) for r in evidence.requests):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged
