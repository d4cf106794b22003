"""The ReplicaSet's decisions, pure: how many pods to make, which to delete, what its status is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from beskar7.api.objects import Object
from emulator.kube.tables.ages import parse_time
from emulator.kube.workloads.objects import (
    condition,
    holds,
    meta,
    replicas,
    spec,
    status,
    terminating,
    with_condition,
)

MAX_REPLICAS = 100
"""Pods that one ReplicaSet may have: a scale to a million must not fill the store."""


@dataclass(frozen=True, slots=True)
class Change:
    """``create`` pods to make and ``delete`` pods to delete; one of them is empty."""

    create: int
    delete: tuple[Object, ...]
    refused: int
    """Wanted beyond :data:`MAX_REPLICAS`."""


def active(pods: Iterable[Object]) -> list[Object]:
    """Pods that count: neither going nor finished."""
    return [
        pod
        for pod in pods
        if not terminating(pod) and status(pod).get("phase") not in ("Succeeded", "Failed")
    ]


def change(replica_set: Object, pods: Sequence[Object]) -> Change:
    """``pods`` are the ReplicaSet's own; the least useful are deleted first."""
    wanted = replicas(replica_set)
    living = active(pods)
    bounded = min(wanted, MAX_REPLICAS)
    surplus = len(living) - bounded
    if surplus > 0:
        return Change(0, tuple(sorted(living, key=_worth)[:surplus]), wanted - bounded)
    return Change(-surplus, (), wanted - bounded)


def _worth(pod: Object) -> tuple[bool, int, bool, int, float]:
    """Unassigned, pending, unready, often restarted and young pods go first."""
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}
    restarts = max(
        (each.get("restartCount", 0) for each in status(pod).get("containerStatuses") or ()),
        default=0,
    )
    return (
        bool(spec(pod).get("nodeName")),
        phases.get(status(pod).get("phase", "Pending"), 0),
        holds(pod, "Ready"),
        -restarts,
        -(parse_time(meta(pod).get("creationTimestamp")) or 0.0),
    )


def available_in(pod: Object, min_ready: float, now: float) -> float | None:
    """Seconds until a ready pod counts as available (0: it does); None when it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    since = parse_time(ready.get("lastTransitionTime")) or now
    return max(0.0, since + min_ready - now)


@dataclass(frozen=True, slots=True)
class Tally:
    """A ReplicaSet's status, and in how many seconds to look again (None: no need)."""

    status: Object
    again: float | None


def tally(replica_set: Object, pods: Sequence[Object], refused: int, now: float, at: str) -> Tally:
    """``now`` is wall time in seconds, ``at`` the same as RFC 3339."""
    living = active(pods)
    min_ready = float(spec(replica_set).get("minReadySeconds") or 0)
    waits = [available_in(pod, min_ready, now) for pod in living]
    labels = ((spec(replica_set).get("template") or {}).get("metadata") or {}).get("labels") or {}
    counted: Object = {
        "replicas": len(living),
        "fullyLabeledReplicas": sum(
            labels.items() <= (meta(pod).get("labels") or {}).items() for pod in living
        ),
        "readyReplicas": sum(wait is not None for wait in waits),
        "availableReplicas": sum(wait == 0.0 for wait in waits),
        "observedGeneration": meta(replica_set).get("generation", 1),
    }
    # A real status leaves out the counts that are zero, except this one.
    found = {name: count for name, count in counted.items() if count or name == "replicas"}
    conditions = [
        each
        for each in status(replica_set).get("conditions") or ()
        if each.get("type") != "ReplicaFailure"
    ]
    if refused:
        failure = {
            "type": "ReplicaFailure",
            "status": "True",
            "reason": "FailedCreate",
            "message": f"the lab runs at most {MAX_REPLICAS} pods of a ReplicaSet; "
            f"{refused} more were asked for",
        }
        old = [c for c in [condition(replica_set, "ReplicaFailure")] if c]
        conditions += with_condition(old, failure, at)
    if conditions:
        found["conditions"] = conditions
    pending = [wait for wait in waits if wait]
    return Tally(found, min(pending) if pending else None)
