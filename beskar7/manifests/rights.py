"""Who the controller is in a cluster, and what it may do (``rbac.yaml``)."""

from __future__ import annotations

from importlib import resources

import yaml

from beskar7.api.objects import Object

NAMESPACE = "beskar7-system"


def rights(namespace: str = NAMESPACE) -> list[Object]:
    """Service account, roles and bindings: the least that the controller needs."""
    text = resources.files("beskar7.manifests").joinpath("rbac.yaml").read_text("utf-8")
    objects: list[Object] = [obj for obj in yaml.safe_load_all(text) if obj]
    for obj in objects:
        for holder in (obj["metadata"], *obj.get("subjects", ())):
            if "namespace" in holder:
                holder["namespace"] = namespace
    return objects
