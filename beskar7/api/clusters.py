"""Typed views of what stands around the machines: clusters and templates."""

from __future__ import annotations

from typing import Any

from beskar7.api.kinds import CAPI_GROUP
from beskar7.api.meta import View
from beskar7.api.resources import CLUSTER_LABEL, is_paused

CLUSTER_FINALIZER = "beskar7cluster.infrastructure.cluster.x-k8s.io"
TEMPLATE_FINALIZER = "beskar7machinetemplate.infrastructure.cluster.x-k8s.io"


def cluster_paused(cluster: View | None) -> bool:
    """Whether a Cluster (of Cluster API) asks that nothing of it be reconciled."""
    return cluster is not None and (is_paused(cluster) or bool(cluster.spec.get("paused")))


class Beskar7Cluster(View):
    """The infrastructure of one cluster."""

    __slots__ = ()

    @property
    def paused(self) -> bool:
        return is_paused(self)

    @property
    def endpoint(self) -> dict[str, Any] | None:
        """``spec.controlPlaneEndpoint``, once it names a host."""
        found = self.spec.get("controlPlaneEndpoint") or {}
        return dict(found) if found.get("host") else None

    @property
    def has_owner_cluster(self) -> bool:
        return bool(self._owner_name)

    @property
    def cluster_name(self) -> str:
        """Of the Cluster that it is the infrastructure of; its own name where none is."""
        return self._owner_name or self.labels.get(CLUSTER_LABEL) or self.name

    @property
    def _owner_name(self) -> str:
        for owner in self.metadata.get("ownerReferences") or []:
            group = str(owner.get("apiVersion", "")).partition("/")[0]
            if owner.get("kind") == "Cluster" and group == CAPI_GROUP:
                return str(owner.get("name") or "")
        return ""


class MachineTemplate(View):
    """A Beskar7MachineTemplate: the pattern of machines."""

    __slots__ = ()

    @property
    def paused(self) -> bool:
        return is_paused(self)
