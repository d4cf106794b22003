"""What the matter is with one machine: done, waiting for what, stuck where and since when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from beskar7.api import conditions
from beskar7.api.durations import format_duration
from beskar7.api.meta import ObjectKey, parse_rfc3339
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.config import Tuning
from beskar7.coordination.requirements import Requirements
from beskar7.coordination.selection import claimable
from beskar7.kube.leaserecord import LeaseRecord
from beskar7.operations import trace_entries as kinds
from beskar7.operations.trace_entries import Entry

DONE, GONE, WAITING = "done", "gone", "waiting"
STUCK, FAILED, UNKNOWN = "stuck", "failed", "unknown"
PATIENCE = 60.0
"""Seconds after which a machine beside a free host, or one that is to go, counts as stuck: the
controller looks again after as long by itself, whatever news it missed."""
_WANTS_NO_HOST = "WaitingForOwnerMachine"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``since``: UTC seconds, None if it is not known."""

    state: str
    text: str
    since: float | None

    @property
    def fine(self) -> bool:
        """Whether the machine got where it was to go."""
        return self.state in (DONE, GONE)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is judged. ``hosts``: those that the machine owns now; ``pool``: all of its namespace.

    ``lease``: the managers', None without one. ``paused``: why nobody reconciles it, or "".
    """

    now: float
    key: ObjectKey
    machine: Beskar7Machine | None
    hosts: Sequence[PhysicalHost]
    pool: Sequence[PhysicalHost]
    lease: LeaseRecord | None
    tuning: Tuning
    paused: str
    entries: Sequence[Entry]


def judge(facts: Facts) -> Verdict:
    """Of the machine as it is now, or of what is left of one that is gone."""
    machine = facts.machine
    if machine is None:
        return _gone(facts)
    if machine.phase == "Failed":
        why = machine.status.get("failureReason"), machine.status.get("failureMessage")
        since = _changed(machine.status, conditions.INFRASTRUCTURE_READY)
        return Verdict(FAILED, f"failed: {why[0]}: {why[1]}", since)
    if facts.paused:
        return Verdict(WAITING, f"waits: {facts.paused}", None)
    if machine.phase == "Provisioned" and not machine.deleting:
        where = facts.hosts[0].name if facts.hosts else machine.host_name
        since = _changed(machine.status, conditions.INFRASTRUCTURE_READY)
        return Verdict(DONE, f"done: provisioned on host {where}", since)
    unled = _unled(facts.lease, facts.now)
    if unled is not None:
        return unled
    if machine.deleting:
        return _deleting(facts, machine)
    if facts.hosts:
        return _with_host(facts, facts.hosts[0])
    return _without_host(facts, machine)


def _gone(facts: Facts) -> Verdict:
    if not facts.entries:
        return Verdict(UNKNOWN, "nothing is known of it", None)
    last = facts.entries[-1]
    ready = [entry for entry in facts.entries if entry.kind == kinds.READY]
    if ready:
        text = f"gone: it was provisioned on host {_short(ready[-1].host)}, and its object is gone"
        return Verdict(GONE, text, last.at)
    return Verdict(FAILED, "gone: its object is gone, and it never was provisioned", last.at)


def _unled(lease: LeaseRecord | None, now: float) -> Verdict | None:
    """Stuck for want of a leader; None while somebody leads, or nobody is elected at all."""
    if lease is None:
        return None
    renewed = _time(lease.renew_time)
    if renewed is None or (lease.holder and renewed + lease.duration > now):
        return None
    if not lease.holder:
        return Verdict(STUCK, "stuck: no manager leads, the lease was given up", renewed)
    over = renewed + lease.duration
    text = f"stuck: no manager leads, the lease of {lease.holder} ran out"
    return Verdict(STUCK, text, over)


def _deleting(facts: Facts, machine: Beskar7Machine) -> Verdict:
    since = _time(machine.metadata.get("deletionTimestamp"))
    finalizers = ", ".join(machine.metadata.get("finalizers") or ())
    what = f"host {facts.hosts[0].name} to be released" if facts.hosts else f"{finalizers} to go"
    late = since is not None and facts.now - since > PATIENCE
    return Verdict(
        STUCK if late else WAITING,
        f"{'stuck' if late else 'waits'}: it is to be deleted, and waits for {what}",
        since,
    )


def _with_host(facts: Facts, host: PhysicalHost) -> Verdict:
    tuning, name = facts.tuning, host.name
    since = host.state_since
    trouble = str(host.status.get("errorMessage") or "")
    told = f": {trouble}" if trouble else ""
    match host.state:
        case HostState.ERROR:
            return Verdict(STUCK, f"stuck: host {name} is in Error{told}", since)
        case _ if host.paused:
            return Verdict(WAITING, f"waits: host {name} is paused", since)
        case HostState.AVAILABLE | HostState.CLAIMED:
            claimed = _claimed_at(host) or since
            if tuning.max_concurrent_ops == 0:
                why = "the queue is drained (provisioning.maxConcurrentOps: 0)"
                return Verdict(WAITING, f"waits: {why}", claimed)
            return _timed(
                facts, claimed, tuning.operation_timeout, f"host {name} to be taken up{told}"
            )
        case HostState.PROVISIONING if requested := _time(host.boot.get("requestedAt")):
            return _timed(facts, requested, tuning.boot_timeout, f"host {name} to boot{told}")
        case HostState.PROVISIONING:
            if tuning.max_concurrent_ops == 0:
                why = "the queue is drained (provisioning.maxConcurrentOps: 0)"
                return Verdict(WAITING, f"waits: {why}", since)
            longest = tuning.operation_timeout * (tuning.operation_retries + 1)
            what = f"the BMC of host {name} to be told to boot{told}"
            return _timed(facts, since, longest, what)
        case HostState.PROVISIONED:
            what = f"the manager to say so: host {name} is provisioned"
            return _timed(facts, since, PATIENCE, what)
        case state:
            what = f"host {name}, which is {state.value or 'not enrolled'}{told}"
            return _timed(facts, since, tuning.operation_timeout, what)


def _timed(facts: Facts, since: float | None, limit: float, what: str) -> Verdict:
    """Waiting within the limit (seconds), stuck beyond."""
    if since is None or facts.now - since <= limit:
        return Verdict(WAITING, f"waits for {what}", since)
    return Verdict(
        STUCK, f"stuck: waits for {what}; {format_duration(limit)} should be enough", since
    )


def _without_host(facts: Facts, machine: Beskar7Machine) -> Verdict:
    told = conditions.get_condition(machine.status, conditions.PHYSICAL_HOST_ASSOCIATED) or {}
    ready = conditions.get_condition(machine.status, conditions.INFRASTRUCTURE_READY) or {}
    since = _lost_at(facts) or machine.created
    if ready.get("reason") == _WANTS_NO_HOST:
        return Verdict(WAITING, "waits for its owner Machine to be set", since)
    wish = Requirements.of(machine)
    hopeless = wish.hopeless(facts.pool)
    if hopeless or (told.get("reason") == "NoMatchingHost" and not facts.pool):
        return Verdict(STUCK, f"stuck: {hopeless or told.get('message')}", since)
    free = [host for host in facts.pool if claimable(host) and wish.met(host)]
    if not facts.pool:
        namespace = facts.key.namespace
        return Verdict(STUCK, f"stuck: namespace {namespace} has no PhysicalHost", since)
    if not free:
        return Verdict(
            WAITING, f"waits for a host: none that fits is free ({_states(facts)})", since
        )
    noun = "host that fits is" if len(free) == 1 else "hosts that fit are"
    return _timed(facts, since, PATIENCE, f"its claim: {len(free)} {noun} free")


def _states(facts: Facts) -> str:
    counts = Counter(host.state.value or "not enrolled" for host in facts.pool)
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _lost_at(facts: Facts) -> float | None:
    """When the last host was released again; None if it never had one."""
    return max((entry.at for entry in facts.entries if entry.kind == kinds.RELEASED), default=None)


def _claimed_at(host: PhysicalHost) -> float | None:
    return _time(host.annotations.get("beskar7.io/claimed-at"))


def _changed(status: Mapping[str, object], condition: str) -> float | None:
    found = conditions.get_condition(dict(status), condition) or {}
    return _time(found.get("lastTransitionTime"))


def _time(text: object) -> float | None:
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None


def _short(host: str) -> str:
    return host.partition("/")[2] or host
