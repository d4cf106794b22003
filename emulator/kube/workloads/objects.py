"""What the controllers and the kubelet share: kinds, owners, conditions, selectors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beskar7.api.kinds import DEPLOYMENT as DEPLOYMENT
from beskar7.api.kinds import POD as POD
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object

NODE = Kind("", "v1", "Node", "nodes", namespaced=False)
REPLICA_SET = Kind("apps", "v1", "ReplicaSet", "replicasets")

HASH_LABEL = "pod-template-hash"
NODE_NAME = "lab"


def meta(obj: Object) -> Object:
    found: Object = obj["metadata"]
    return found


def spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def status(obj: Object) -> Object:
    return obj.get("status") or {}


def key(obj: Object) -> tuple[str, str]:
    """Namespace and name."""
    return meta(obj).get("namespace", ""), meta(obj)["name"]


def replicas(obj: Object) -> int:
    """The desired replicas; 1 where none are given."""
    wanted = spec(obj).get("replicas")
    return 1 if wanted is None else int(wanted)


def terminating(obj: Object) -> bool:
    return "deletionTimestamp" in meta(obj)


def owner(kind: Kind, obj: Object) -> Object:
    """The controller reference that makes ``obj`` an owner."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "name": meta(obj)["name"],
        "uid": meta(obj)["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Mapping[str, Any] | None:
    """The owner reference of the controller, if there is one."""
    for reference in meta(obj).get("ownerReferences", ()):
        if reference.get("controller"):
            return dict(reference)
    return None


def owned_by(obj: Object, uid: str) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference.get("uid") == uid


def condition(obj: Object, type_: str) -> Object | None:
    for found in status(obj).get("conditions") or ():
        if found.get("type") == type_:
            return dict(found)
    return None


def holds(obj: Object, type_: str) -> bool:
    found = condition(obj, type_)
    return found is not None and found.get("status") == "True"


def with_condition(conditions: Iterable[Object], new: Object, now: str) -> list[Object]:
    """The conditions with ``new`` in its place; its transition time moves with its status only."""
    kept: list[Object] = []
    placed = False
    for old in conditions:
        if old.get("type") != new["type"]:
            kept.append(old)
            continue
        placed = True
        same = old.get("status") == new["status"]
        since = old.get("lastTransitionTime", now) if same else now
        kept.append({**new, "lastTransitionTime": since})
    return kept if placed else [*kept, {**new, "lastTransitionTime": now}]
