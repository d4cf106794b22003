"""Metrics by the names that the guide and its dashboards use (facts section 8).

One registry per manager, so that several can live in one process in virtual time.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from beskar7.controller_metrics import ControllerMetrics

# A series of creation times beside each counter would double the guide's one-line sums.
disable_created_metrics()  # type: ignore[no-untyped-call] # not annotated there

BMC_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds; from one request to the documented operation timeout of five minutes."""


class Metrics:
    """The series of one manager."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.claim_attempts = self._counter(
            "beskar7_host_claim_attempts",
            "Conditional updates tried in order to claim a host",
            "namespace outcome conflict_reason",
        )
        self.claim_duration = self._histogram(
            "beskar7_host_claim_duration_seconds",
            "From a machine's first reconcile to its claim",
            "namespace outcome",
        )
        self.selection_duration = self._histogram(
            "beskar7_host_selection_duration_seconds",
            "Time to rank the candidates",
            "namespace selection_method",
            (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
        )
        self.claim_retries = self._counter(
            "beskar7_host_claim_retries",
            "Claims that have to be tried again, on other hosts or later",
            "namespace",
        )
        self.claims_unled = self._counter(
            "beskar7_host_claim_optimistic",
            "Claims that the reconciling manager served itself, for want of a claim leader",
            "namespace",
        )
        self.claims_waiting = self._gauge(
            "beskar7_host_claim_queue_length",
            "Machines without a host whose claim waits, in either mode",
            "namespace",
        )
        self.claim_elections = self._counter(
            "beskar7_claim_coordinator_leader_election",
            "Terms of claim leadership that this manager began or ended, each once",
            "namespace event_type",
        )
        self.claim_results = self._counter(
            "beskar7_claim_coordinator_results",
            "Claims that the claim coordinator has handled: success, retry, error",
            "namespace result_type",
        )
        self.claim_processing = self._histogram(
            "beskar7_claim_coordinator_processing_duration_seconds",
            "From a claim's assignment in memory to its host taken (success) or not (failed)",
            "namespace result_type",
        )
        self.claim_leadership = self._gauge(
            "beskar7_claim_coordinator_leadership_duration_seconds",
            "Age of this manager's term of claim leadership, 0 without one",
            "namespace identity",
        )
        self.coordinator_queue = self._gauge(
            "beskar7_claim_coordinator_queue_length",
            "HostClaims that wait for the coordinator or are in its hands",
            "namespace",
        )
        self.queue_length = self._gauge(
            "beskar7_provisioning_queue_length",
            "Writing BMC operations of a namespace's hosts that wait",
            "namespace",
        )
        self.queue_capacity = Gauge(
            "beskar7_provisioning_queue_capacity",
            "How many may wait, of all namespaces together; 0 unless this manager leads",
            registry=self.registry,
        )
        self.queue_processing = self._gauge(
            "beskar7_provisioning_queue_processing_count",
            "Writing BMC operations of a namespace's hosts that run",
            "namespace",
        )
        self.concurrency_limit = self._gauge(
            "beskar7_provisioning_concurrency_limit",
            "How many of them may run, once it is in force; none unless this manager leads",
            "identity",
        )
        self.operations = self._counter(
            "beskar7_concurrent_provisioning_operations",
            "BMC operations that ended",
            "namespace operation_type outcome",
        )
        self.operation_duration = self._histogram(
            "beskar7_bmc_operation_duration_seconds",
            "Time that a BMC operation ran, without its wait in the queue",
            "operation outcome",
            BMC_BUCKETS,
        )
        self.request_duration = self._histogram(
            "beskar7_bmc_request_duration_seconds",
            "Time of one Redfish request; generic is also who has not been inspected yet",
            "operation outcome vendor",
            BMC_BUCKETS,
        )
        self.cooldown_waits = self._counter(
            "beskar7_bmc_cooldown_waits",
            "Operations that had to wait for their BMC to rest",
            "namespace bmc_address",
        )
        self.suspects_waiting = self._gauge(
            "beskar7_provisioning_suspects_waiting",
            "Writing BMC operations that wait for a BMC that does not answer",
            "namespace",
        )
        self.circuit_state = self._gauge(
            "beskar7_bmc_circuit_state",
            "A BMC that does not answer: 1 while it is tried, 2 while it is left alone",
            "bmc_address",
        )
        self.circuit_changes = self._counter(
            "beskar7_bmc_circuit_changes",
            "Changes of a BMC's circuit breaker",
            "state",
        )
        self.queue_rejections = self._counter(
            "beskar7_provisioning_queue_rejections",
            "Operations turned away because the queue was full",
            "namespace",
        )
        self.security_findings = self._gauge(
            "beskar7_security_findings",
            "What the last hourly look at credentials and TLS found",
            "namespace",
        )
        self.configuration_valid = Gauge(
            "beskar7_configuration_valid",
            "0 while the ConfigMap is refused and the last good values hold",
            registry=self.registry,
        )
        self.leader = self._gauge("beskar7_leader", "1 while this manager leads", "identity")
        self.lease_transitions = self._gauge(
            "beskar7_lease_transitions",
            "How often the lease has passed on, by the lease as this manager saw it last",
            "lease",
        )
        self.controllers = ControllerMetrics(self.registry)

    def exposition(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, labels: str) -> Counter:
        return Counter(name, text, labels.split(), registry=self.registry)

    def _gauge(self, name: str, text: str, labels: str) -> Gauge:
        return Gauge(name, text, labels.split(), registry=self.registry)

    def _histogram(
        self,
        name: str,
        text: str,
        labels: str,
        buckets: tuple[float, ...] = Histogram.DEFAULT_BUCKETS,
    ) -> Histogram:
        return Histogram(name, text, labels.split(), registry=self.registry, buckets=buckets)
