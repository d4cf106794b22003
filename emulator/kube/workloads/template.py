"""Pod templates: their hash, their equality, and the pods made of them."""

from __future__ import annotations

import copy

import orjson

from beskar7.api.objects import Object
from emulator.kube.workloads.objects import HASH_LABEL, REPLICA_SET, meta, owner, spec

_SAFE = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, no look-alikes
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


def template_hash(template: Object, collisions: int = 0) -> str:
    """The value of ``pod-template-hash``: FNV-1a of the template, in an alphabet fit for names."""
    data = orjson.dumps(template, option=orjson.OPT_SORT_KEYS)
    if collisions:
        data += str(collisions).encode()
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(_SAFE[int(digit) % len(_SAFE)] for digit in str(value))


def same_template(one: Object, other: Object) -> bool:
    """Equal but for the hash label."""
    return _plain(one) == _plain(other)


def _plain(template: Object) -> Object:
    head = dict(template.get("metadata") or {})
    head.pop("creationTimestamp", None)
    labels = {k: v for k, v in (head.pop("labels", None) or {}).items() if k != HASH_LABEL}
    if labels:
        head["labels"] = labels
    return {**template, "metadata": {k: v for k, v in head.items() if v}}


def hashed(template: Object, value: str) -> Object:
    """A copy of the template with the hash label."""
    made = copy.deepcopy(template)
    head = made.setdefault("metadata", {})
    head["labels"] = {**(head.get("labels") or {}), HASH_LABEL: value}
    return made


def pod_of(replica_set: Object) -> Object:
    """A pod to create for the ReplicaSet."""
    template = copy.deepcopy(spec(replica_set).get("template") or {})
    head = template.get("metadata") or {}
    name = meta(replica_set)["name"]
    made: Object = {
        "generateName": f"{name}-",
        "namespace": meta(replica_set)["namespace"],
        "ownerReferences": [owner(REPLICA_SET, replica_set)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if head.get(field):
            made[field] = head[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template.get("spec") or {}}
