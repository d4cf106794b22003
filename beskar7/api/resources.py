"""Typed views of the kinds that the controller works with."""

from __future__ import annotations

from typing import Any

from beskar7.api.kinds import BESKAR7_MACHINE, BESKAR7_MACHINE_TEMPLATE, Kind
from beskar7.api.meta import ObjectKey, View, parse_rfc3339
from beskar7.api.states import HostState

HOST_FINALIZER = "physicalhost.infrastructure.cluster.x-k8s.io"
MACHINE_FINALIZER = "beskar7machine.infrastructure.cluster.x-k8s.io"
CLONED_FROM_NAME = "cluster.x-k8s.io/cloned-from-name"
CLONED_FROM_GROUP_KIND = "cluster.x-k8s.io/cloned-from-groupkind"
"""By these annotations Cluster API marks what it made from a template."""
PAUSED_ANNOTATION = "cluster.x-k8s.io/paused"
BOOT_MECHANISM_ANNOTATION = "beskar7.infrastructure.cluster.x-k8s.io/boot-parameter-mechanism"
KERNEL_ARG_ATTRIBUTE_ANNOTATION = (
    "beskar7.infrastructure.cluster.x-k8s.io/bios-kernel-arg-attribute"
)
"""On a host: how kernel parameters reach what it boots, where the vendor's way does not fit."""
RETRY_ANNOTATION = "beskar7.infrastructure.cluster.x-k8s.io/retry"
"""On a host in Error, with any value: ask its BMC now, not only when the backoff is over. The host
controller takes it away once the BMC was asked, or when there is nothing to try."""
PROVIDER_ID_SCHEME = "b7://"
NETWORK_MODES = ("PXE", "iPXE")
"""Provisioning modes in which the network has the image, and no media goes in."""
CLUSTER_LABEL = "cluster.x-k8s.io/cluster-name"
CONTROL_PLANE_LABEL = "cluster.x-k8s.io/control-plane"
ZONE_LABEL = "topology.kubernetes.io/zone"
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
    def provider_id(self) -> str:
        """What its machine, and the Node that runs on it, are known by."""
        return f"{PROVIDER_ID_SCHEME}{self.namespace}/{self.name}"

    @property
    def boot_wish(self) -> dict[str, Any]:
        """``spec.boot``: how the owner wants its image booted; empty: as a plain ISO."""
        return self.spec.get("boot") or {}

    @property
    def zone(self) -> str:
        """The failure domain that it stands in; empty when nobody said."""
        return self.labels.get(ZONE_LABEL, "")

    @property
    def boot(self) -> dict[str, Any]:
        """``status.boot``: the boot that the controller took up last."""
        return self.status.get("boot") or {}

    @property
    def state_since(self) -> float | None:
        """UTC seconds since the epoch; None when the state was never written."""
        text = self.status.get("stateSince")
        return parse_rfc3339(text) if text else None

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
    def retry_asked(self) -> bool:
        return RETRY_ANNOTATION in self.annotations

    @property
    def manufacturer(self) -> str:
        return str((self.status.get("hardwareDetails") or {}).get("manufacturer") or "")

    @property
    def boot_consumer_uid(self) -> str:
        """For whom the controller asked the BMC to boot last; empty before it did."""
        return str(self.boot.get("consumerUID") or "")

    def claim(self, machine: Beskar7Machine, at: str) -> None:
        """Make ``machine`` the owner; an update with this object's resourceVersion decides."""
        self.spec["consumerRef"] = reference(BESKAR7_MACHINE, machine)
        self.spec.pop("bootIsoSource", None)
        if machine.provisioning_mode not in NETWORK_MODES:
            self.spec["bootIsoSource"] = machine.image
        self.spec["boot"] = machine.boot_wish
        self.metadata.setdefault("labels", {})[CONSUMER_LABEL] = machine.uid
        self.annotate(claimed_at=at, claimed_by=str(machine.key))

    def release(self, at: str) -> None:
        """Let go; cleaning the host is the host controller's work."""
        self.spec.pop("consumerRef", None)
        self.spec.pop("bootIsoSource", None)
        self.spec.pop("boot", None)
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
    def boot_wish(self) -> dict[str, Any]:
        """What a host that it claims has to know of the boot, beside the image."""
        wish = {
            "mode": self.provisioning_mode,
            "osFamily": self.spec.get("osFamily"),
            "configURL": self.spec.get("configURL"),
            "bootMode": self.spec.get("bootMode"),
        }
        return {name: value for name, value in wish.items() if value}

    @property
    def provider_id(self) -> str:
        return str(self.spec.get("providerID") or "")

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
    def boot_problem(self) -> tuple[str, str] | None:
        """(failureReason, failureMessage) of a boot that no host could do; None when all is well.

        Admission refuses these, too; but nobody has to run it.
        """
        url = str(self.spec.get("configURL") or "")
        if self.provisioning_mode == "RemoteConfig" and not url:
            return (
                "InvalidConfiguration",
                "spec.configURL: missing, and provisioningMode RemoteConfig needs one",
            )
        if any(character.isspace() or not character.isprintable() for character in url):
            return (
                "InvalidConfiguration",
                f"spec.configURL: {url!r} holds blanks, which would end the kernel parameter; "
                "write them as %20",
            )
        return None

    @property
    def provider_id_problem(self) -> tuple[str, str] | None:
        """As ``boot_problem``, of ``spec.providerID``."""
        if not self.provider_id:
            return None
        namespace, _, host = self.provider_id.removeprefix(PROVIDER_ID_SCHEME).partition("/")
        form = f"{PROVIDER_ID_SCHEME}{self.namespace}/HOST"
        if not self.provider_id.startswith(PROVIDER_ID_SCHEME) or not host or "/" in host:
            return "InvalidProviderID", f"spec.providerID: {self.provider_id!r} is not {form}"
        if namespace != self.namespace:
            return (
                "ProviderIDNamespaceMismatch",
                f"spec.providerID: {self.provider_id!r} is not of this namespace: {form}",
            )
        return None

    @property
    def controls(self) -> bool:
        """Whether it is of its cluster's control plane."""
        return CONTROL_PLANE_LABEL in self.labels

    @property
    def first_address(self) -> str:
        """Where to reach it: an internal IP address if there is one; empty without any."""
        found = self.status.get("addresses") or []
        ranked = sorted(found, key=lambda item: item.get("type") != "InternalIP")
        return str(ranked[0].get("address") or "") if ranked else ""

    @property
    def template(self) -> ObjectKey | None:
        """The Beskar7MachineTemplate that it was made from, by annotation or by owner."""
        kind = BESKAR7_MACHINE_TEMPLATE.kind
        if self.annotations.get(CLONED_FROM_GROUP_KIND, "").partition(".")[0] == kind:
            return ObjectKey(self.namespace, self.annotations.get(CLONED_FROM_NAME, ""))
        for owner in self.metadata.get("ownerReferences") or []:
            if owner.get("kind") == kind:
                return ObjectKey(self.namespace, str(owner.get("name")))
        return None

    @property
    def cluster_name(self) -> str:
        """Of the Cluster (of Cluster API) that it belongs to; empty for none."""
        return self.labels.get(CLUSTER_LABEL, "")

    @property
    def has_owner_machine(self) -> bool:
        return any(
            owner.get("kind") == "Machine" for owner in self.metadata.get("ownerReferences") or []
        )
