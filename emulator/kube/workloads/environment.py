"""A container's environment and arguments, as its pod says; pure."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from beskar7.api.objects import Object
from emulator.kube.workloads.objects import meta, spec

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")
MAX_BYTES = 128 * 1024
"""One argument or variable; the system's own bound (MAX_ARG_STRLEN)."""

Lookup = Callable[[str, str], Object | None]
"""``lookup("Secret" or "ConfigMap", name)`` in the pod's namespace."""


class ConfigurationError(Exception):
    """The container cannot be created from its pod; ``args[0]`` says what is missing."""


def expand(text: str, variables: Mapping[str, str]) -> str:
    """``$(NAME)`` by its value; ``$$`` is a dollar; an unknown name stays as it is."""

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return variables.get(match.group(1), match.group())

    return _REFERENCE.sub(value, text)


def field(pod: Object, path: str, *, pod_ip: str, host_ip: str) -> str:
    """A downward API field. Raises ConfigurationError for one that there is not."""
    fixed = {
        "metadata.name": meta(pod)["name"],
        "metadata.namespace": meta(pod).get("namespace", ""),
        "metadata.uid": meta(pod)["uid"],
        "spec.nodeName": spec(pod).get("nodeName", ""),
        "spec.serviceAccountName": spec(pod).get("serviceAccountName", "default"),
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": host_ip,
        "status.hostIPs": host_ip,
    }
    if path in fixed:
        return str(fixed[path])
    match = _SUBSCRIPT.fullmatch(path)
    if match is None:
        raise ConfigurationError(f'unsupported fieldPath: "{path}"')
    return str((meta(pod).get(match.group(1)) or {}).get(match.group(2), ""))


def variables(
    pod: Object, container: Object, lookup: Lookup, *, pod_ip: str, host_ip: str
) -> dict[str, str]:
    """The variables in the order of the pod. Raises ConfigurationError."""
    found: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for kind, name in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            reference = source.get(name)
            if reference:
                data = _data(kind, reference, lookup) or {}
                found |= {prefix + key: text for key, text in data.items()}
    for variable in container.get("env") or ():
        value = _value(pod, container, variable, lookup, found, pod_ip=pod_ip, host_ip=host_ip)
        if value is not None:
            found[variable["name"]] = value
    for name, text in found.items():
        if "\0" in text or "\0" in name or "=" in name or len(text) > MAX_BYTES:
            raise ConfigurationError(f'the variable "{name[:80]}" cannot be given to a process')
    return found


def _value(
    pod: Object,
    container: Object,
    variable: Object,
    lookup: Lookup,
    known: Mapping[str, str],
    *,
    pod_ip: str,
    host_ip: str,
) -> str | None:
    source = variable.get("valueFrom")
    if not source:
        return expand(str(variable.get("value") or ""), known)
    if "fieldRef" in source:
        return field(pod, source["fieldRef"].get("fieldPath", ""), pod_ip=pod_ip, host_ip=host_ip)
    if "resourceFieldRef" in source:
        part, _, resource = source["resourceFieldRef"].get("resource", "").partition(".")
        amounts = (container.get("resources") or {}).get(part) or {}
        return str(amounts.get(resource, "0"))
    for kind, name in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        reference = source.get(name)
        if reference:
            data = _data(kind, reference, lookup)
            if data is not None and reference.get("key") in data:
                return data[reference["key"]]
            if not reference.get("optional"):
                key, called = reference.get("key"), reference.get("name")
                raise ConfigurationError(f"couldn't find key {key} in {kind} {called}")
    return None


def _data(kind: str, reference: Mapping[str, Any], lookup: Lookup) -> dict[str, str] | None:
    name = str(reference.get("name", ""))
    obj = lookup(kind, name)
    if obj is None:
        if reference.get("optional"):
            return None
        raise ConfigurationError(f'{kind.lower()} "{name}" not found')
    data = obj.get("data") or {}
    if kind == "ConfigMap":
        return {key: str(text) for key, text in data.items()}
    return {key: base64.b64decode(text).decode(errors="replace") for key, text in data.items()}


def arguments(container: Object, known: Mapping[str, str]) -> list[str]:
    """The container's args with their references resolved. Raises ConfigurationError."""
    found = [expand(str(each), known) for each in container.get("args") or ()]
    for each in found:
        if "\0" in each or len(each) > MAX_BYTES:
            raise ConfigurationError("an argument cannot be given to a process")
    return found
