"""The history of an installation from Prometheus, and a rough idea of its fleet.

The metrics are those of docs/metrics.md. Queries go to the HTTP API, version 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests

from beskar7.api.durations import format_duration
from beskar7.redfish.vendors import GENERIC, VENDORS
from scenarios.planner.present import HOUR, History, Present, PresentError

PROVISIONED = "beskar7_controller_beskar7machine_provisioning_duration_seconds"
CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
MAX_ANSWER = 1 << 20
"""Bytes; each query here has a handful of values."""
STEP = "5m"
"""Between the moments that a look over the whole time is made of."""


class PrometheusError(Exception):
    """It did not answer, or not with what was asked for; one line."""


class Prometheus:
    """The HTTP API at ``url``. Raises PrometheusError for what is no such address."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise PrometheusError("--from-prometheus: write a URL such as http://127.0.0.1:9090")
        if parts.username or parts.password:
            # It would stand in reports and in the process table.
            raise PrometheusError("--from-prometheus: no user or password in the URL, please")
        self._url = url.rstrip("/")

    def query(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """The instant vector: labels and value of each element. Raises PrometheusError."""
        try:
            with requests.get(
                f"{self._url}/api/v1/query",
                params={"query": expression},
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                stream=True,
            ) as answer:
                body = answer.raw.read(MAX_ANSWER + 1, decode_content=True)
        except (requests.RequestException, OSError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise PrometheusError(f"{self._url}: {said}") from None
        if len(body) > MAX_ANSWER:
            raise PrometheusError(f"{self._url}: an answer of more than {MAX_ANSWER} bytes")
        try:
            return _vector(orjson.loads(body))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise PrometheusError(
                f"{self._url}: no answer of a Prometheus to {expression!r} ({answer.status_code})"
            ) from None

    def number(self, expression: str) -> float | None:
        """Of a query with one value; None for none, and for one that is not finite."""
        found = self.query(expression)
        return found[0][1] if found and math.isfinite(found[0][1]) else None


def _vector(answer: Any) -> list[tuple[Mapping[str, str], float]]:
    if answer["status"] != "success":
        raise ValueError(answer.get("error", ""))
    return [(each["metric"], float(each["value"][1])) for each in answer["data"]["result"]]


def history(prometheus: Prometheus, seconds: float) -> History:
    """Of the last ``seconds``. Raises PrometheusError.

    A mean lifetime by Little's law: how many hosts had an owner on average, by how many were given
    back in a second.
    """
    span = format_duration(seconds)
    hour = format_duration(min(HOUR, seconds))
    busiest = prometheus.number(
        f"max_over_time(sum(increase({PROVISIONED}_count[{hour}]))[{span}:{STEP}])"
    )
    quartile = prometheus.number(
        f"histogram_quantile(0.25, sum by (le) (increase({PROVISIONED}_bucket[{span}])))"
    )
    owned = prometheus.number(
        "avg_over_time(sum(beskar7_controller_physicalhost_consumer_mappings_total)"
        f"[{span}:{STEP}])"
    )
    returned = prometheus.number(
        "sum(rate(beskar7_concurrent_provisioning_operations_total"
        f'{{operation_type="deprovision",outcome="success"}}[{span}]))'
    )
    lifetime = owned / returned if owned and returned else None
    return History(
        burst=(math.ceil(busiest), min(HOUR, seconds)) if busiest else None,
        quartile=quartile or None,
        lifetime=lifetime,
        source=f"Prometheus, the last {span}",
    )


def present(prometheus: Prometheus, seconds: float) -> Present:
    """The fleet, too, as far as the metrics tell: hosts are counted, their vendors weighed by the
    requests that their BMCs got. Raises PrometheusError, PresentError."""
    states = prometheus.query(
        "sum by (state) (max by (state, namespace) (beskar7_controller_physicalhost_states_total))"
    )
    count = sum(int(value) for labels, value in states if labels.get("state") != "Error")
    if not count:
        raise PresentError("Prometheus knows of no host; is it this installation's?")
    requested = prometheus.query("sum by (vendor) (beskar7_bmc_request_duration_seconds_count)")
    known = {vendor.name for vendor in (*VENDORS, GENERIC)}
    vendors = {
        labels["vendor"]: round(value)
        for labels, value in requested
        if labels.get("vendor") in known and value >= 1
    }
    replicas = prometheus.number("count(beskar7_configuration_valid)")
    limit = prometheus.number("max(beskar7_provisioning_concurrency_limit)")
    capacity = prometheus.number("max(beskar7_provisioning_queue_capacity)")
    config = {}
    if limit:
        config["provisioning.maxConcurrentOps"] = f"{limit:.0f}"
    if capacity:
        config["provisioning.maxQueueSize"] = f"{capacity:.0f}"
    return Present(
        hosts={"count": count, "vendors": dict(sorted(vendors.items())) or {"generic": 1}},
        config=config,
        managers={"replicas": int(replicas or 1)},
        history=history(prometheus, seconds),
        notes=("vendors are weighed by their BMCs' requests, and hosts taken for alike",),
    )
