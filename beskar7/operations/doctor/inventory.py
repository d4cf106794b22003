"""Judges hosts and machines: in which state, who is stuck, who waits, and whether that can help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from beskar7.api.durations import format_duration
from beskar7.api.kinds import BESKAR7_MACHINE, PHYSICAL_HOST
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.operations.doctor.diagnosis import Finding, Section, finding
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import UNREAD, Snapshot
from beskar7.operations.pool import Pool, counted, host_state, reason_of, since, trouble_of

PASSING = {
    HostState.NONE,
    HostState.UNKNOWN,
    HostState.ENROLLING,
    HostState.CLAIMED,
    HostState.PROVISIONING,
    HostState.DEPROVISIONING,
}
"""States that should pass."""
ORPHANED = 60.0
"""Seconds for which a host may name a machine that is gone: its release may be under way."""


def hosts(snapshot: Snapshot, installed: Installed, pool: Pool) -> Section:
    """By state, with those in Error and those that are stuck."""
    if PHYSICAL_HOST.qualified in snapshot.unread:
        return Section("hosts", UNREAD, {})
    found: list[Finding] = []
    limit = installed.settings.stuck_state_timeout
    troubles = {}
    stuck = {}
    for host in pool.hosts:
        age = snapshot.at - since(host)
        allowed = limit
        if host.state == HostState.PROVISIONING:
            allowed = max(limit, installed.tuning.boot_timeout)
        if host.state == HostState.ERROR:
            troubles[str(host.key)] = _aged(trouble_of(host), age)
        elif host.state in PASSING and not host.paused and age > allowed:
            stuck[str(host.key)] = _aged(f"{host_state(host)} {trouble_of(host)}".strip(), age)
    if troubles:
        text = f"{counted(len(troubles), 'host')} in Error: {_reasons(pool)}"
        found.append(finding("hosts-in-error", snapshot.namespace, text, _listed(troubles)))
    if stuck:
        text = f"{counted(len(stuck), 'host')} for over {format_duration(limit)} in a passing state"
        found.append(finding("hosts-stuck", snapshot.namespace, text, _listed(stuck)))
    found += _of_nobody(snapshot, pool)
    paused = [str(host.key) for host in pool.hosts if host.paused]
    if paused:
        text = f"{counted(len(paused), 'host')} paused"
        found.append(finding("hosts-paused", snapshot.namespace, text, paused))
    states = pool.states()
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    line = counted(len(pool.hosts), "host") + (f": {told}" if told else "")
    facts: dict[str, Any] = {
        "total": len(pool.hosts),
        "states": states,
        "available": len(pool.available()),
        "error": troubles,
        "stuck": stuck,
        "paused": paused,
    }
    return Section("hosts", line, facts, tuple(found))


def machines(snapshot: Snapshot, installed: Installed, pool: Pool) -> Section:
    """By phase, with who waits and why."""
    if BESKAR7_MACHINE.qualified in snapshot.unread:
        return Section("machines", UNREAD, {})
    namespace = snapshot.namespace
    pending = [each for each in pool.machines if each.phase not in ("Provisioned", "Failed")]
    whys = Counter(reason_of(each) or "not looked at yet" for each in pending)
    found = [*_shortage(snapshot, pool), *_late(snapshot, installed, pool.machines)]
    failed = [
        f"{each.key}: {each.status.get('failureReason')}: {each.status.get('failureMessage')}"
        for each in pool.machines
        if each.phase == "Failed"
    ]
    if failed:
        text = f"{counted(len(failed), 'machine')} failed"
        found.append(finding("machines-failed", namespace, text, failed))
    phases = pool.phases()
    told = ", ".join(f"{count} {phase}" for phase, count in phases.items())
    line = counted(len(pool.machines), "machine") + (f": {told}" if told else "")
    if whys:
        line += f" ({', '.join(f'{count} {why}' for why, count in sorted(whys.items()))})"
    facts = {
        "total": len(pool.machines),
        "phases": phases,
        "pending": {str(each.key): reason_of(each) for each in pending},
        "waitingForHost": len(pool.waiting),
    }
    return Section("machines", line, facts, tuple(found))


def _shortage(snapshot: Snapshot, pool: Pool) -> Iterator[Finding]:
    if PHYSICAL_HOST.qualified in snapshot.unread:
        return
    short = pool.short()
    if short:
        waiting = [each for each in pool.waiting if not each.hopeless]
        free = len(pool.available())
        verb = "waits" if len(waiting) == 1 else "wait"
        text = f"{counted(len(waiting), 'machine')} {verb} for a host, {free} are Available"
        about = [str(each.machine.key) for each in waiting]
        yield finding("host-shortage", snapshot.namespace, text, about)
    hopeless = [f"{each.machine.key}: {each.hopeless}" for each in pool.waiting if each.hopeless]
    if hopeless:
        text = f"{counted(len(hopeless), 'machine')} waits for what no host has"
        yield finding("machines-unsatisfiable", snapshot.namespace, text, hopeless)


def _late(
    snapshot: Snapshot, installed: Installed, found: Sequence[Beskar7Machine]
) -> Iterator[Finding]:
    """Who has a host and does not get on, and who was deleted and does not go."""
    limit = max(installed.settings.stuck_state_timeout, installed.tuning.boot_timeout)
    late, going = [], []
    for machine in found:
        age = snapshot.at - since(machine)
        if machine.deleting:
            if age > limit:
                going.append(f"{machine.key} {format_duration(round(age))}")
        elif machine.host_name and machine.phase not in ("Provisioned", "Failed") and age > limit:
            late.append(f"{machine.key} {machine.phase} {reason_of(machine)}")
    span = format_duration(limit)
    if late:
        text = f"{counted(len(late), 'machine')} with a host for over {span}, not provisioned"
        yield finding("machines-stuck", snapshot.namespace, text, late)
    if going:
        text = f"{counted(len(going), 'machine')} deleted over {span} ago and still there"
        yield finding("machines-going", snapshot.namespace, text, going)


def _of_nobody(snapshot: Snapshot, pool: Pool) -> Iterator[Finding]:
    """Owners by uid: a machine of the same name may be another."""
    if BESKAR7_MACHINE.qualified in snapshot.unread:
        return
    alive = {machine.uid for machine in pool.machines}
    orphaned = [
        f"{host.key}: {host.consumer_key}"
        for host in pool.hosts
        if host.consumer_uid
        and host.consumer_uid not in alive
        and snapshot.at - since(host) > ORPHANED
    ]
    if orphaned:
        text = f"{counted(len(orphaned), 'host')} of a machine that is not there"
        yield finding("hosts-of-nobody", snapshot.namespace, text, orphaned)


def _reasons(pool: Pool) -> str:
    """The commonest reasons first."""
    counts = Counter(_reason(host) for host in pool.hosts if host.state == HostState.ERROR)
    return ", ".join(f"{count} {reason}" for reason, count in counts.most_common(3))


def _reason(host: PhysicalHost) -> str:
    return trouble_of(host).partition(":")[0] or "no reason"


def _aged(text: str, age: float) -> str:
    return f"{text} (for {format_duration(max(0, round(age)))})".strip()


def _listed(told: dict[str, str]) -> list[str]:
    return [f"{name}: {text}" for name, text in told.items()]
