"""Counts what there is, from each change of a cache: so the gauges are true at every moment.

A census belongs to one term of leadership: others have nothing to count.
"""

from __future__ import annotations

from collections import Counter

from beskar7.api.clusters import Beskar7Cluster
from beskar7.api.conditions import HOST_PROVISIONED
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.api.states import HostState
from beskar7.controller_metrics import ControllerMetrics
from beskar7.kube.port import Object


class Census:
    """One method for each kind, each a cache's ``on_change``: (old, new), either may be None."""

    def __init__(self, metrics: ControllerMetrics) -> None:
        self._metrics = metrics
        self._hosts: Counter[str] = Counter()
        self._available: Counter[str] = Counter()

    def host_changed(self, old: Object | None, new: Object | None) -> None:
        was, now = (None if raw is None else PhysicalHost(raw) for raw in (old, new))
        for host, step in ((was, -1), (now, 1)):
            if host is not None:
                self._count_host(host, step)
        if was is not None and now is not None and was.state != now.state:
            self._provisioned(was, now)

    def machine_changed(self, old: Object | None, new: Object | None) -> None:
        for raw, step in ((old, -1), (new, 1)):
            if raw is not None:
                machine = Beskar7Machine(raw)
                phase = machine.phase or "None"
                self._metrics.machine_states.labels(phase, machine.namespace).inc(step)

    def cluster_changed(self, old: Object | None, new: Object | None) -> None:
        was, now = (None if raw is None else Beskar7Cluster(raw) for raw in (old, new))
        for cluster, step in ((was, -1), (now, 1)):
            if cluster is not None:
                state = "ready" if cluster.status.get("ready") else "not_ready"
                self._metrics.cluster_states.labels(state, cluster.namespace).inc(step)
        if now is None:
            if was is not None:
                self._metrics.failure_domains.remove(was.name, was.namespace)
            return
        domains = now.status.get("failureDomains") or {}
        self._metrics.failure_domains.labels(now.name, now.namespace).set(len(domains))
        if domains != ((was.status.get("failureDomains") or {}) if was is not None else {}):
            self._metrics.failure_domain_discoveries.labels("success", now.namespace).inc()

    def close(self) -> None:
        """This manager counts no longer; who leads next does."""
        for gauge in (
            self._metrics.host_states,
            self._metrics.availability,
            self._metrics.consumers,
            self._metrics.machine_states,
            self._metrics.cluster_states,
            self._metrics.failure_domains,
        ):
            gauge.clear()

    def _count_host(self, host: PhysicalHost, step: int) -> None:
        namespace = host.namespace
        self._metrics.host_states.labels(host.state or "None", namespace).inc(step)
        self._metrics.consumers.labels(namespace).inc(step * (host.consumer is not None))
        self._hosts[namespace] += step
        self._available[namespace] += step * (host.state == HostState.AVAILABLE)
        if self._hosts[namespace]:
            share = self._available[namespace] / self._hosts[namespace]
            self._metrics.availability.labels(namespace).set(share)
        else:
            self._metrics.availability.labels(namespace).set(0)

    def _provisioned(self, was: PhysicalHost, now: PhysicalHost) -> None:
        """A provisioning that ended: well, in Error, or given up by its owner."""
        if was.state != HostState.PROVISIONING:
            return
        outcome = {HostState.PROVISIONED: "success", HostState.ERROR: "error"}.get(
            now.state, "cancelled"
        )
        reason = _why(now) if outcome == "error" else ""
        self._metrics.provisioning.labels(outcome, now.namespace, reason).inc()
        self._metrics.boot_configurations.labels(
            str(was.boot.get("mode") or "PreBakedISO"),
            str(was.boot_wish.get("osFamily") or "unknown"),
            outcome,
            now.namespace,
        ).inc()


def _why(host: PhysicalHost) -> str:
    """The reason of the condition that says what became of the provisioning."""
    for condition in host.status.get("conditions") or ():
        if condition.get("type") == HOST_PROVISIONED:
            return str(condition.get("reason") or "")
    return ""
