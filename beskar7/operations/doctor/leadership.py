"""Judges who leads: both leases, what the managers say themselves, and how often it changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beskar7.api.durations import format_duration
from beskar7.api.meta import parse_rfc3339
from beskar7.api.objects import Object
from beskar7.claim_term import CLAIM_LEASE
from beskar7.kube.leaserecord import LeaseRecord
from beskar7.operations.doctor.diagnosis import Finding, Section, finding
from beskar7.operations.doctor.installed import Installed
from beskar7.operations.doctor.snapshot import Snapshot
from beskar7.operations.doctor.traces import occurrences
from beskar7.operations.podstatus import pod_name, running
from beskar7.operations.pool import counted
from beskar7.term import MANAGER_LEASE

UNSTABLE = 3
"""Changes within the last minutes: a rollout makes one or two, the guide's 0.05/s far more."""


def leadership(snapshot: Snapshot, installed: Installed) -> Section:
    """Both leases, where they are to be held."""
    expected = bool(snapshot.deployment) and installed.settings.leader_elect
    claims = expected and installed.settings.claim_lease is not None
    found: list[Finding] = []
    lines = []
    facts: dict[str, Any] = {}
    for name, wanted in ((MANAGER_LEASE, expected), (CLAIM_LEASE, claims)):
        lease = snapshot.leases.get(name)
        if lease is None and not wanted:
            # Optional, and nobody asked for it.
            lines.append("claims are not led" if name == CLAIM_LEASE else "nobody is to be elected")
            continue
        state = _Lease(snapshot, lease)
        facts[name] = state.facts()
        lines.append(("claims: " if name == CLAIM_LEASE else "leader ") + state.told)
        if wanted and "leases" not in snapshot.unread:
            found += _judged(snapshot, name, state)
    leaders = [labels["identity"] for labels, value in _leaders(snapshot) if value == 1]
    facts["leaders"] = leaders
    if len(leaders) > 1:
        text = f"{len(leaders)} managers say that they lead: {', '.join(leaders)}"
        found.append(finding("several-leaders", snapshot.namespace, text, leaders))
    found += _unstable(snapshot)
    return Section("leadership", "; ".join(lines), facts, tuple(found))


class _Lease:
    """A lease, judged by the API server's clock."""

    def __init__(self, snapshot: Snapshot, lease: Object | None) -> None:
        self.record = LeaseRecord.of(lease or {})
        self.alive = self.record.holder in identities(snapshot)
        self.age: float | None = None
        """Seconds since it was renewed."""
        if self.record.renew_time:
            self.age = max(0.0, snapshot.at - parse_rfc3339(self.record.renew_time))

    @property
    def stale(self) -> bool:
        return self.age is not None and self.age > self.record.duration

    @property
    def told(self) -> str:
        if not self.record.holder:
            return "none"
        text = self.record.holder
        if self.age is not None:
            text += f", renewed {format_duration(round(self.age))} ago"
        if self.stale:
            text += f" (stale: it lasts {self.record.duration:g}s)"
        elif not self.alive:
            text += " (no manager that runs)"
        return f"{text}, {counted(self.record.transitions, 'transition')}"

    def facts(self) -> dict[str, Any]:
        return {
            "holder": self.record.holder,
            "holderRuns": self.alive,
            "secondsSinceRenewal": self.age,
            "leaseDurationSeconds": self.record.duration,
            "stale": self.stale,
            "transitions": self.record.transitions,
        }


def identities(snapshot: Snapshot) -> set[str]:
    """Of the managers that run: what they say themselves, or else the names of their pods."""
    found = {labels.get("identity", "") for labels, _ in _leaders(snapshot)}
    for pod in snapshot.pods:
        if running(pod) and pod_name(pod) not in snapshot.managers.each:
            found.add(pod_name(pod))
    return found - {""}


def _leaders(snapshot: Snapshot) -> Iterator[tuple[dict[str, str], float]]:
    return snapshot.managers.find("beskar7_leader")


def _judged(snapshot: Snapshot, name: str, lease: _Lease) -> Iterator[Finding]:
    none = "no-claim-leader" if name == CLAIM_LEASE else "no-leader"
    holder = lease.record.holder
    if not holder:
        yield finding(none, snapshot.namespace, f"nobody holds the lease {name}")
    elif lease.stale:
        assert lease.age is not None
        text = (
            f"{holder} has not renewed the lease {name} for {format_duration(round(lease.age))}; "
            f"it lasts {lease.record.duration:g}s"
        )
        yield finding(none, snapshot.namespace, text, [holder])
    elif not lease.alive:
        text = f"{holder} holds the lease {name} and is no manager that runs"
        yield finding("leader-gone", snapshot.namespace, text, [holder])


def _unstable(snapshot: Snapshot) -> Iterator[Finding]:
    changes: dict[str, int] = {}
    for event, count in occurrences(snapshot.elections, snapshot.at - snapshot.recent):
        lease = str((event.get("involvedObject") or {}).get("name") or "")
        changes[lease] = changes.get(lease, 0) + count
    for lease, count in sorted(changes.items()):
        if count > UNSTABLE:
            span = format_duration(snapshot.recent)
            text = f"{lease} was taken {count} times within {span}"
            yield finding("leadership-unstable", snapshot.namespace, text, [lease])
