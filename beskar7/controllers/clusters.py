"""The controllers of clusters and templates, and which change wakes which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beskar7.api.clusters import Beskar7Cluster, MachineTemplate
from beskar7.api.kinds import (
    BESKAR7_CLUSTER,
    BESKAR7_MACHINE,
    BESKAR7_MACHINE_TEMPLATE,
    CAPI_CLUSTER,
    PHYSICAL_HOST,
    Kind,
)
from beskar7.api.meta import ObjectKey, View
from beskar7.api.resources import Beskar7Machine, PhysicalHost
from beskar7.controllers.cluster import ClusterReconciler
from beskar7.controllers.environment import Environment
from beskar7.controllers.template import TemplateReconciler
from beskar7.kube.controller import Controller, Reconcile
from beskar7.kube.informers import SharedCaches
from beskar7.kube.port import Object


class ClusterControllers:
    """Both controllers of one term. ``owners`` holds the kinds of Cluster API, if installed.

    They wake only for a change that concerns them: of a zone, of a control-plane machine's
    address, of a pause; never for the thousand other writes to hosts and machines.
    """

    def __init__(
        self,
        env: Environment,
        caches: SharedCaches,
        owners: SharedCaches,
        controller: Callable[[Kind, Reconcile], Controller],
        wake_machine: Callable[[ObjectKey], None],
        *,
        require_owner: bool,
    ) -> None:
        self._hosts = caches.cache(PHYSICAL_HOST)
        self._machines = caches.cache(BESKAR7_MACHINE)
        self._clusters = caches.cache(BESKAR7_CLUSTER)
        self._templates = caches.cache(BESKAR7_MACHINE_TEMPLATE)
        self._owners = owners.cache(CAPI_CLUSTER)
        self._wake_machine = wake_machine
        self._machines.add_index("cluster", lambda raw: [_cluster_of(Beskar7Machine(raw))])
        self._machines.add_index("template", lambda raw: [str(Beskar7Machine(raw).template)])
        self._clusters.add_index("cluster", lambda raw: [_cluster_of(Beskar7Cluster(raw))])
        clusters = ClusterReconciler(
            env,
            self._cluster,
            self.owner_of,
            lambda namespace: [PhysicalHost(raw) for raw in self._hosts.list(namespace)],
            self._control_plane,
            require_owner=require_owner,
        )
        self.clusters = controller(BESKAR7_CLUSTER, clusters.reconcile)
        templates = TemplateReconciler(env, self._template, self._clones)
        self.templates = controller(BESKAR7_MACHINE_TEMPLATE, templates.reconcile)
        self.clusters.watch(self._clusters)
        self.templates.watch(self._templates)
        self._hosts.on_change(self._host_changed)
        self._machines.on_change(self._machine_changed)
        self._owners.on_change(self._owner_changed)

    def owner_of(self, view: Beskar7Machine | Beskar7Cluster) -> View | None:
        """The Cluster of Cluster API that a machine or cluster belongs to."""
        raw = self._owners.peek(view.namespace, view.cluster_name)
        return None if raw is None else View(raw)

    # --- views of the caches ------------------------------------------------------------------

    def _cluster(self, key: ObjectKey) -> Beskar7Cluster | None:
        raw = self._clusters.peek(key.namespace, key.name)
        return None if raw is None else Beskar7Cluster(raw)

    def _template(self, key: ObjectKey) -> MachineTemplate | None:
        raw = self._templates.peek(key.namespace, key.name)
        return None if raw is None else MachineTemplate(raw)

    def _control_plane(self, cluster: Beskar7Cluster) -> Sequence[Beskar7Machine]:
        found = map(Beskar7Machine, self._machines.by_index("cluster", _cluster_of(cluster)))
        return [machine for machine in found if machine.controls]

    def _clones(self, template: ObjectKey) -> Sequence[Beskar7Machine]:
        return [Beskar7Machine(raw) for raw in self._machines.by_index("template", str(template))]

    # --- changes ------------------------------------------------------------------------------

    def _host_changed(self, old: Object | None, new: Object | None) -> None:
        was = PhysicalHost(old).zone if old is not None else ""
        now = PhysicalHost(new).zone if new is not None else ""
        if was != now:
            for raw in self._clusters.list(View(new or old or {}).namespace):
                self.clusters.queue.add(View(raw).key)

    def _machine_changed(self, old: Object | None, new: Object | None) -> None:
        was = Beskar7Machine(old) if old is not None else None
        now = Beskar7Machine(new) if new is not None else None
        if _endpoint_facts(was) != _endpoint_facts(now):
            for machine in filter(None, (was, now)):
                for raw in self._clusters.by_index("cluster", _cluster_of(machine)):
                    self.clusters.queue.add(View(raw).key)
        if now is None and was is not None and was.template is not None:
            self.templates.queue.add(was.template)

    def _owner_changed(self, old: Object | None, new: Object | None) -> None:
        name = str(View(new or old or {}).key)
        for raw in self._clusters.by_index("cluster", name):
            self.clusters.queue.add(View(raw).key)
        for raw in self._machines.by_index("cluster", name):
            self._wake_machine(View(raw).key)


def _cluster_of(view: Beskar7Machine | Beskar7Cluster) -> str:
    return str(ObjectKey(view.namespace, view.cluster_name))


def _endpoint_facts(machine: Beskar7Machine | None) -> tuple[object, ...]:
    """What of a machine decides about its cluster's endpoint."""
    if machine is None or not machine.controls:
        return ()
    ready = bool(machine.status.get("ready"))
    return (machine.cluster_name, ready, machine.first_address if ready else "")
