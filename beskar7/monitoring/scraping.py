"""How the managers are scraped by a Prometheus without its operator.

With the same labels as by the ServiceMonitor of :mod:`beskar7.manifests.objects`.
"""

from __future__ import annotations

from typing import Any

from beskar7.manifests.objects import LABELS, NAME, SCRAPE_INTERVAL
from beskar7.manifests.rights import NAMESPACE


def prometheus_configuration(
    rules: str,
    *,
    namespace: str = NAMESPACE,
    kubeconfig: str = "",
    targets: str = "",
    compression: int = 1,
) -> dict[str, Any]:
    """The content of a ``prometheus.yml`` that scrapes the managers and evaluates ``rules``.

    ``rules``, ``kubeconfig`` and ``targets`` are paths. The managers are those in the file
    ``targets`` (file-based discovery), else the pods that the Kubernetes API names: by
    ``kubeconfig``, whose credentials Prometheus reads itself, else as in a cluster.
    ``compression`` as for :func:`beskar7.monitoring.rules.rule_groups`.
    """
    interval = f"{max(1, SCRAPE_INTERVAL // compression)}s"
    found = _from_file(targets, namespace) if targets else _from_api(kubeconfig, namespace)
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "rule_files": [rules],
        "scrape_configs": [{"job_name": NAME, "honor_labels": True, **found}],
    }


def _from_file(targets: str, namespace: str) -> dict[str, Any]:
    return {
        "file_sd_configs": [{"files": [targets]}],
        "relabel_configs": [{"target_label": "namespace", "replacement": namespace}],
    }


def _from_api(kubeconfig: str, namespace: str) -> dict[str, Any]:
    discovery: dict[str, Any] = {"role": "pod", "namespaces": {"names": [namespace]}}
    if kubeconfig:
        discovery["kubeconfig_file"] = kubeconfig
    app = "__meta_kubernetes_pod_label_app"
    port = "__meta_kubernetes_pod_container_port_name"
    return {
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": [
            {"action": "keep", "source_labels": [app], "regex": LABELS["app"]},
            {"action": "keep", "source_labels": [port], "regex": "metrics"},
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
        ],
    }
