"""Typed views of the kinds that the controller works with."""

from __future__ import annotations

from typing import Any

from beskar7.api.kinds import BESKAR7_MACHINE, Kind
from beskar7.api.meta import ObjectKey, View
from beskar7.api.states import HostState

HOST_FINALIZER = "physicalhost.infrastructure.cluster.x-k8s.io"
MACHINE_FINALIZER = "beskar7machine.infrastructure.cluster.x-k8s.io"
PAUSED_ANNOTATION = "cluster.x-k8s.io/paused"
CONSUMER_LABEL = "infrastructure.cluster.x-k8s.io/consumer-uid"
"""On a claimed host, the owner's uid: lets a machine find its host with one selective list."""


def reference(kind: Kind, view: View) -> dict[str, Any]:
    """A ``v1.ObjectReference`` to the object."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "namespace": view.namespace,
        "name": view.name,
        "uid": view.uid,
    }


def is_paused(view: View) -> bool:
    """Paused unless the annotation is missing or says "false"."""
    return view.annotations.get(PAUSED_ANNOTATION, "false").lower() != "false"


class PhysicalHost(View):
    """A host and its BMC."""

    __slots__ = ()

    @property
    def address(self) -> str:
        return str(self._connection.get("address") or "")

    @property
    def secret_name(self) -> str:
        return str(self._connection.get("credentialsSecretRef") or "")

    @property
    def verify_tls(self) -> bool:
        return not self._connection.get("insecureSkipVerify", False)

    @property
    def _connection(self) -> dict[str, Any]:
        return self.spec.get("redfishConnection") or {}

    @property
    def consumer(self) -> dict[str, Any] | None:
        return self.spec.get("consumerRef") or None

    @property
    def consumer_uid(self) -> str:
        return str((self.consumer or {}).get("uid") or "")

    @property
    def consumer_key(self) -> ObjectKey | None:
        consumer = self.consumer
        if consumer is None:
            return None
        return ObjectKey(str(consumer.get("namespace", "")), str(consumer.get("name", "")))

    @property
    def image(self) -> str:
        return str(self.spec.get("bootIsoSource") or "")

    @property
    def state(self) -> HostState:
        """Unknown for a word that is no state."""
        try:
            return HostState(self.status.get("state") or "")
        except ValueError:
            return HostState.UNKNOWN

    @property
    def ready(self) -> bool:
        return bool(self.status.get("ready"))

    @property
    def paused(self) -> bool:
        return is_paused(self)

    @property
    def manufacturer(self) -> str:
        return str((self.status.get("hardwareDetails") or {}).get("manufacturer") or "")

    @property
    def boot_consumer_uid(self) -> str:
        """For whom the controller asked the BMC to boot last; empty before it did."""
        return str((self.status.get("boot") or {}).get("consumerUID") or "")

    def claim(self, machine: Beskar7Machine, at: str) -> None:
        """Make ``machine`` the owner; an update with this object's resourceVersion decides."""
        self.spec["consumerRef"] = reference(BESKAR7_MACHINE, machine)
        self.spec["bootIsoSource"] = machine.image
        self.metadata.setdefault("labels", {})[CONSUMER_LABEL] = machine.uid
        self.annotate(claimed_at=at, claimed_by=str(machine.key))

    def release(self, at: str) -> None:
        """Let go; cleaning the host is the host controller's work."""
        self.spec.pop("consumerRef", None)
        self.spec.pop("bootIsoSource", None)
        self.metadata.get("labels", {}).pop(CONSUMER_LABEL, None)
        self.annotate(released_at=at)


class Beskar7Machine(View):
    """A machine that wants a host."""

    __slots__ = ()

    @property
    def image(self) -> str:
        return str(self.spec.get("imageURL") or "")

    @property
    def provisioning_mode(self) -> str:
        """RemoteConfig without a configURL would be invalid (U33), so it is not the default."""
        default = "RemoteConfig" if self.spec.get("configURL") else "PreBakedISO"
        return str(self.spec.get("provisioningMode") or default)

    @property
    def phase(self) -> str:
        return str(self.status.get("phase") or "")

    @property
    def host_name(self) -> str:
        return str((self.status.get("hostRef") or {}).get("name") or "")

    @property
    def paused(self) -> bool:
        return is_paused(self)

    @property
    def has_owner_machine(self) -> bool:
        return any(
            owner.get("kind") == "Machine" for owner in self.metadata.get("ownerReferences") or []
        )
