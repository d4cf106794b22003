"""The controller's objects: identity and rights, Deployment, Services, disruption budget, scraping.

Names, labels, ports, probes and resources are those of the documented installation (facts
section 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from beskar7.api import crds
from beskar7.api.objects import Object
from beskar7.config import CONFIG_MAP_NAME
from beskar7.manifests.rights import NAMESPACE, rights
from beskar7.manifests.webhooks import (
    PORT,
    SERVICE,
    SERVING_CERTIFICATE,
    webhook_configurations,
    webhook_service,
)

NAME = "beskar7-controller-manager"
LABELS = {"control-plane": "controller-manager", "app": NAME}
METRICS_PORT, PROBES_PORT = 8080, 8081
SCRAPE_INTERVAL = 30
"""Seconds; the shortest window of a rule holds four scrapes."""
GRACE = 10
"""Seconds from SIGTERM to SIGKILL; a manager's own shutdown timeout."""
WEBHOOK_SECRET = "beskar7-webhook-server-cert"  # noqa: S105 # a name
WEBHOOK_CERTIFICATES = "/etc/beskar7/webhook"
DEFAULT_ARGS = {
    "metrics-bind-address": f"0.0.0.0:{METRICS_PORT}",
    "health-probe-bind-address": f"0.0.0.0:{PROBES_PORT}",
}
"""In a pod the Service and the kubelet come from outside; elsewhere a manager listens to itself."""


def _meta(name: str, namespace: str) -> Object:
    return {"name": name, "namespace": namespace, "labels": dict(LABELS)}


def deployment(
    image: str,
    replicas: int,
    args: Mapping[str, str],
    *,
    namespace: str = NAMESPACE,
    readiness_period: int = 10,
    webhooks: bool = False,
) -> Object:
    """``args`` are the manager's flags without their dashes; ``readiness_period`` in seconds."""
    ports = {"metrics": METRICS_PORT, "probes": PROBES_PORT}
    container: Object = {
        "name": "manager",
        "image": image,
        "args": [f"--{name}={value}" for name, value in args.items()],
        "env": [
            _field("POD_NAME", "metadata.name"),
            _field("POD_NAMESPACE", "metadata.namespace"),
            _field("POD_IP", "status.podIP"),
        ],
        "readinessProbe": _probe("/readyz", readiness_period),
        "livenessProbe": {**_probe("/healthz", 2 * readiness_period), "timeoutSeconds": 5},
        "resources": {
            "requests": {"cpu": "200m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "1Gi"},
        },
        # What a manager says of a flag that it does not know is then seen in its pod.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod: Object = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if webhooks:
        ports["webhooks"] = PORT
        container["args"] += [
            "--webhook-host=0.0.0.0",
            f"--webhook-port={PORT}",
            f"--webhook-cert-dir={WEBHOOK_CERTIFICATES}",
        ]
        container["volumeMounts"] = [
            {"name": "webhook-certificates", "mountPath": WEBHOOK_CERTIFICATES, "readOnly": True}
        ]
        pod["volumes"] = [
            {"name": "webhook-certificates", "secret": {"secretName": WEBHOOK_SECRET}}
        ]
    container["ports"] = [{"name": name, "containerPort": number} for name, number in ports.items()]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta(NAME, namespace),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": dict(LABELS)},
            "template": {"metadata": {"labels": dict(LABELS)}, "spec": pod},
        },
    }


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _probe(path: str, period: int) -> Object:
    return {"httpGet": {"path": path, "port": "probes"}, "periodSeconds": period}


def _service(name: str, namespace: str, port: int, target: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _meta(name, namespace),
        "spec": {
            "selector": dict(LABELS),
            "ports": [{"name": target, "port": port, "targetPort": target}],
        },
    }


def _disruption_budget(namespace: str) -> Object:
    """One manager may be away: with two or more, a drained node leaves one to lead."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _meta(NAME, namespace),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": dict(LABELS)}},
    }


def service_monitor(namespace: str = NAMESPACE) -> Object:
    """For the Prometheus operator."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": _meta(NAME, namespace),
        "spec": {
            # The alarms know the job by this name; without it, it is the Service's.
            "jobLabel": "app",
            "selector": {"matchLabels": dict(LABELS)},
            "endpoints": [
                {
                    "port": "metrics",
                    "path": "/metrics",
                    "interval": f"{SCRAPE_INTERVAL}s",
                    # Else the namespace of a host becomes exported_namespace, beside the pod's.
                    "honorLabels": True,
                }
            ],
        },
    }


def _certificates(namespace: str) -> list[Object]:
    """By cert-manager: a self-signed issuer, and the webhooks' serving certificate."""
    host = f"{SERVICE}.{namespace}.svc"
    return [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Issuer",
            "metadata": _meta("beskar7-selfsigned-issuer", namespace),
            "spec": {"selfSigned": {}},
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": _meta(SERVING_CERTIFICATE, namespace),
            "spec": {
                "dnsNames": [host, f"{host}.cluster.local"],
                "issuerRef": {"kind": "Issuer", "name": "beskar7-selfsigned-issuer"},
                "secretName": WEBHOOK_SECRET,
            },
        },
    ]


def config_map(namespace: str, data: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _meta(CONFIG_MAP_NAME, namespace),
        "data": dict(data),
    }


def installation(
    image: str,
    *,
    namespace: str = NAMESPACE,
    replicas: int = 2,
    args: Mapping[str, str] | None = None,
    config: Mapping[str, str] | None = None,
    webhooks: bool = True,
    monitored: bool = False,
) -> Iterable[Object]:
    """All objects, in an order in which they can be applied.

    ``webhooks`` need cert-manager for their certificate; without them nothing is admitted or
    refused beyond the schemas.
    """
    namespace_object: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace, "labels": dict(LABELS)},
    }
    yield namespace_object
    yield from crds.load()
    yield from rights(namespace)
    yield config_map(namespace, config or {})
    if webhooks:
        yield from _certificates(namespace)
        yield webhook_service(namespace)
    yield _service(f"{NAME}-metrics-service", namespace, METRICS_PORT, "metrics")
    yield deployment(
        image,
        replicas,
        {**DEFAULT_ARGS, **(args or {})},
        namespace=namespace,
        webhooks=webhooks,
    )
    yield _disruption_budget(namespace)
    if monitored:
        yield service_monitor(namespace)
    if webhooks:
        yield from webhook_configurations(namespace)
