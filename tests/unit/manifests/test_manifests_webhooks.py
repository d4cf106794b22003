"""The webhooks' registration fits what the manager serves, and an API server takes it."""

from __future__ import annotations

from typing import Any

import pytest

from beskar7.api.admission import RULES
from beskar7.api.kinds import Kind
from beskar7.manifests.webhooks import SERVICE, TIMEOUT, webhook_configurations, webhook_service
from beskar7.runtime import VirtualRuntime
from beskar7.webhooks import READ_TIMEOUT
from emulator.kube.tables.table import table
from emulator.kube.world import new_store

pytestmark = pytest.mark.unit

GROUP = "admissionregistration.k8s.io"
KINDS = [
    Kind(GROUP, "v1", f"{word}WebhookConfiguration", f"{word.lower()}webhookconfigurations", False)
    for word in ("Mutating", "Validating")
]


def test_each_kind_is_registered_at_the_path_that_is_served() -> None:
    mutating, validating = webhook_configurations("beskar7-system")
    for configuration, paths in (
        (mutating, [rules.mutate_path for rules in RULES]),
        (validating, [rules.validate_path for rules in RULES]),
    ):
        services = [hook["clientConfig"]["service"] for hook in configuration["webhooks"]]
        assert [service["path"] for service in services] == paths
        assert {service["name"] for service in services} == {SERVICE}
    assert validating["webhooks"][0]["clientConfig"]["service"]["path"] == (
        "/validate-infrastructure-cluster-x-k8s-io-v1beta1-physicalhost"
    )


def test_what_is_asked_and_what_happens_when_nobody_answers() -> None:
    mutating, validating = webhook_configurations("beskar7-system")
    for hook in (*mutating["webhooks"], *validating["webhooks"]):
        assert (hook["failurePolicy"], hook["sideEffects"]) == ("Fail", "None")
        assert hook["admissionReviewVersions"] == ["v1"]
        (rule,) = hook["rules"]
        assert "/" not in rule["resources"][0]  # not the status
    asked = {hook["rules"][0]["resources"][0]: hook["rules"][0] for hook in validating["webhooks"]}
    assert asked["physicalhosts"]["operations"] == ["CREATE", "UPDATE", "DELETE"]
    assert asked["beskar7machinetemplates"]["operations"] == ["CREATE", "UPDATE", "DELETE"]
    assert asked["beskar7machines"]["operations"] == ["CREATE", "UPDATE"]


def test_the_slowest_answer_comes_before_the_api_server_gives_up() -> None:
    reads = 4  # of a template's deletion: machines, deployments, sets, the namespace
    assert reads * 2 * READ_TIMEOUT < TIMEOUT


def test_the_authority_is_given_or_asked_for() -> None:
    for configuration in webhook_configurations("here"):
        assert configuration["metadata"]["annotations"] == {
            "cert-manager.io/inject-ca-from": "here/beskar7-serving-cert"
        }
    for configuration in webhook_configurations("here", ca_bundle="Zm9v"):
        assert "annotations" not in configuration["metadata"]
        bundles = {hook["clientConfig"]["caBundle"] for hook in configuration["webhooks"]}
        assert bundles == {"Zm9v"}


def test_the_labs_api_stores_and_shows_them() -> None:
    store = new_store(VirtualRuntime(seed=1))
    configurations = webhook_configurations("beskar7-system")
    for kind, sent in zip(KINDS, configurations, strict=True):
        made: dict[str, Any] = store.create(kind, sent).obj
        assert made["webhooks"] == sent["webhooks"]
        shown = table(store.resource(kind), [made], "1", "None", 0.0)
        assert shown["rows"][0]["cells"][:2] == [sent["metadata"]["name"], len(RULES)]
    service = webhook_service("beskar7-system")
    kind = Kind("", "v1", "Service", "services")
    assert store.create(kind, service).obj["spec"]["ports"][0]["targetPort"] == 9443
