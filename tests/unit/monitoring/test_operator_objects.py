"""The Prometheus operator's objects: their form, and that they find what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from beskar7.manifests.objects import NAME, installation, service_monitor
from beskar7.monitoring.rules import prometheus_rule, rule_groups
from beskar7.monitoring.scraping import prometheus_configuration

pytestmark = pytest.mark.unit


def faults(obj: dict[str, Any]) -> list[str]:
    text = Path(__file__).with_name("operator_schemas.yaml").read_text(encoding="utf-8")
    schema = yaml.safe_load(text)[obj["kind"]]
    return [str(error) for error in jsonschema_rs.validator_for(schema).iter_errors(obj)]


def test_the_rule_object_is_one_that_the_operator_takes() -> None:
    obj = prometheus_rule("elsewhere")
    assert faults(obj) == []
    assert obj["metadata"]["namespace"] == "elsewhere"
    assert obj["spec"] == rule_groups(), "the same rules as in the plain file"


def test_the_monitor_is_one_that_the_operator_takes() -> None:
    assert faults(service_monitor("elsewhere")) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"for": "five minutes"},
        {"labels": {"severity": 1}},
        {"record": "also:a:record"},
        {"expression": "up"},
    ],
)
def test_the_schema_refuses_what_the_operator_would(broken: dict[str, Any]) -> None:
    obj = prometheus_rule()
    obj["spec"]["groups"][1]["rules"][0] |= broken
    assert faults(obj)


def test_the_monitor_finds_the_service_of_the_installation_and_names_the_job() -> None:
    objects = list(installation("image", namespace="here", monitored=True))
    (monitor,) = [obj for obj in objects if obj["kind"] == "ServiceMonitor"]
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (service,) = [
        obj
        for obj in objects
        if obj["kind"] == "Service" and wanted <= obj["metadata"].get("labels", {}).items()
    ]
    assert service["metadata"]["namespace"] == monitor["metadata"]["namespace"] == "here"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    # The alarms ask for this job; without honorLabels a host's namespace would be lost to them.
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == NAME
    assert endpoint["honorLabels"] is True


@pytest.mark.parametrize("how", [{}, {"kubeconfig": "k"}, {"targets": "t.json"}])
def test_a_prometheus_without_the_operator_scrapes_as_one_with_it(how: dict[str, str]) -> None:
    (scrape,) = prometheus_configuration("r.yaml", **how)["scrape_configs"]
    (endpoint,) = service_monitor()["spec"]["endpoints"]
    assert scrape["job_name"] == NAME
    assert scrape["honor_labels"] is endpoint["honorLabels"]
    targets = {each.get("target_label") for each in scrape["relabel_configs"]}
    assert "namespace" in targets


def test_pods_are_found_by_what_the_deployment_gives_them() -> None:
    (scrape,) = prometheus_configuration("r", kubeconfig="k", namespace="n")["scrape_configs"]
    (discovery,) = scrape["kubernetes_sd_configs"]
    assert discovery == {"role": "pod", "namespaces": {"names": ["n"]}, "kubeconfig_file": "k"}
    (deployment,) = [obj for obj in installation("image") if obj["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    known = {
        "__meta_kubernetes_pod_label_app": {template["metadata"]["labels"]["app"]},
        "__meta_kubernetes_pod_container_port_name": {p["name"] for p in container["ports"]},
    }
    kept = [each for each in scrape["relabel_configs"] if each.get("action") == "keep"]
    assert len(kept) == 2
    for each in kept:
        (label,) = each["source_labels"]
        assert each["regex"] in known[label]
