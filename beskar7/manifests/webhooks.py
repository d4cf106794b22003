"""The registration of the manager's webhooks with an API server, and the Service in front."""

from __future__ import annotations

from typing import Any

from beskar7.api.admission import RULES, Rules
from beskar7.api.objects import Object

SERVICE = "beskar7-webhook-service"
PORT = 9443
"""Where managers listen; controller-runtime's own default."""
TIMEOUT = 10
"""Seconds that an API server waits; see :data:`beskar7.webhooks.READ_TIMEOUT`."""
SERVING_CERTIFICATE = "beskar7-serving-cert"
"""The cert-manager Certificate whose authority is injected, unless ``ca_bundle`` is given."""
_INJECT = "cert-manager.io/inject-ca-from"
_MANAGERS = {"control-plane": "controller-manager"}


def webhook_configurations(namespace: str, *, ca_bundle: str = "") -> list[Object]:
    """A MutatingWebhookConfiguration and a ValidatingWebhookConfiguration.

    ``ca_bundle`` is base64 of the authority's PEM; without it cert-manager is asked to fill it in.
    """
    mutating = [
        _webhook(rules, rules.mutate_name, rules.mutate_path, ("CREATE", "UPDATE"), namespace)
        | {"reinvocationPolicy": "Never"}
        for rules in RULES
    ]
    validating = [
        _webhook(rules, rules.validate_name, rules.validate_path, rules.operations, namespace)
        for rules in RULES
    ]
    if ca_bundle:
        for webhook in mutating + validating:
            webhook["clientConfig"]["caBundle"] = ca_bundle
    annotations = {} if ca_bundle else {_INJECT: f"{namespace}/{SERVING_CERTIFICATE}"}
    return [
        _configuration("Mutating", mutating, annotations),
        _configuration("Validating", validating, annotations),
    ]


def webhook_service(namespace: str) -> Object:
    """Leads from the API server's port 443 to the managers' :data:`PORT`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": SERVICE, "namespace": namespace},
        "spec": {"selector": _MANAGERS, "ports": [{"port": 443, "targetPort": PORT}]},
    }


def _configuration(word: str, webhooks: list[Object], annotations: dict[str, str]) -> Object:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{word}WebhookConfiguration",
        "metadata": {
            "name": f"beskar7-{word.lower()}-webhook-configuration",
            **({"annotations": annotations} if annotations else {}),
        },
        "webhooks": webhooks,
    }


def _webhook(
    rules: Rules, name: str, path: str, operations: tuple[str, ...], namespace: str
) -> dict[str, Any]:
    """Not for the status subresource, which the controller writes all the time."""
    kind = rules.kind
    return {
        "name": name,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {"service": {"name": SERVICE, "namespace": namespace, "path": path}},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "rules": [
            {
                "apiGroups": [kind.group],
                "apiVersions": [kind.version],
                "operations": list(operations),
                "resources": [kind.plural],
                "scope": "Namespaced",
            }
        ],
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT,
    }
