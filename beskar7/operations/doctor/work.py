"""Judges the work: claims, the provisioning queue, BMCs, and the configuration of all three."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beskar7.config import doubts
from beskar7.operations.doctor.diagnosis import Finding, Section, finding
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import UNREAD, Snapshot

UNKNOWN = "unknown: no metrics of any manager"
CONFLICTS_HIGH, CONFLICTS = 0.15, 0.10
"""Shares of the tries to claim a host; the guide's check and its daily one."""
LEAST_TRIES = 10
"""A share of a handful of claims says nothing (as in beskar7/monitoring/rules.yaml)."""
SLOW_CLAIM, SLOW_OPERATION = 5.0, 30.0
"""Seconds of the 95th percentile (facts section 12)."""
NEAR_FULL = 0.8
COOLDOWN_OF_ONE, COOLDOWN_OF_ALL = 0.3, 0.5
"""Waits a second: the guide's alarm for a BMC, the main documentation's for all."""
MANY, MANY_LEAST = 0.1, 3
"""Share of the fleet that does not answer, and the least number (rules.yaml)."""


def claims(snapshot: Snapshot, installed: Installed) -> Section:
    """Tries, conflicts and how long they took, over the window."""
    if not snapshot.managers.each:
        return Section("claims", UNKNOWN, {})
    grown = snapshot.window.grown
    tries = grown.by("beskar7_host_claim_attempts_total", "outcome")
    # Who found no host free tried none.
    tried = sum(count for outcome, count in tries.items() if outcome != "no_hosts")
    conflicts = tries.get("conflict", 0.0)
    rate = conflicts / tried if tried else 0.0
    slowest = grown.quantile(0.95, "beskar7_host_claim_duration_seconds", outcome="success")
    successes = grown.total("beskar7_host_claim_duration_seconds_count", outcome="success")
    unled = grown.total("beskar7_host_claim_optimistic_total")
    reasons = grown.by("beskar7_host_claim_attempts_total", "conflict_reason", outcome="conflict")
    found = []
    told = f"{conflicts:.0f} conflicts in {tried:.0f} tries ({rate:.1%}) {_over(snapshot)}"
    if tried >= LEAST_TRIES and rate > CONFLICTS:
        high = rate > CONFLICTS_HIGH
        id = "claim-conflicts-high" if high else "claim-conflicts"
        about = [f"{count:.0f} {reason}" for reason, count in reasons.items() if count]
        found.append(finding(id, snapshot.namespace, told, about))
    if slowest is not None and successes >= LEAST_TRIES and slowest > SLOW_CLAIM:
        text = f"one claim in twenty took over {slowest:.1f}s {_over(snapshot)}"
        found.append(finding("claims-slow", snapshot.namespace, text))
    if unled and installed.settings.claim_lease is not None:
        text = f"{unled:.0f} claims without a claim leader {_over(snapshot)}"
        found.append(finding("claims-unled", snapshot.namespace, text))
    facts = {
        "outcomes": tries,
        "tries": tried,
        "conflicts": conflicts,
        "conflictRate": rate,
        "conflictReasons": reasons,
        "durationP95": slowest,
        "unled": unled,
        "waiting": snapshot.managers.total("beskar7_host_claim_queue_length"),
        "window": snapshot.window.told,
    }
    return Section("claims", told, facts, tuple(found))


def queue(snapshot: Snapshot, installed: Installed) -> Section:
    """Its length beside its capacity, over all namespaces, and who was turned away."""
    if not snapshot.managers.each:
        return Section("queue", UNKNOWN, {})
    managers = snapshot.managers
    length = managers.total("beskar7_provisioning_queue_length")
    capacity = managers.most("beskar7_provisioning_queue_capacity")
    running = managers.total("beskar7_provisioning_queue_processing_count")
    rejected = snapshot.window.grown.by("beskar7_provisioning_queue_rejections_total", "namespace")
    turned_away = sum(rejected.values())
    found = []
    line = f"{length:.0f} of {capacity:.0f} places taken, {running:.0f} running"
    line += f", {turned_away:.0f} turned away {_over(snapshot)}"
    if capacity and length > NEAR_FULL * capacity:
        text = f"{length:.0f} of {capacity:.0f} places in the queue are taken"
        found.append(finding("queue-near-full", snapshot.namespace, text))
    if turned_away and snapshot.window.seconds is not None:
        text = f"{turned_away:.0f} operations were turned away {_over(snapshot)}"
        found.append(finding("queue-rejects", snapshot.namespace, text, list(rejected)))
    if installed.tuning.max_concurrent_ops == 0 and length:
        text = f"maxConcurrentOps is 0 and {length:.0f} operations wait"
        found.append(finding("queue-drained", snapshot.namespace, text))
    facts: dict[str, Any] = {
        "length": length,
        "capacity": capacity,
        "processing": running,
        "rejected": rejected,
        "suspectsWaiting": managers.total("beskar7_provisioning_suspects_waiting"),
        "window": snapshot.window.told,
    }
    return Section("queue", line, facts, tuple(found))


def bmcs(snapshot: Snapshot) -> Section:
    """Who does not answer, who has to rest, who is slow."""
    if not snapshot.managers.each:
        return Section("bmcs", UNKNOWN, {})
    grown, managers = snapshot.window.grown, snapshot.managers
    silent = {
        labels["bmc_address"]: value
        for labels, value in managers.find("beskar7_bmc_circuit_state")
        if value >= 1
    }
    left_alone = [address for address, state in sorted(silent.items()) if state >= 2]
    waits = grown.by("beskar7_bmc_cooldown_waits_total", "bmc_address")
    suspects = managers.total("beskar7_provisioning_suspects_waiting")
    slow = {
        operation: seconds
        for operation in grown.by("beskar7_bmc_operation_duration_seconds_count", "operation")
        if (seconds := _operation_time(snapshot, operation)) is not None
    }
    found = [*_unreachable(snapshot, sorted(silent)), *_overloaded(snapshot, waits)]
    late = [f"{name} {seconds:.0f}s" for name, seconds in slow.items() if seconds > SLOW_OPERATION]
    if late:
        text = f"one in twenty took over {SLOW_OPERATION:g}s: {', '.join(late)}"
        found.append(finding("bmc-operations-slow", snapshot.namespace, text, late))
    line = (
        f"{len(silent)} do not answer ({len(left_alone)} left alone), {suspects:.0f} operations "
        f"wait for them, {sum(waits.values()):.0f} waits for rest {_over(snapshot)}"
    )
    facts = {
        "unreachable": sorted(silent),
        "circuitsOpen": left_alone,
        "suspectsWaiting": suspects,
        "cooldownWaits": {address: count for address, count in waits.items() if count},
        "operationP95": slow,
        "window": snapshot.window.told,
    }
    return Section("bmcs", line, facts, tuple(found))


def _operation_time(snapshot: Snapshot, operation: str) -> float | None:
    """Seconds of the 95th percentile; None for too few to say."""
    name = "beskar7_bmc_operation_duration_seconds"
    if snapshot.window.grown.total(f"{name}_count", operation=operation) < LEAST_TRIES:
        return None
    return snapshot.window.grown.quantile(0.95, name, operation=operation)


def _unreachable(snapshot: Snapshot, silent: list[str]) -> Iterator[Finding]:
    if not silent:
        return
    many = len(silent) >= MANY_LEAST and len(silent) > MANY * len(snapshot.hosts)
    id = "many-bmcs-unreachable" if many else "bmcs-unreachable"
    text = f"{len(silent)} of {len(snapshot.hosts)} BMCs do not answer"
    yield finding(id, snapshot.namespace, text, silent)


def _overloaded(snapshot: Snapshot, waits: dict[str, float]) -> Iterator[Finding]:
    """Only over a window: an average since the managers' start is of no moment."""
    seconds = snapshot.window.seconds
    if not seconds:
        return
    hot = [name for name, count in waits.items() if count / seconds > COOLDOWN_OF_ONE]
    # Three waits in a row, at least: in a short window one wait is a high rate.
    hot = [name for name in hot if waits[name] >= MANY_LEAST]
    total = sum(waits.values())
    if hot or (total / seconds > COOLDOWN_OF_ALL and total >= LEAST_TRIES):
        text = f"{total / seconds:.2f} waits a second for the rest of BMCs"
        yield finding("bmcs-overloaded", snapshot.namespace, text, hot)


def configuration(snapshot: Snapshot, installed: Installed) -> Section:
    """What the ConfigMap says, whether it is taken, and whether it is wise."""
    found = []
    data = (snapshot.config_map or {}).get("data") or {}
    refused = snapshot.managers.has("beskar7_configuration_valid") and any(
        value == 0 for _, value in snapshot.managers.find("beskar7_configuration_valid")
    )
    problems = list(installed.config_problems)
    if problems or refused:
        text = "; ".join(problems) or "a manager refuses it; its log and /debug/config say why"
        found.append(finding("configuration-refused", snapshot.namespace, text, problems))
    for key, advice in doubts(installed.tuning):
        found.append(finding("configuration-doubtful", snapshot.namespace, f"{key}: {advice}"))
    if "configuration" in snapshot.unread:
        line = UNREAD
    elif snapshot.config_map is None:
        line = "no ConfigMap beskar7-config: the defaults hold"
    else:
        line = f"{len(data)} {'setting' if len(data) == 1 else 'settings'}"
        line += ", refused" if problems or refused else ", taken"
    facts = {"settings": dict(data), "problems": problems}
    return Section("configuration", line, facts, tuple(found))


def _over(snapshot: Snapshot) -> str:
    return snapshot.window.told if snapshot.window.seconds is None else f"in {snapshot.window.told}"
