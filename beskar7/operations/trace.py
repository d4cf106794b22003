"""One machine's whole way: object, Events, claim, the log lines of all managers, its hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from beskar7.api import conditions
from beskar7.api.clusters import cluster_paused
from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import (
    BESKAR7_MACHINE,
    CAPI_CLUSTER,
    CONFIG_MAP,
    EVENT,
    HOST_CLAIM,
    LEASE,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.meta import ObjectKey, View, parse_rfc3339, rfc3339_micro
from beskar7.api.objects import Object
from beskar7.api.resources import CONSUMER_LABEL, Beskar7Machine, PhysicalHost
from beskar7.claim_term import CLAIM_LEASE
from beskar7.config import CONFIG_MAP_NAME, ConfigError, Tuning, parse_tuning
from beskar7.kube.leaserecord import LeaseRecord
from beskar7.operations import trace_entries as kinds
from beskar7.operations.cluster import Cluster
from beskar7.operations.loglines import LogLine, read_logs
from beskar7.operations.trace_entries import Entry, Whose
from beskar7.operations.trace_story import ownership, story
from beskar7.operations.trace_time import Segment, segments, totals
from beskar7.operations.trace_verdict import Facts, Verdict, judge
from beskar7.term import MANAGER_LEASE

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Trace:
    """``start`` to ``end`` is the way whose time is told, in UTC seconds: from the machine's
    creation until it was Provisioned, until it was gone, or until now."""

    key: ObjectKey
    uid: str
    verdict: Verdict
    machine: Beskar7Machine | None
    owners: tuple[str, ...]
    claim: str
    hosts: tuple[str, ...]
    """All that it has owned, the last one last."""
    conditions: tuple[str, ...]
    entries: tuple[Entry, ...]
    way: tuple[Segment, ...]
    start: float
    end: float
    managers: tuple[str, ...]
    """Whose logs were read."""

    def to_json(self) -> dict[str, Any]:
        """Plain data; times in RFC 3339, lengths in seconds."""
        return {
            "machine": self.key.name,
            "namespace": self.key.namespace,
            "uid": self.uid,
            "exists": self.machine is not None,
            "phase": self.machine.phase if self.machine is not None else None,
            "verdict": asdict(self.verdict) | {"since": _told(self.verdict.since)},
            "owners": list(self.owners),
            "claim": self.claim,
            "hosts": list(self.hosts),
            "conditions": list(self.conditions),
            "start": _told(self.start),
            "end": _told(self.end),
            "seconds": self.end - self.start,
            "phases": totals(self.way),
            "managers": list(self.managers),
            "story": [
                asdict(entry) | {"at": _told(entry.at), "until": _told(entry.until)}
                for entry in self.entries
            ],
        }


def trace(cluster: Cluster, key: ObjectKey, since: float) -> Trace:
    """The machine's way, as far as what is kept of the last ``since`` seconds tells it.

    Raises an ApiError when the machine cannot be asked for. What else cannot be had is left out.
    """
    kube, now = cluster.kube, cluster.runtime.wall()
    try:
        machine = Beskar7Machine(kube.get(BESKAR7_MACHINE, key.namespace, key.name))
    except NotFound:
        machine = None
    logs = cluster.logs(since)
    lines = read_logs(logs)
    whose = Whose(key, machine.uid if machine is not None else kinds.last_uid(key, lines))
    told = [kinds.from_line(line) for line in kinds.lines_about(whose, lines)]
    told += kinds.events_about(whose, _events(cluster, key.namespace, key.name))
    owned_now = _owned(cluster, whose)
    told += _of_objects(machine, owned_now)
    told.sort(key=lambda entry: entry.at)
    times = ownership(told, now)
    hosts = [host for host in times if host.namespace == key.namespace]
    for host in hosts:
        events = _events(cluster, host.namespace, host.name)
        told += kinds.events_of_host(key, host, times[host], events)
    start, end = _bounds(machine, told, now)
    # A former bearer of its name may have had the same host a moment before it was created.
    told = [entry for entry in told if entry.at >= start]
    entries = story(told + _leaders(cluster, lines, start, end))
    facts = Facts(
        now,
        key,
        machine,
        owned_now,
        _pool(cluster, machine, owned_now),
        _lease(cluster),
        _tuning(cluster),
        _paused(cluster, machine),
        entries,
    )
    return Trace(
        key,
        whose.uid,
        judge(facts),
        machine,
        _owners(machine),
        _claim(cluster, key, whose.uid),
        tuple(host.name for host in hosts),
        _conditions(machine),
        tuple(entries),
        tuple(segments(entries, start, end, told_from=now - since)),
        start,
        end,
        tuple(logs),
    )


def _asked(ask: Callable[[], T], otherwise: T) -> T:
    """What is beside the machine itself may be refused or gone: the story goes on without."""
    try:
        return ask()
    except ApiError:
        return otherwise


def _listed(cluster: Cluster, kind: Kind, namespace: str, **selectors: str) -> list[Object]:
    nothing: list[Object] = []
    return _asked(lambda: cluster.kube.list(kind, namespace, **selectors).items, nothing)


def _events(cluster: Cluster, namespace: str, name: str) -> list[Object]:
    return _listed(cluster, EVENT, namespace, field_selector=f"involvedObject.name={name}")


def _owned(cluster: Cluster, whose: Whose) -> list[PhysicalHost]:
    if not whose.uid:
        return []
    selector = f"{CONSUMER_LABEL}={whose.uid}"
    found = _listed(cluster, PHYSICAL_HOST, whose.key.namespace, label_selector=selector)
    hosts = [PhysicalHost(raw) for raw in found]
    return [host for host in hosts if host.consumer_uid == whose.uid]


def _pool(
    cluster: Cluster, machine: Beskar7Machine | None, owned: Sequence[PhysicalHost]
) -> list[PhysicalHost]:
    """The namespace's hosts, for a machine that waits for one."""
    if machine is None or owned:
        return []
    return [PhysicalHost(raw) for raw in _listed(cluster, PHYSICAL_HOST, machine.namespace)]


def _get(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Object | None:
    return _asked(lambda: cluster.kube.get(kind, namespace, name), None)


def _lease(cluster: Cluster) -> LeaseRecord | None:
    found = _get(cluster, LEASE, cluster.namespace, MANAGER_LEASE)
    return None if found is None else LeaseRecord.of(found)


def _tuning(cluster: Cluster) -> Tuning:
    """As the managers have it, or the defaults where these values would be refused."""
    found = _get(cluster, CONFIG_MAP, cluster.namespace, CONFIG_MAP_NAME) or {}
    try:
        return parse_tuning(found.get("data") or {})
    except ConfigError:
        return Tuning()


def _paused(cluster: Cluster, machine: Beskar7Machine | None) -> str:
    if machine is None:
        return ""
    if machine.paused:
        return "its annotation cluster.x-k8s.io/paused says that nobody is to touch it"
    name = machine.cluster_name
    owner = _get(cluster, CAPI_CLUSTER, machine.namespace, name) if name else None
    if owner is not None and cluster_paused(View(owner)):
        return f"its Cluster {name} is paused"
    return ""


def _claim(cluster: Cluster, key: ObjectKey, uid: str) -> str:
    """The HostClaim in a few words; empty without one."""
    found = _get(cluster, HOST_CLAIM, key.namespace, key.name)
    if found is None:
        return ""
    spec, status = found.get("spec") or {}, found.get("status") or {}
    if uid and (spec.get("machineRef") or {}).get("uid") != uid:
        return ""
    said = [str(status.get("phase") or "Pending")]
    if status.get("retries"):
        said.append(f"{status['retries']} retries")
    if status.get("assignedBy"):
        said.append(f"by {status['assignedBy']}")
    if status.get("message"):
        said.append(str(status["message"]))
    return ", ".join(said)


def _of_objects(machine: Beskar7Machine | None, hosts: Iterable[PhysicalHost]) -> list[Entry]:
    """What the objects themselves remember of when things happened, to the second."""
    if machine is None:
        return []
    found = [_remembered(machine.created, kinds.CREATED, "created", "machine")]
    ready = conditions.get_condition(machine.status, conditions.INFRASTRUCTURE_READY) or {}
    if ready.get("status") == "True":
        at = _time(ready.get("lastTransitionTime"))
        found.append(_remembered(at, kinds.READY, "Ready since then", "machine"))
    if machine.deleting:
        at = _time(machine.metadata.get("deletionTimestamp"))
        found.append(_remembered(at, kinds.DELETED, "asked to go", "machine"))
    for host in hosts:
        at = _time(host.annotations.get("beskar7.io/claimed-at"))
        text = f"took host {host.name}"
        found.append(_remembered(at, kinds.CLAIMED, text, "host", str(host.key)))
        if host.boot_consumer_uid == machine.uid:
            at = _time(host.boot.get("requestedAt"))
            text = f"host {host.name} was told to boot"
            entry = _remembered(at, kinds.OPERATION, text, "host", str(host.key))
            found.append(entry and replace(entry, word="provision", outcome="success"))
        text = f"host {host.name} is {host.state.value or 'not enrolled'} since then"
        entry = _remembered(host.state_since, kinds.STATE, text, "host", str(host.key))
        found.append(entry and replace(entry, word=host.state.value))
    return [entry for entry in found if entry is not None]


def _remembered(at: float | None, kind: str, text: str, of: str, host: str = "") -> Entry | None:
    return None if at is None else Entry(at, False, f"object {of}", kind, text, host, until=at)


def _bounds(
    machine: Beskar7Machine | None, entries: Sequence[Entry], now: float
) -> tuple[float, float]:
    """From creation, or the first that is known, until Provisioned, gone, or now."""
    exact = [entry.at for entry in entries if entry.kind == kinds.READY and entry.exact]
    ready = exact or [entry.at for entry in entries if entry.kind == kinds.READY]
    first = min((entry.at for entry in entries), default=now)
    start = machine.created if machine is not None else first
    if ready:
        return start, max(start, min(ready))
    if machine is None:
        return start, max((entry.at for entry in entries), default=now)
    return start, max(start, now)


def _leaders(cluster: Cluster, lines: Sequence[LogLine], start: float, end: float) -> list[Entry]:
    """Changes of leadership on its way, as they explain why nobody worked for a while."""
    told = kinds.leaders(lines, (MANAGER_LEASE, CLAIM_LEASE))
    for name in (MANAGER_LEASE, CLAIM_LEASE):
        for event in _events(cluster, cluster.namespace, name):
            entry = kinds.from_event(event)
            if (event.get("involvedObject") or {}).get("kind") == LEASE.kind and entry:
                told.append(entry)
    return [entry for entry in told if start <= entry.at <= end]


def _owners(machine: Beskar7Machine | None) -> tuple[str, ...]:
    if machine is None:
        return ()
    owners = machine.metadata.get("ownerReferences") or []
    return tuple(f"{owner.get('kind')}/{owner.get('name')}" for owner in owners)


def _conditions(machine: Beskar7Machine | None) -> tuple[str, ...]:
    if machine is None:
        return ()
    found = []
    for item in machine.status.get("conditions") or []:
        why = " ".join(str(item[name]) for name in ("reason", "message") if item.get(name))
        since = item.get("lastTransitionTime")
        found.append(f"{item.get('type')}={item.get('status')} since {since} {why}".rstrip())
    return tuple(found)


def _time(text: object) -> float | None:
    try:
        return parse_rfc3339(str(text)) if text else None
    except ValueError:
        return None


def _told(at: float | None) -> str | None:
    return None if not at else rfc3339_micro(at)
