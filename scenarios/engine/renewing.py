"""The world's own objects in a store that may have them from an earlier lab."""

from __future__ import annotations

from typing import Any

from beskar7.api.errors import AlreadyExists
from beskar7.api.kinds import Kind
from beskar7.kube.port import Kube


def put(kube: Kube, kind: Kind, obj: dict[str, Any], *renewed: str) -> None:
    """Create the object; of one that is there already, only the fields ``renewed`` are replaced.

    What people have changed in the others since stays theirs. A field is a path such as
    ``spec.redfishConnection``. Raises an ``ApiError`` for anything but an object that is there.
    """
    try:
        kube.create(kind, obj)
    except AlreadyExists:
        patch: dict[str, Any] = {}
        for path in renewed:
            *parents, leaf = path.split(".")
            source, target = obj, patch
            for parent in parents:
                source, target = source[parent], target.setdefault(parent, {})
            target[leaf] = source[leaf]
        if patch:
            meta = obj["metadata"]
            kube.patch(kind, meta.get("namespace"), meta["name"], patch)
