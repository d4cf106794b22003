"""A Deployment's status, pure: counts, and the conditions Available and Progressing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from beskar7.api.objects import Object
from emulator.kube.tables.ages import parse_time
from emulator.kube.workloads.objects import condition, meta, replicas, spec, status, with_condition
from emulator.kube.workloads.rollout import bounds

DEADLINE = 600.0
"""Seconds; the default of progressDeadlineSeconds."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The status to write, and in how many seconds the deadline passes (None: it cannot)."""

    status: Object
    again: float | None


def _sum(sets: Sequence[Object], field: str) -> int:
    return sum(int(status(each).get(field) or 0) for each in sets)


def progress(
    deployment: Object,
    new: Object | None,
    old: Sequence[Object],
    *,
    made: bool,
    now: float,
    at: str,
) -> Progress:
    """``made``: the new ReplicaSet was created in this very step. Times as in ``tally``."""
    everything = [*old, *([new] if new else [])]
    wanted = replicas(deployment)
    total = _sum(everything, "replicas")
    available = _sum(everything, "availableReplicas")
    counts: Object = {
        "replicas": total,
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(replicas(each) for each in everything) - available),
    }
    found: Object = {"observedGeneration": meta(deployment).get("generation", 1)}
    found |= {name: count for name, count in counts.items() if count}
    _, unavailable = bounds(deployment)
    enough = available >= wanted - unavailable
    said = "has" if enough else "does not have"
    conditions = with_condition(
        _touched(deployment, "Available", "True" if enough else "False", at),
        {
            "type": "Available",
            "status": "True" if enough else "False",
            "reason": f"MinimumReplicas{'A' if enough else 'Una'}vailable",
            "message": f"Deployment {said} minimum availability.",
            "lastUpdateTime": _updated(deployment, "Available", "True" if enough else "False", at),
        },
        at,
    )
    new_condition, again = _progressing(deployment, new, counts, made=made, now=now, at=at)
    if new_condition is not None:
        conditions = with_condition(conditions, new_condition, at)
    failed = next(
        (
            each
            for replica_set in everything
            if (each := condition(replica_set, "ReplicaFailure")) is not None
        ),
        None,
    )
    conditions = [each for each in conditions if each["type"] != "ReplicaFailure"]
    if failed is not None:
        failed["lastUpdateTime"] = failed["lastTransitionTime"]
        conditions.append(failed)
    found["conditions"] = conditions
    return Progress(found, again)


def _touched(deployment: Object, type_: str, value: str, at: str) -> list[Object]:
    return [dict(each) for each in status(deployment).get("conditions") or ()]


def _updated(deployment: Object, type_: str, value: str, at: str) -> str:
    """A condition's lastUpdateTime stays while its status does."""
    old = condition(deployment, type_)
    if old is None or old.get("status") != value:
        return at
    return str(old.get("lastUpdateTime", at))


def _progressing(
    deployment: Object, new: Object | None, counts: Object, *, made: bool, now: float, at: str
) -> tuple[Object | None, float | None]:
    old = condition(deployment, "Progressing")
    limit = spec(deployment).get("progressDeadlineSeconds")
    deadline = DEADLINE if limit is None else float(limit)

    def say(value: str, reason: str, message: str, *, fresh: bool = True) -> Object:
        updated = at if fresh or old is None else str(old.get("lastUpdateTime", at))
        return {
            "type": "Progressing",
            "status": value,
            "reason": reason,
            "message": message,
            "lastUpdateTime": updated,
        }

    if spec(deployment).get("paused"):
        paused = old is not None and old.get("reason") == "DeploymentPaused"
        return say("Unknown", "DeploymentPaused", "Deployment is paused", fresh=not paused), None
    if old is not None and old.get("reason") == "DeploymentPaused":
        return say("Unknown", "DeploymentResumed", "Deployment is resumed"), deadline
    if new is None:
        return old, None
    name = f'ReplicaSet "{meta(new)["name"]}"'
    if made:
        return say("True", "NewReplicaSetCreated", f"Created new replica set {name[11:]}"), deadline
    wanted = replicas(deployment)
    complete = (
        counts["updatedReplicas"] == wanted
        and counts["replicas"] == wanted
        and counts["availableReplicas"] == wanted
    )
    if complete:
        done = old is not None and old.get("reason") == "NewReplicaSetAvailable"
        words = f"{name} has successfully progressed."
        done = done and old is not None and old.get("message") == words
        return say("True", "NewReplicaSetAvailable", words, fresh=not done), None
    before = status(deployment)
    moved = (
        counts["updatedReplicas"] > (before.get("updatedReplicas") or 0)
        or counts["replicas"] - counts["updatedReplicas"]
        < (before.get("replicas") or 0) - (before.get("updatedReplicas") or 0)
        or counts["readyReplicas"] > (before.get("readyReplicas") or 0)
        or counts["availableReplicas"] > (before.get("availableReplicas") or 0)
    )
    words = f"{name} is progressing."
    if moved or old is None:
        return say("True", "ReplicaSetUpdated", words), deadline
    if old.get("reason") == "NewReplicaSetAvailable" and old.get("message", "").startswith(name):
        return old, None  # a pod that fell is no rollout: Available tells of it
    if old.get("reason") == "ProgressDeadlineExceeded":
        return old, None
    since = parse_time(old.get("lastUpdateTime")) or now
    left = since + deadline - now
    if old.get("reason") == "NewReplicaSetAvailable":
        return say("True", "ReplicaSetUpdated", words), deadline
    if left <= 0:
        over = f"{name} has timed out progressing."
        return say("False", "ProgressDeadlineExceeded", over), None
    return old, left
