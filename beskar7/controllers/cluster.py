"""Reconciles Beskar7Clusters: failure domains and the control-plane endpoint."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from beskar7.api import conditions
from beskar7.api.clusters import CLUSTER_FINALIZER, Beskar7Cluster, cluster_paused
from beskar7.api.kinds import BESKAR7_CLUSTER
from beskar7.api.meta import ObjectKey, View
from beskar7.api.objects import copy_json
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.controllers.environment import Environment
from beskar7.kube.controller import Result

log = logging.getLogger(__name__)

API_SERVER_PORT = 6443


class ClusterReconciler:
    """All getters read caches: a reconcile that changes nothing costs no request."""

    def __init__(
        self,
        env: Environment,
        cluster: Callable[[ObjectKey], Beskar7Cluster | None],
        owner: Callable[[Beskar7Cluster], View | None],
        hosts: Callable[[str], Sequence[PhysicalHost]],
        control_plane: Callable[[Beskar7Cluster], Sequence[Beskar7Machine]],
        *,
        require_owner: bool,
    ) -> None:
        """``owner``: the Cluster of Cluster API; ``hosts``: of a namespace; ``control_plane``:
        the machines with the control-plane label that belong to the cluster.
        """
        self._env = env
        self._cluster = cluster
        self._owner = owner
        self._hosts = hosts
        self._control_plane = control_plane
        self._require_owner = require_owner

    def reconcile(self, key: ObjectKey) -> Result:
        cached = self._cluster(key)
        if cached is None:
            return Result()
        cluster = self._env.copy(cached)
        if cluster.paused or cluster_paused(self._owner(cluster)):
            return Result()
        if cluster.deleting:
            # Nothing outside of the API is the cluster's own: its machines release their hosts.
            if cluster.remove_finalizer(CLUSTER_FINALIZER):
                self._env.kube.update(BESKAR7_CLUSTER, cluster.raw)
            return Result()
        if self._require_owner and not cluster.has_owner_cluster:
            log.info("cluster %s waits for its owner Cluster", key)
            return Result()
        endpoint = cluster.endpoint or self._find_endpoint(cluster)
        changed = cluster.add_finalizer(CLUSTER_FINALIZER)
        if endpoint and not cluster.endpoint:
            # In spec, where Cluster API's contract looks for it (U27).
            cluster.spec["controlPlaneEndpoint"] = endpoint
            changed = True
        if changed:
            updated = self._env.kube.update(BESKAR7_CLUSTER, cluster.raw)
            cluster = self._env.copy(Beskar7Cluster(updated))
        before = copy_json(cluster.status)
        self._report(cluster, endpoint)
        if cluster.status != before:
            self._env.kube.update_status(BESKAR7_CLUSTER, cluster.raw)
        return Result()

    def _find_endpoint(self, cluster: Beskar7Cluster) -> dict[str, object] | None:
        """Of the oldest control-plane machine that is ready and has an address."""
        machines = sorted(
            self._control_plane(cluster), key=lambda machine: (machine.created, machine.name)
        )
        for machine in machines:
            host = machine.first_address if machine.status.get("ready") else ""
            if host:
                log.info("cluster %s has its endpoint on machine %s", cluster.key, machine.key)
                text = f"{host}:{API_SERVER_PORT}, of machine {machine.name}"
                self._env.recorder.event(cluster.raw, "Normal", "ControlPlaneEndpointSet", text)
                return {"host": host, "port": API_SERVER_PORT}
        return None

    def _report(self, cluster: Beskar7Cluster, endpoint: dict[str, object] | None) -> None:
        zones = {host.zone for host in self._hosts(cluster.namespace)} - {""}
        cluster.status["failureDomains"] = {zone: {"controlPlane": True} for zone in sorted(zones)}
        cluster.status["ready"] = endpoint is not None
        if endpoint is not None:
            cluster.status["controlPlaneEndpoint"] = endpoint
            self._env.condition(cluster, conditions.CONTROL_PLANE_ENDPOINT_READY, True)
        else:
            cluster.status.pop("controlPlaneEndpoint", None)
            self._env.condition(
                cluster,
                conditions.CONTROL_PLANE_ENDPOINT_READY,
                False,
                "ControlPlaneEndpointNotSet",
                "No control-plane machine is ready and has an address, and none was given",
                "Info",
            )
        conditions.summarize(cluster.status, conditions.CONTROL_PLANE_ENDPOINT_READY)
