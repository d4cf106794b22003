"""Which lists of the built-in kinds are joined by which keys, as the API reference documents it.

Keyed by the field's name, or by ``parent.field`` where one name means several things. A list that
is not named here is one value: tolerations, taints, args, command, rules, subjects.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class ListRule(NamedTuple):
    """``keys`` identify an item for server-side apply, ``merge_key`` for strategic merge."""

    keys: tuple[str, ...] = ()
    merge_key: str = ""
    strategy: str = "merge"


def _by(key: str, *more: str, strategy: str = "merge") -> ListRule:
    return ListRule((key, *more), key, strategy)


LISTS: dict[str, ListRule] = {
    "conditions": _by("type"),
    "containers": _by("name"),
    "initContainers": _by("name"),
    "ephemeralContainers": _by("name"),
    "env": _by("name"),
    "containers.ports": _by("containerPort", "protocol"),
    "initContainers.ports": _by("containerPort", "protocol"),
    "ephemeralContainers.ports": _by("containerPort", "protocol"),
    "spec.ports": _by("port", "protocol"),
    "claims": ListRule(("name",), "", ""),
    "hostAliases": _by("ip"),
    "hostIPs": ListRule((), "ip"),
    "imagePullSecrets": _by("name"),
    "podIPs": _by("ip"),
    "resourceClaims": _by("name", strategy="merge,retainKeys"),
    "schedulingGates": _by("name"),
    "secrets": _by("name"),
    "status.addresses": ListRule(("type",), "type"),
    "topologySpreadConstraints": _by("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": _by("devicePath"),
    "volumeMounts": _by("mountPath"),
    "volumes": _by("name", strategy="merge,retainKeys"),
    "strategy": ListRule((), "", "retainKeys"),  # an object: a Deployment's
}
FIELDS_OF = {
    "core.v1.Container": "containers",
    "core.v1.EphemeralContainer": "containers",
    "core.v1.NodeStatus": "status",
    "core.v1.ServiceSpec": "spec",
    "meta.v1.ObjectMeta": "metadata",
}
"""Types whose fields :data:`LISTS` and :data:`META` name by the field that holds such a type."""
ATOMIC_MAPS = frozenset(
    {
        "claimRef",
        "configMapKeyRef",
        "fieldRef",
        "involvedObject",
        "labelSelector",
        "namespaceSelector",
        "nodeSelector",
        "objectReference",
        "resourceFieldRef",
        "roleRef",
        "secretKeyRef",
        "selector",
        "targetRef",
    }
)
META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {
            "type": "array",
            "items": {"type": "string"},
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-merge-key": "uid",
            "x-kubernetes-patch-strategy": "merge",
        },
    },
}
