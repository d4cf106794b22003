"""The columns of the built-in kinds that are worked out, in the words of kubectl.

Each function takes the object and the wall time in seconds, and gives a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beskar7.api.objects import Object
from emulator.kube.tables.ages import UNKNOWN, age
from emulator.kube.tables.podstatus import pod_ready, pod_restarts, pod_status

NONE = "<none>"
_ROLE_LABEL = "node-role.kubernetes.io/"
_MOST_ENDPOINTS = 3

Compute = Callable[[Object, float], Any]


def _at(obj: Object, path: str, missing: Any = NONE) -> Any:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return missing if value in (None, "", [], {}) else value


def _text(path: str) -> Compute:
    return lambda obj, now: str(_at(obj, path))


def _number(path: str, missing: int = 0) -> Compute:
    return lambda obj, now: _at(obj, path, missing)


def format_labels(labels: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def format_selector(selector: Any) -> str:
    """A ``metav1.LabelSelector`` as kubectl writes and parses it; <none> for one of nothing."""
    if not isinstance(selector, dict):
        return NONE
    parts = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, values = each.get("key", ""), ",".join(sorted(each.get("values") or ()))
        words = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(words.get(each.get("operator", ""), key))
    return ",".join(parts) or NONE


def _data(obj: Object, now: float) -> Any:
    return len(obj.get("data") or {}) + len(obj.get("binaryData") or {})


# Events, of either group: the older names come first.


def _last_seen(obj: Object, now: float) -> Any:
    series = obj.get("series") or {}
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    return age(series.get("lastObservedTime") or last or obj.get("eventTime"), now)


def _first_seen(obj: Object, now: float) -> Any:
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp")
    return age(first or obj.get("eventTime"), now)


def _about(obj: Object) -> Object:
    return obj.get("involvedObject") or obj.get("regarding") or {}


def _involved(obj: Object, now: float) -> Any:
    about = _about(obj)
    return f"{str(about.get('kind', '')).lower()}/{about.get('name', '')}"


def _event_source(obj: Object, now: float) -> Any:
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    reporter = obj.get("reportingComponent") or obj.get("reportingController")
    return ", ".join(
        part for part in (source.get("component") or reporter, source.get("host")) if part
    )


def _event_count(obj: Object, now: float) -> Any:
    count = obj.get("count") or obj.get("deprecatedCount")
    return (obj.get("series") or {}).get("count") or count or 1


def _event_message(obj: Object, now: float) -> Any:
    return str(obj.get("message") or obj.get("note") or "").strip()


# Workloads


def _containers(obj: Object, field: str) -> str:
    spec = _at(obj, "spec.template.spec", {})
    return ",".join(str(each.get(field, "")) for each in spec.get("containers") or ())


def _deployment_ready(obj: Object, now: float) -> Any:
    return f"{_at(obj, 'status.readyReplicas', 0)}/{_at(obj, 'spec.replicas', 0)}"


# Nodes


def _node_status(obj: Object, now: float) -> Any:
    ready = [c for c in _at(obj, "status.conditions", []) if c.get("type") == "Ready"]
    words = ["Ready" if c.get("status") == "True" else "NotReady" for c in ready] or ["Unknown"]
    if _at(obj, "spec.unschedulable", False) is True:
        words.append("SchedulingDisabled")
    return ",".join(words)


def _node_roles(obj: Object, now: float) -> Any:
    labels = obj["metadata"].get("labels") or {}
    roles = {key.removeprefix(_ROLE_LABEL) for key in labels if key.startswith(_ROLE_LABEL)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles - {""})) or NONE


def _node_address(kind: str) -> Compute:
    def read(obj: Object, now: float) -> Any:
        found = [a for a in _at(obj, "status.addresses", []) if a.get("type") == kind]
        return found[0].get("address", NONE) if found else NONE

    return read


def _node_info(field: str) -> Compute:
    return lambda obj, now: str(_at(obj, f"status.nodeInfo.{field}", UNKNOWN))


# Services and endpoints


def _external_ip(obj: Object, now: float) -> Any:
    spec = obj.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return spec.get("externalName") or NONE
    given = list(spec.get("externalIPs") or ())
    if spec.get("type") == "LoadBalancer":
        ingress = _at(obj, "status.loadBalancer.ingress", [])
        given = [each.get("ip") or each.get("hostname", "") for each in ingress] + given
        return ",".join(given) or "<pending>"
    return ",".join(given) or NONE


def _service_ports(obj: Object, now: float) -> Any:
    parts = []
    for port in _at(obj, "spec.ports", []):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        parts.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    return ",".join(parts) or NONE


def _brief(items: list[str]) -> str:
    more = len(items) - _MOST_ENDPOINTS
    shown = ",".join(items[:_MOST_ENDPOINTS])
    return f"{shown} + {more} more..." if more > 0 else shown or NONE


def _endpoints(obj: Object, now: float) -> Any:
    found = []
    for subset in obj.get("subsets") or ():
        for address in subset.get("addresses") or ():
            ports = subset.get("ports") or [{}]
            found += [f"{address['ip']}:{p['port']}" if p else address["ip"] for p in ports]
    return _brief(found)


def _slice_ports(obj: Object, now: float) -> Any:
    return _brief([str(port.get("port", "*")) for port in obj.get("ports") or ()])


def _slice_endpoints(obj: Object, now: float) -> Any:
    each = obj.get("endpoints") or ()
    return _brief([ip for endpoint in each for ip in endpoint.get("addresses") or ()])


# Access


def _role_ref(obj: Object, now: float) -> Any:
    ref = obj.get("roleRef") or {}
    return f"{ref.get('kind', '')}/{ref.get('name', '')}"


def _subjects(kind: str) -> Compute:
    def read(obj: Object, now: float) -> Any:
        found = [each for each in obj.get("subjects") or () if each.get("kind") == kind]
        account = kind == "ServiceAccount"
        return ", ".join(
            f"{each.get('namespace', '')}/{each['name']}" if account else each["name"]
            for each in found
        )

    return read


def _service_selector(obj: Object, now: float) -> Any:
    return format_labels(_at(obj, "spec.selector", {}))


def _selector(path: str) -> Compute:
    return lambda obj, now: format_selector(_at(obj, path, {}))


COMPUTED: dict[str, Compute] = {
    "container-images": lambda obj, now: _containers(obj, "image"),
    "container-names": lambda obj, now: _containers(obj, "name"),
    "data": _data,
    "deployment-available": _number("status.availableReplicas"),
    "deployment-ready": _deployment_ready,
    "deployment-updated": _number("status.updatedReplicas"),
    "endpoints": _endpoints,
    "event-count": _event_count,
    "event-message": _event_message,
    "event-source": _event_source,
    "event-subobject": lambda obj, now: _about(obj).get("fieldPath", ""),
    "first-seen": _first_seen,
    "involved-object": _involved,
    "label-selector": _selector("spec.selector"),
    "last-seen": _last_seen,
    "node-external-ip": _node_address("ExternalIP"),
    "node-internal-ip": _node_address("InternalIP"),
    "node-kernel": _node_info("kernelVersion"),
    "node-os": _node_info("osImage"),
    "node-roles": _node_roles,
    "node-runtime": _node_info("containerRuntimeVersion"),
    "node-status": _node_status,
    "pod-gates": _text("spec.readinessGates"),
    "pod-ip": _text("status.podIP"),
    "pod-node": _text("spec.nodeName"),
    "pod-nominated-node": _text("status.nominatedNodeName"),
    "pod-ready": pod_ready,
    "pod-restarts": pod_restarts,
    "pod-selector": _selector("spec.podSelector"),
    "pod-status": pod_status,
    "replicaset-current": _number("status.replicas"),
    "replicaset-desired": _number("spec.replicas"),
    "replicaset-ready": _number("status.readyReplicas"),
    "role-ref": _role_ref,
    "webhook-count": lambda obj, now: len(obj.get("webhooks") or ()),
    "secret-count": lambda obj, now: len(obj.get("secrets") or ()),
    "service-cluster-ip": _text("spec.clusterIP"),
    "service-external-ip": _external_ip,
    "service-ports": _service_ports,
    "service-selector": _service_selector,
    "slice-endpoints": _slice_endpoints,
    "slice-ports": _slice_ports,
    "subject-accounts": _subjects("ServiceAccount"),
    "subject-groups": _subjects("Group"),
    "subject-users": _subjects("User"),
}
