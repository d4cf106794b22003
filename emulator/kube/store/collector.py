"""The server's own controllers: namespace deletion and served definitions; garbage's are apart.

They run as listeners of the store, right after the commit that concerns them, so that their
work is deterministic. Their writes carry the client names below in the write log.
"""

from __future__ import annotations

from collections import Counter

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import CRD, NAMESPACE, Kind
from beskar7.api.objects import Object
from emulator.kube.kinds import crd
from emulator.kube.store.garbage import COLLECTOR, Garbage, terminating
from emulator.kube.store.history import Change, Entry
from emulator.kube.store.pipeline import CRD_FINALIZER, Call
from emulator.kube.store.store import Store

__all__ = ["COLLECTOR", "DEFINITIONS", "NAMESPACES", "Collector"]
NAMESPACES = "kube-controller-manager/namespace-controller"
DEFINITIONS = "kube-apiserver/crd-controller"


class Collector:
    """Attach one to a store: ``Collector(store)``. What the store holds already is taken in."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._garbage = Garbage(store)
        self._population: Counter[str] = Counter()
        self.rebuild()
        store.listeners.append(self._on_change)

    def rebuild(self) -> None:
        """Take in what came into the store otherwise than by a write, as from a disk."""
        self._population.clear()
        for resource in list(self._store.registry):
            for entry in self._store.list(resource.kind):
                self._population[entry.namespace] += 1
        self._garbage.rebuild()

    def _on_change(self, change: Change) -> None:
        entry, kind = change.entry, change.kind
        if change.type == "ADDED":
            self._population[entry.namespace] += 1
        elif change.type == "DELETED":
            self._population[entry.namespace] -= 1
        self._garbage.on_change(change)
        if change.type == "DELETED":
            self._finish_namespace(entry.namespace)
            self._finish_definition(kind)
        if kind == NAMESPACE and terminating(entry.obj) and change.type != "DELETED":
            self._empty_namespace(entry.name)
        if kind == CRD:
            self._on_definition(change)

    def _delete(self, kind: Kind, entry: Entry, client: str) -> None:
        call = Call(client=client, internal=client == DEFINITIONS)
        try:
            self._store.delete(kind, entry.namespace, entry.name, uid=entry.uid, call=call)
        except ApiError as error:
            # Gone already, or an admission hook objects: then it stays, as on a real server.
            self._store.runtime.trace("kube", f"{client}: {error.message}")

    def _empty_namespace(self, name: str) -> None:
        for resource in list(self._store.registry):
            if resource.kind.namespaced:
                for entry in self._store.list(resource.kind, name):
                    if not terminating(entry.obj):
                        self._delete(resource.kind, entry, NAMESPACES)
        self._finish_namespace(name)

    def _finish_namespace(self, name: str) -> None:
        if not name or self._population[name]:
            return
        try:
            entry = self._store.get(NAMESPACE, None, name)
        except NotFound:
            return
        if terminating(entry.obj) and not entry.obj["metadata"].get("finalizers"):
            self._store.remove_namespace(name, Call(client=NAMESPACES))

    def _on_definition(self, change: Change) -> None:
        obj = change.entry.obj
        served = crd.resource(obj)
        if change.type == "DELETED":
            self._store.registry.unregister(served.kind.group, served.kind.plural)
            return
        if change.previous is None or change.previous.obj["spec"] != obj["spec"]:
            self._store.registry.register(served)
        if terminating(obj):
            for entry in self._store.list(served.kind):
                if not terminating(entry.obj):
                    self._delete(served.kind, entry, DEFINITIONS)
            self._finish_definition(served.kind)

    def _finish_definition(self, kind: Kind) -> None:
        """The last instance of a deleted definition went: let the definition go."""
        name = kind.qualified
        try:
            entry = self._store.get(CRD, None, name)
        except NotFound:
            return
        if not _waits_for_instances(entry.obj) or self._store.list(kind):
            return
        kept = [f for f in entry.obj["metadata"].get("finalizers", ()) if f != CRD_FINALIZER]
        patch = {"metadata": {"finalizers": kept or None}}
        self._store.patch(CRD, None, name, patch, call=Call(client=DEFINITIONS))


def _waits_for_instances(obj: Object) -> bool:
    return terminating(obj) and CRD_FINALIZER in obj["metadata"].get("finalizers", ())
