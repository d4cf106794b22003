"""Every metric that is documented exists, by its name and with its labels (facts section 8)."""

from __future__ import annotations

import pytest
from prometheus_client.metrics import MetricWrapperBase

from beskar7.metrics import Metrics

pytestmark = pytest.mark.unit

DOCUMENTED = {
    "beskar7_host_claim_attempts_total": "namespace outcome conflict_reason",
    "beskar7_host_claim_duration_seconds": "namespace outcome",
    "beskar7_provisioning_queue_length": "namespace",
    "beskar7_provisioning_queue_processing_count": "namespace",
    "beskar7_concurrent_provisioning_operations_total": "namespace operation_type outcome",
    "beskar7_bmc_cooldown_waits_total": "namespace bmc_address",
    "beskar7_host_selection_duration_seconds": "namespace selection_method",
    "beskar7_claim_coordinator_leader_election_total": "namespace event_type",
    "beskar7_claim_coordinator_results_total": "namespace result_type",
    "beskar7_claim_coordinator_processing_duration_seconds": "namespace result_type",
    "beskar7_claim_coordinator_leadership_duration_seconds": "namespace identity",
    # In documents only: nobody ever recorded these.
    "beskar7_host_claim_retries_total": "namespace",
    "beskar7_host_claim_queue_length": "namespace",
    "beskar7_claim_coordinator_queue_length": "namespace",
    "beskar7_bmc_operation_duration_seconds": "operation outcome",
    **{
        f"beskar7_controller_{name}": labels
        for name, labels in {
            "reconciliation_total": "controller outcome namespace",
            "reconciliation_duration_seconds": "controller outcome namespace",
            "errors_total": "controller error_type namespace",
            "requeue_total": "controller reason namespace",
            "physicalhost_states_total": "state namespace",
            "physicalhost_provisioning_total": "outcome namespace error_type",
            "physicalhost_power_operations_total": "operation outcome namespace",
            "physicalhost_redfish_connections_total": "outcome namespace error_type",
            "physicalhost_availability": "namespace",
            "physicalhost_consumer_mappings_total": "namespace",
            "beskar7machine_states_total": "state namespace",
            "beskar7machine_provisioning_duration_seconds": "namespace",
            "beskar7machine_boot_configurations_total": "mode os_family outcome namespace",
            "beskar7cluster_states_total": "state namespace",
            "beskar7cluster_failure_domains_total": "cluster namespace",
            "beskar7cluster_failure_domain_discovery_total": "outcome namespace",
        }.items()
    },
}
HISTOGRAMS = {name for name in DOCUMENTED if name.endswith("_seconds")} - {
    "beskar7_claim_coordinator_leadership_duration_seconds"
}
GAUGES = {
    *(name for name in DOCUMENTED if name.endswith(("_states_total", "_length", "_count"))),
    "beskar7_claim_coordinator_leadership_duration_seconds",
    "beskar7_controller_physicalhost_availability",
    "beskar7_controller_physicalhost_consumer_mappings_total",
    "beskar7_controller_beskar7cluster_failure_domains_total",
}


def defined() -> dict[str, tuple[str, str]]:
    """Type and labels by the name that Prometheus sees."""
    metrics = Metrics()
    found = {}
    for metric in (*vars(metrics).values(), *vars(metrics.controllers).values()):
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            # Without a sample nothing public tells a metric's labels.
            found[name] = (family.type, " ".join(metric._labelnames))
    return found


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_metric_has_its_labels_and_its_type(name: str) -> None:
    kind = "histogram" if name in HISTOGRAMS else "gauge" if name in GAUGES else "counter"
    assert defined()[name] == (kind, DOCUMENTED[name])


def test_every_name_is_ours_and_says_what_it_means() -> None:
    for family in Metrics().registry.collect():
        assert family.name.startswith("beskar7_")
        assert len(family.documentation) > 10
