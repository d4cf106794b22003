"""The resource kinds that the controller and the operators' commands read and write."""

from __future__ import annotations

from dataclasses import dataclass

GROUP = "infrastructure.cluster.x-k8s.io"
CAPI_GROUP = "cluster.x-k8s.io"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind and where it lives in the API; ``group`` is empty for the core group."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """``plural.group``, the form in which Status messages name a resource."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of the collection, or of one object when ``name`` is given."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        leaf = f"/{name}" if name else ""
        return f"{root}{scope}/{self.plural}{leaf}"

    def __str__(self) -> str:
        return self.kind


PHYSICAL_HOST = Kind(GROUP, "v1beta1", "PhysicalHost", "physicalhosts")
BESKAR7_MACHINE = Kind(GROUP, "v1beta1", "Beskar7Machine", "beskar7machines")
BESKAR7_CLUSTER = Kind(GROUP, "v1beta1", "Beskar7Cluster", "beskar7clusters")
BESKAR7_MACHINE_TEMPLATE = Kind(
    GROUP, "v1beta1", "Beskar7MachineTemplate", "beskar7machinetemplates"
)
HOST_CLAIM = Kind(GROUP, "v1beta1", "HostClaim", "hostclaims")
CAPI_CLUSTER = Kind(CAPI_GROUP, "v1beta1", "Cluster", "clusters")
MACHINE_DEPLOYMENT = Kind(CAPI_GROUP, "v1beta1", "MachineDeployment", "machinedeployments")
MACHINE_SET = Kind(CAPI_GROUP, "v1beta1", "MachineSet", "machinesets")
NAMESPACE = Kind("", "v1", "Namespace", "namespaces", namespaced=False)
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
EVENT = Kind("", "v1", "Event", "events")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
POD = Kind("", "v1", "Pod", "pods")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
POD_METRICS = Kind("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS = (
    Kind(
        "admissionregistration.k8s.io",
        "v1",
        f"{word}WebhookConfiguration",
        f"{word.lower()}webhookconfigurations",
        namespaced=False,
    )
    for word in ("Mutating", "Validating")
)
CRD = Kind(
    "apiextensions.k8s.io",
    "v1",
    "CustomResourceDefinition",
    "customresourcedefinitions",
    namespaced=False,
)
