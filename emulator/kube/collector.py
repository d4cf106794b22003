"""The server's own controllers: namespace deletion, owner references, served definitions.

They run as listeners of the store, right after the commit that concerns them, so that their
work is deterministic. Their writes carry the client names below in the write log.
"""

from __future__ import annotations

from collections import Counter

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import CRD, NAMESPACE, Kind
from beskar7.api.objects import Object
from emulator.kube import crd
from emulator.kube.history import Change, Entry
from emulator.kube.pipeline import CRD_FINALIZER, Call
from emulator.kube.store import Store

COLLECTOR = "kube-controller-manager/generic-garbage-collector"
NAMESPACES = "kube-controller-manager/namespace-controller"
DEFINITIONS = "kube-apiserver/crd-controller"

_Address = tuple[Kind, str, str]


class Collector:
    """Attach one to a store: ``Collector(store)``.

    Deleting with ``orphan`` (see :meth:`orphan`) leaves the dependents; foreground deletion is
    treated as background deletion.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dependents: dict[str, set[_Address]] = {}
        self._alive: set[str] = set()
        self._population: Counter[str] = Counter()
        store.listeners.append(self._on_change)

    def orphan(self, uid: str, call: Call) -> None:
        """Take the owner's reference out of its dependents, so that they outlive it."""
        for address in sorted(self._dependents.get(uid, ()), key=_order):
            self._drop_owner(address, uid, call)

    def _on_change(self, change: Change) -> None:
        entry, kind = change.entry, change.kind
        address = (kind, entry.namespace, entry.name)
        before = _owners(change.previous)
        after = _owners(entry) if change.type != "DELETED" else set()
        for uid in before - after:
            self._dependents.get(uid, set()).discard(address)
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add(address)
        if change.type == "ADDED":
            self._alive.add(entry.uid)
            self._population[entry.namespace] += 1
        elif change.type == "DELETED":
            self._alive.discard(entry.uid)
            self._population[entry.namespace] -= 1
            for dependent in sorted(self._dependents.get(entry.uid, ()), key=_order):
                self._release(dependent, entry.uid)
            self._finish_namespace(entry.namespace)
            self._finish_definition(kind)
        if kind == NAMESPACE and _terminating(entry.obj) and change.type != "DELETED":
            self._empty_namespace(entry.name)
        if kind == CRD:
            self._on_definition(change)

    def _release(self, address: _Address, uid: str) -> None:
        """The owner is gone: delete the dependent, unless another owner lives."""
        kind, namespace, name = address
        try:
            entry = self._store.get(kind, namespace, name)
        except NotFound:
            return
        if _owners(entry) & self._alive:
            self._drop_owner(address, uid, Call(client=COLLECTOR))
        elif not _terminating(entry.obj):
            self._delete(kind, entry, COLLECTOR)

    def _drop_owner(self, address: _Address, uid: str, call: Call) -> None:
        kind, namespace, name = address
        entry = self._store.get(kind, namespace, name)
        kept = [ref for ref in entry.obj["metadata"]["ownerReferences"] if ref["uid"] != uid]
        patch = {"metadata": {"ownerReferences": kept}}
        self._store.patch(kind, namespace, name, patch, call=call)

    def _delete(self, kind: Kind, entry: Entry, client: str) -> None:
        try:
            self._store.delete(
                kind, entry.namespace, entry.name, uid=entry.uid, call=Call(client=client)
            )
        except ApiError as error:
            # Gone already, or an admission hook objects: then it stays, as on a real server.
            self._store.runtime.trace("kube", f"{client}: {error.message}")

    def _empty_namespace(self, name: str) -> None:
        for resource in list(self._store.registry):
            if resource.kind.namespaced:
                for entry in self._store.list(resource.kind, name):
                    if not _terminating(entry.obj):
                        self._delete(resource.kind, entry, NAMESPACES)
        self._finish_namespace(name)

    def _finish_namespace(self, name: str) -> None:
        if not name or self._population[name]:
            return
        try:
            entry = self._store.get(NAMESPACE, None, name)
        except NotFound:
            return
        if _terminating(entry.obj):
            self._store.remove_namespace(name, Call(client=NAMESPACES))

    def _on_definition(self, change: Change) -> None:
        obj = change.entry.obj
        served = crd.resource(obj)
        if change.type == "DELETED":
            self._store.registry.unregister(served.kind.group, served.kind.plural)
            return
        if change.previous is None or change.previous.obj["spec"] != obj["spec"]:
            self._store.registry.register(served)
        if _terminating(obj):
            for entry in self._store.list(served.kind):
                if not _terminating(entry.obj):
                    self._delete(served.kind, entry, DEFINITIONS)
            self._finish_definition(served.kind)

    def _finish_definition(self, kind: Kind) -> None:
        """The last instance of a deleted definition went: let the definition go."""
        name = kind.qualified
        try:
            entry = self._store.get(CRD, None, name)
        except NotFound:
            return
        if not _terminating(entry.obj) or self._store.list(kind):
            return
        kept = [f for f in entry.obj["metadata"].get("finalizers", ()) if f != CRD_FINALIZER]
        patch = {"metadata": {"finalizers": kept or None}}
        self._store.patch(CRD, None, name, patch, call=Call(client=DEFINITIONS))


def _order(address: _Address) -> tuple[str, str, str]:
    kind, namespace, name = address
    return kind.qualified, namespace, name


def _owners(entry: Entry | None) -> set[str]:
    if entry is None:
        return set()
    return {ref["uid"] for ref in entry.obj["metadata"].get("ownerReferences", ())}


def _terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]
