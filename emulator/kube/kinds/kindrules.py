"""What the API server adds to built-in kinds, and refuses of them, beyond their schemas."""

from __future__ import annotations

import hashlib
from typing import Any

from beskar7.api.objects import Object
from emulator.kube.kinds.registry import Resource
from emulator.kube.store.failures import Cause, invalid_value, required
from emulator.kube.store.selectors import Requirement

_WORKLOADS = ("apps/Deployment", "apps/ReplicaSet")
_BINDINGS = (
    "rbac.authorization.k8s.io/RoleBinding",
    "rbac.authorization.k8s.io/ClusterRoleBinding",
)
_RBAC = "rbac.authorization.k8s.io"


def _key(resource: Resource) -> str:
    return f"{resource.kind.group}/{resource.kind.kind}"


def fill(resource: Resource, obj: Object) -> None:
    """Defaults that depend on other fields. The object is the caller's own."""
    key = _key(resource)
    if key == "/Pod":
        _fill_pod(obj.get("spec"))
    elif key in _WORKLOADS:
        template = _child(obj.get("spec"), "template")
        _fill_pod(template.get("spec"))
        strategy = _child(obj.get("spec"), "strategy")
        if strategy.get("type") == "RollingUpdate" and "rollingUpdate" not in strategy:
            strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%"}
    elif key == "/Service":
        for port in _items(obj.get("spec"), "ports"):
            port.setdefault("targetPort", port.get("port"))
    elif key in _BINDINGS:
        for subject in _items(obj, "subjects"):
            if subject.get("kind") in ("User", "Group"):
                subject.setdefault("apiGroup", _RBAC)
    elif key == "networking.k8s.io/NetworkPolicy":
        spec = obj.setdefault("spec", {})
        if isinstance(spec, dict) and not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def _fill_pod(spec: Any) -> None:
    for word in ("containers", "initContainers"):
        for container in _items(spec, word):
            image = str(container.get("image") or "")
            tag = image.rpartition("/")[2].partition(":")[2]
            latest = (not tag and "@" not in image) or tag == "latest"
            container.setdefault("imagePullPolicy", "Always" if latest else "IfNotPresent")


def _child(value: Any, key: str) -> Object:
    """The object under the key; an empty one of no consequence where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _items(value: Any, key: str) -> list[Object]:
    found = value.get(key) if isinstance(value, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def on_create(resource: Resource, obj: Object) -> None:
    """What a valid object is given when it is made."""
    key = _key(resource)
    if key == "/Service":
        _give_address(obj)
    elif key == "/Pod":
        obj["spec"].setdefault("serviceAccountName", "default")
        obj["status"] = {"phase": "Pending"}


def _give_address(obj: Object) -> None:
    """An address of 10.96.0.0/12, the usual range of services; the same for the same name."""
    spec, meta = obj["spec"], obj["metadata"]
    if spec["type"] == "ExternalName":
        return
    if not spec.get("clusterIP"):
        name = f"{meta['namespace']}/{meta['name']}"
        digest = hashlib.sha256(name.encode()).digest()
        spec["clusterIP"] = f"10.{96 + digest[0] % 16}.{digest[1]}.{1 + digest[2] % 254}"
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    obj.setdefault("status", {"loadBalancer": {}})


def keep(resource: Resource, new: Object, old: Object) -> None:
    """An update that leaves out what the server has allocated keeps it."""
    spec = new.get("spec")
    if _key(resource) == "/Service" and isinstance(spec, dict):
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if field in old["spec"] and not spec.get(field) and spec.get("type") != "ExternalName":
                spec[field] = old["spec"][field]


def causes(resource: Resource, new: Object, old: Object | None) -> list[Cause]:
    """What is wrong with an object that its schema takes."""
    key = _key(resource)
    found: list[Cause] = []
    if key in _WORKLOADS:
        if "template" not in new["spec"]:
            return [required("spec.template")]
        found += _selector_causes(new, old)
        found += _pod_causes(new["spec"]["template"].get("spec"), "spec.template.spec")
    elif key == "/Pod":
        found += _pod_causes(new.get("spec"), "spec")
    elif key in _BINDINGS:
        found += _subject_causes(new)
        if old is not None and old["roleRef"] != new["roleRef"]:
            found.append(invalid_value("roleRef", "{}", "cannot change roleRef"))
    elif key.startswith(f"{_RBAC}/"):
        found += _rule_causes(new)
    elif key == "/Service":
        found += _service_causes(new.get("spec") or {}, old)
    return found


def _service_causes(spec: Object, old: Object | None) -> list[Cause]:
    now = spec.get("clusterIP")
    if not spec.get("ports") and now != "None" and spec.get("type") != "ExternalName":
        return [required("spec.ports")]
    before = old["spec"].get("clusterIP") if old is not None else None
    if before and now and before != now:
        return [invalid_value("spec.clusterIP", f'"{now}"', "field is immutable")]
    return []


def _selector_causes(new: Object, old: Object | None) -> list[Cause]:
    selector = new["spec"]["selector"]
    labels = _child(new["spec"]["template"].get("metadata"), "labels")
    if not (selector.get("matchLabels") or selector.get("matchExpressions")):
        hint = "empty selector is invalid for deployment"
        return [invalid_value("spec.selector", "{}", hint)]
    wanted = [
        Requirement(key, "In", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    wanted += [
        Requirement(each["key"], each["operator"], frozenset(each.get("values") or ()))
        for each in selector.get("matchExpressions") or ()
    ]
    if not all(requirement.matches(labels) for requirement in wanted):
        hint = "`selector` does not match template `labels`"
        return [invalid_value("spec.template.metadata.labels", str(labels), hint)]
    if old is not None and old["spec"]["selector"] != selector:
        return [invalid_value("spec.selector", str(selector), "field is immutable")]
    return []


def _pod_causes(spec: Any, where: str) -> list[Cause]:
    found: list[Cause] = []
    if not isinstance(spec, dict):
        return [required(where)]
    seen: set[str] = set()
    for word in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(word) or ()):
            at = f"{where}.{word}[{index}]"
            if not container.get("image"):
                found.append(required(f"{at}.image"))
            if container["name"] in seen:
                name = f'"{container["name"]}"'
                found.append(Cause(f"{at}.name", f"Duplicate value: {name}", "FieldValueDuplicate"))
            seen.add(container["name"])
    return found


def _subject_causes(binding: Object) -> list[Cause]:
    return [
        required(f"subjects[{index}].namespace")
        for index, subject in enumerate(binding.get("subjects") or ())
        if subject["kind"] == "ServiceAccount" and not subject.get("namespace")
    ]


def _rule_causes(role: Object) -> list[Cause]:
    found: list[Cause] = []
    for index, rule in enumerate(role.get("rules") or ()):
        at = f"rules[{index}]"
        if rule.get("nonResourceURLs"):
            if role["kind"] == "Role":
                hint = "namespaced rules cannot apply to non-resource URLs"
                found.append(invalid_value(f"{at}.nonResourceURLs", "[]", hint))
            continue
        for field in ("apiGroups", "resources"):
            if not rule.get(field):
                hint = "resource rules must supply at least one " + (
                    "api group" if field == "apiGroups" else "resource"
                )
                found.append(required(f"{at}.{field}", hint))
    return found
