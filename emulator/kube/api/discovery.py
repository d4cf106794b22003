"""Discovery: which groups, versions and resources there are, in the old and the new form."""

from __future__ import annotations

from typing import Any

import orjson

from emulator.kube.kinds.registry import Registry, Resource

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+beskar7-lab",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "emulated",
}


class Discovery:
    """The documents, built once per state of the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._built = -1
        self._cache: dict[str, bytes] = {}

    def document(self, path: str, accept: str) -> tuple[bytes, str] | None:
        """Body and content type of a discovery path; None when there is none such."""
        form = _aggregated(accept) if path in ("/api", "/apis") else ""
        if self._built != self._registry.version:
            self._cache.clear()
            self._built = self._registry.version
        key = path + form
        if key not in self._cache:
            build = self._aggregate if form else self._legacy
            found = build(path, form)
            if found is None:
                return None
            self._cache[key] = orjson.dumps(found)
        kind = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
        return self._cache[key], kind if form else "application/json"

    def _aggregate(self, path: str, form: str) -> dict[str, Any]:
        core = path == "/api"
        return {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{form}",
            "metadata": {},
            "items": [
                {
                    "metadata": {"name": group, "creationTimestamp": None},
                    "versions": [
                        {
                            "version": version,
                            "freshness": "Current",
                            "resources": [_aggregated_resource(each) for each in resources],
                        }
                        for version, resources in versions.items()
                    ],
                }
                for group, versions in self._registry.groups().items()
                if (group == "") is core
            ],
        }

    def _legacy(self, path: str, form: str) -> dict[str, Any] | None:
        if not path.startswith("/api"):
            return None
        groups = self._registry.groups()
        if path == "/api":
            return {"kind": "APIVersions", "versions": list(groups[""])}
        listed = {name: _group(name, list(found)) for name, found in groups.items() if name}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(listed.values())}
        parts = path.strip("/").split("/")
        if parts[0] == "apis" and len(parts) == 2:
            return listed.get(parts[1])
        if parts[0] not in ("api", "apis") or len(parts) < 2:
            return None
        group = "" if parts[0] == "api" else parts[1]
        resources = groups.get(group, {}).get(parts[-1])
        if resources is None or len(parts) != (3 if group else 2):
            return None
        entries = [entry for each in resources for entry in _legacy_resource(each)]
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{parts[-1]}" if group else parts[-1],
            "resources": entries,
        }


def _aggregated(accept: str) -> str:
    """The version of the aggregated form that the client asks for, "" for the old form."""
    for option in accept.split(","):
        parts = {part.strip() for part in option.split(";")}
        if {"g=apidiscovery.k8s.io", "as=APIGroupDiscoveryList"} <= parts:
            for version in ("v2", "v2beta1"):
                if f"v={version}" in parts:
                    return version
    return ""


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": name,
        "versions": listed,
        "preferredVersion": listed[0],
    }


def _aggregated_resource(resource: Resource) -> dict[str, Any]:
    kind = resource.kind
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
        **_names(resource),
    }
    if resource.subresources:
        entry["subresources"] = [
            {
                "subresource": each.name,
                "responseKind": {
                    "group": each.group,
                    "version": each.version,
                    "kind": each.kind,
                },
                "verbs": list(each.verbs),
            }
            for each in resource.subresources
        ]
    return entry


def _legacy_resource(resource: Resource) -> list[dict[str, Any]]:
    kind = resource.kind
    entries: list[dict[str, Any]] = [
        {
            "name": kind.plural,
            "singularName": resource.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": list(resource.verbs),
            **_names(resource),
        }
    ]
    for each in resource.subresources:
        entry: dict[str, Any] = {
            "name": f"{kind.plural}/{each.name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": each.kind,
            "verbs": list(each.verbs),
        }
        if (each.group, each.version) != (kind.group, kind.version):
            entry |= {"group": each.group, "version": each.version}
        entries.append(entry)
    return entries


def _names(resource: Resource) -> dict[str, list[str]]:
    found = {
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    return {key: names for key, names in found.items() if names}
