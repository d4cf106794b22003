"""The Deployment's decisions, pure: which ReplicaSet is new, and how far each may scale now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from beskar7.api.objects import Object
from emulator.kube.workloads.objects import meta, replicas, spec, status
from emulator.kube.workloads.template import same_template

REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_OWN_ANNOTATIONS = (
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
)


def age(replica_set: Object) -> tuple[str, str]:
    """The order of creation; names break ties."""
    return str(meta(replica_set).get("creationTimestamp", "")), str(meta(replica_set)["name"])


def revision(obj: Object) -> int:
    text = (meta(obj).get("annotations") or {}).get(REVISION, "0")
    return int(text) if text.isdecimal() else 0


def split(deployment: Object, owned: Sequence[Object]) -> tuple[Object | None, list[Object]]:
    """The ReplicaSet of the present template (the oldest, if several), and all others by age."""
    template = spec(deployment).get("template") or {}
    by_age = sorted(owned, key=age)
    new = next(
        (each for each in by_age if same_template(spec(each).get("template") or {}, template)), None
    )
    return new, [each for each in by_age if each is not new]


def _share(value: object, total: int, *, up: bool) -> int:
    """An absolute number, or a percentage of ``total`` such as "25%"."""
    if isinstance(value, str) and value.endswith("%"):
        exact = total * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return int(value) if isinstance(value, int | str) else 0


def bounds(deployment: Object) -> tuple[int, int]:
    """maxSurge and maxUnavailable in pods, as the Deployment's replicas make them."""
    wanted = replicas(deployment)
    strategy = spec(deployment).get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if not surge and not unavailable:
        unavailable = 1  # or nothing could ever move
    return surge, min(unavailable, wanted)


def notes(deployment: Object, of: Object | None, number: int) -> dict[str, str]:
    """What the new ReplicaSet's annotations should be, at revision ``number``."""
    inherited = {
        name: text
        for name, text in (meta(deployment).get("annotations") or {}).items()
        if name not in _OWN_ANNOTATIONS
    }
    own = dict(meta(of).get("annotations") or {}) if of else {}
    before = own.get(REVISION)
    if before and before != str(number):
        history = [text for text in own.get(HISTORY, "").split(",") if text]
        own[HISTORY] = ",".join([*history, before])
    surge, _ = bounds(deployment)
    sizes = {
        DESIRED: str(replicas(deployment)),
        MAXIMUM: str(replicas(deployment) + surge),
    }
    return {**own, **inherited, **sizes, REVISION: str(number)}


def next_revision(new: Object | None, old: Sequence[Object]) -> int:
    """One more than any older revision; the newest keeps its own."""
    highest = max((revision(each) for each in old), default=0)
    return max(revision(new) if new else 0, highest + 1)


@dataclass(frozen=True, slots=True)
class Scale:
    """A ReplicaSet, by uid, and the replicas that it gets."""

    uid: str
    name: str
    before: int
    after: int


def scales(
    deployment: Object, new: Object | None, old: Sequence[Object], *, old_pods: int
) -> list[Scale]:
    """The next steps of a rollout. ``old_pods`` still run (or end) beside the new ReplicaSet.

    Each call is one step; the steps' effect on the ReplicaSets' status leads to the next call.
    """
    if spec(deployment).get("paused"):
        return _paused(deployment, new, old)
    if new is None:
        return []
    recreate = (spec(deployment).get("strategy") or {}).get("type") == "Recreate"
    if recreate:
        down = [_to(each, 0) for each in old if replicas(each)]
        if down or old_pods:
            return down
        wanted = replicas(deployment)
        return [_to(new, wanted)] if replicas(new) != wanted else []
    target = _new_size(deployment, new, old)
    if target != replicas(new):
        return [_to(new, target)]
    return _shrink(deployment, new, old)


def _to(replica_set: Object, after: int) -> Scale:
    head = meta(replica_set)
    return Scale(head["uid"], head["name"], replicas(replica_set), after)


def _paused(deployment: Object, new: Object | None, old: Sequence[Object]) -> list[Scale]:
    """A paused Deployment still scales: the ReplicaSet that carries it follows its replicas."""
    candidates = [each for each in ([new] if new else []) + list(old) if each and replicas(each)]
    chosen = max(candidates, key=age) if candidates else new
    if chosen is None:
        return []
    others = sum(replicas(each) for each in candidates if each is not chosen)
    wanted = max(0, replicas(deployment) - others)
    return [_to(chosen, wanted)] if replicas(chosen) != wanted else []


def _new_size(deployment: Object, new: Object, old: Sequence[Object]) -> int:
    """As many as the surge lets in beside the old."""
    wanted, present = replicas(deployment), replicas(new)
    if present >= wanted:
        return wanted
    surge, _ = bounds(deployment)
    total = present + sum(replicas(each) for each in old)
    return present + max(0, min(wanted + surge - total, wanted - present))


def _available(replica_set: Object) -> int:
    return int(status(replica_set).get("availableReplicas") or 0)


def _shrink(deployment: Object, new: Object, old: Sequence[Object]) -> list[Scale]:
    """Unhealthy old pods go first, then healthy ones as far as maxUnavailable allows."""
    sizes = {meta(each)["uid"]: replicas(each) for each in old}
    if not any(sizes.values()):
        return []
    _, unavailable = bounds(deployment)
    least = replicas(deployment) - unavailable
    total = sum(sizes.values()) + replicas(new)
    room = total - least - max(0, replicas(new) - _available(new))
    for each in old:
        uid = meta(each)["uid"]
        sick = max(0, min(sizes[uid] - _available(each), room))
        sizes[uid] -= sick
        room -= sick
    healthy = _available(new) + sum(min(_available(each), sizes[meta(each)["uid"]]) for each in old)
    spare = max(0, healthy - least)
    for each in old:
        uid = meta(each)["uid"]
        less = min(sizes[uid], spare, max(0, room))
        sizes[uid] -= less
        spare -= less
        room -= less
    return [_to(each, size) for each in old if replicas(each) != (size := sizes[meta(each)["uid"]])]


def obsolete(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """Empty old ReplicaSets beyond revisionHistoryLimit, the lowest revisions first."""
    limit = spec(deployment).get("revisionHistoryLimit")
    keep = 10 if limit is None else int(limit)
    empty = [
        each
        for each in sorted(old, key=lambda each: (revision(each), age(each)))
        if not replicas(each)
        and not status(each).get("replicas")
        and (status(each).get("observedGeneration") or 0) >= meta(each).get("generation", 1)
        and "deletionTimestamp" not in meta(each)
    ]
    return empty[: max(0, len(old) - keep)]
