"""The series ``beskar7_controller_*``: what the reconcilers do, and the objects that they keep."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PROVISIONING_BUCKETS = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0)
"""Seconds; the documented ones begin at 30, which says nothing of an emulated host."""


class ControllerMetrics:
    """Names and labels as documented (facts section 8); gauges say what is, not what was."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, labels: str) -> Counter:
            return Counter(f"beskar7_controller_{name}", text, labels.split(), registry=registry)

        def gauge(name: str, text: str, labels: str) -> Gauge:
            return Gauge(f"beskar7_controller_{name}", text, labels.split(), registry=registry)

        def histogram(
            name: str,
            text: str,
            labels: str,
            buckets: tuple[float, ...] = Histogram.DEFAULT_BUCKETS,
        ) -> Histogram:
            full = f"beskar7_controller_{name}"
            return Histogram(full, text, labels.split(), registry=registry, buckets=buckets)

        self.reconciliations = counter(
            "reconciliation", "Reconciles that ended", "controller outcome namespace"
        )
        self.reconciliation_duration = histogram(
            "reconciliation_duration_seconds", "Time of a reconcile", "controller outcome namespace"
        )
        self.errors = counter("errors", "Reconciles that failed", "controller error_type namespace")
        self.requeues = counter(
            "requeue", "Reconciles that come again by themselves", "controller reason namespace"
        )
        self.host_states = gauge(
            "physicalhost_states_total", "Hosts that are in a state now", "state namespace"
        )
        self.availability = gauge(
            "physicalhost_availability", "Share of hosts that are Available, 0 to 1", "namespace"
        )
        self.consumers = gauge(
            "physicalhost_consumer_mappings_total", "Hosts that a machine owns now", "namespace"
        )
        self.provisioning = counter(
            "physicalhost_provisioning",
            "Provisionings of hosts that ended",
            "outcome namespace error_type",
        )
        self.power_operations = counter(
            "physicalhost_power_operations",
            "Power actions asked of BMCs",
            "operation outcome namespace",
        )
        self.connections = counter(
            "physicalhost_redfish_connections",
            "BMC operations by whether the BMC could be talked to",
            "outcome namespace error_type",
        )
        self.machine_states = gauge(
            "beskar7machine_states_total", "Machines that are in a phase now", "state namespace"
        )
        self.provisioning_duration = histogram(
            "beskar7machine_provisioning_duration_seconds",
            "From a machine's creation to Provisioned",
            "namespace",
            PROVISIONING_BUCKETS,
        )
        self.boot_configurations = counter(
            "beskar7machine_boot_configurations",
            "Boots that were asked for, by how they ended",
            "mode os_family outcome namespace",
        )
        self.cluster_states = gauge(
            "beskar7cluster_states_total", "Clusters that are ready, or not, now", "state namespace"
        )
        self.failure_domains = gauge(
            "beskar7cluster_failure_domains_total",
            "Failure domains that a cluster has now",
            "cluster namespace",
        )
        self.failure_domain_discoveries = counter(
            "beskar7cluster_failure_domain_discovery",
            "Changes of a cluster's failure domains",
            "outcome namespace",
        )
