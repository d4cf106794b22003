"""Garbage collection by owner references: background, foreground and orphaning deletion.

An object goes when none of its owners exists any more. Owners are told by their uid: a namesake
made later owns nothing. An owner of a kind that is not served counts as existing.
"""

from __future__ import annotations

from typing import Any

from beskar7.api.errors import ApiError, NotFound
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.store.deletion import FOREGROUND, ORPHAN
from emulator.kube.store.history import Change, Entry
from emulator.kube.store.pipeline import Call
from emulator.kube.store.store import Store

COLLECTOR = "kube-controller-manager/generic-garbage-collector"
_Address = tuple[Kind, str, str]


class Garbage:
    """Who owns whom; :meth:`on_change` is to be told of every commit, in order."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._dependents: dict[str, set[_Address]] = {}
        self._alive: dict[str, _Address] = {}

    def rebuild(self) -> None:
        """Know all that is in the store, then collect what has no owner any more."""
        for address, entry in self._know_all():
            if references(entry.obj):
                self._check_owners(address, entry)

    def _know_all(self) -> list[tuple[_Address, Entry]]:
        self._dependents.clear()
        self._alive.clear()
        found: list[tuple[_Address, Entry]] = []
        for resource in list(self._store.registry):
            for entry in self._store.list(resource.kind):
                address = (resource.kind, entry.namespace, entry.name)
                self._alive[entry.uid] = address
                for uid in owners(entry.obj):
                    self._dependents.setdefault(uid, set()).add(address)
                found.append((address, entry))
        return found

    def on_change(self, change: Change) -> None:
        entry = change.entry
        if change.previous is not None and change.type == "MODIFIED":
            now, was = entry.obj["metadata"], change.previous.obj["metadata"]
            if "deletionTimestamp" not in now and (
                now.get("ownerReferences") == was.get("ownerReferences")
            ):
                return  # as nearly every write
        address = (change.kind, entry.namespace, entry.name)
        gone = change.type == "DELETED"
        before = owners(change.previous.obj) if change.previous else set()
        after = set() if gone else owners(entry.obj)
        self._index(address, before, after)
        if gone:
            self._alive.pop(entry.uid, None)
            for dependent in self._dependents_of(entry.uid):
                self._lost_owner(dependent)
        else:
            self._alive[entry.uid] = address
            if after - before:
                self._check_owners(address, entry)
            if terminating(entry.obj):
                if change.type == "ADDED":
                    self._know_all()  # comes from a disk, perhaps ahead of its dependents
                self._go_on(address, entry)
        for uid in before:
            self._let_go(uid)  # a foreground deletion may have waited for this dependent

    def _index(self, address: _Address, before: set[str], after: set[str]) -> None:
        for uid in before - after:
            left = self._dependents.get(uid, set())
            left.discard(address)
            if not left:
                self._dependents.pop(uid, None)
        for uid in after - before:
            self._dependents.setdefault(uid, set()).add(address)

    def _dependents_of(self, uid: str) -> list[_Address]:
        return sorted(self._dependents.get(uid, ()), key=_order)

    def _go_on(self, address: _Address, entry: Entry) -> None:
        """An owner that waits for its end: see to its dependents, then take its finalizer off."""
        finalizers = entry.obj["metadata"].get("finalizers", ())
        if ORPHAN in finalizers:
            for dependent in self._dependents_of(entry.uid):
                self._drop_owners(dependent, {entry.uid})
            self._drop_finalizer(address, entry.uid, ORPHAN)
        elif FOREGROUND in finalizers:
            for dependent in self._dependents_of(entry.uid):
                self._lost_owner(dependent)
            self._let_go(entry.uid)

    def _let_go(self, uid: str) -> None:
        """End a foreground deletion for which no dependent has to be waited any more."""
        address = self._alive.get(uid)
        entry = self._find(address) if address else None
        if address is None or entry is None or not _waits_for_dependents(entry.obj):
            return
        for dependent in self._dependents_of(uid):
            found = self._find(dependent)
            if found is not None and _blocks(found.obj, uid):
                return
        self._drop_finalizer(address, uid, FOREGROUND)

    def _check_owners(self, address: _Address, entry: Entry) -> None:
        """New owner references: none of them may be to what was never there or is gone."""
        if any(self._absent(ref, address[1]) for ref in references(entry.obj)):
            self._lost_owner(address)
        elif any(self._waiting(uid) for uid in owners(entry.obj)):
            self._lost_owner(address)  # came too late: its owner is being taken down

    def _lost_owner(self, address: _Address) -> None:
        """Delete the dependent, unless an owner remains that is not being taken down itself."""
        entry = self._find(address)
        if entry is None:
            return
        solid, waiting, absent = set(), set(), set()
        for ref in references(entry.obj):
            uid = str(ref["uid"])
            if self._absent(ref, address[1]):
                absent.add(uid)
            elif self._waiting(uid):
                waiting.add(uid)
            else:
                solid.add(uid)
        if not absent and not waiting:
            return
        if solid:
            self._drop_owners(address, absent | waiting)
        elif not terminating(entry.obj):
            policy = "Foreground" if waiting and self._dependents.get(entry.uid) else ""
            self._delete(address, entry, policy)

    def _waiting(self, uid: str) -> bool:
        address = self._alive.get(uid)
        entry = self._find(address) if address else None
        return entry is not None and _waits_for_dependents(entry.obj)

    def _absent(self, ref: dict[str, Any], namespace: str) -> bool:
        if ref["uid"] in self._alive:
            return False
        group, _, version = str(ref.get("apiVersion", "")).rpartition("/")
        for resource in self._store.registry:
            kind = resource.kind
            if (kind.group, kind.version, kind.kind) == (group, version, ref["kind"]):
                found = self._find((kind, namespace, str(ref["name"])))
                return found is None or found.uid != ref["uid"]
        return False

    def _find(self, address: _Address) -> Entry | None:
        try:
            return self._store.get(*address)
        except NotFound:
            return None

    def _delete(self, address: _Address, entry: Entry, policy: str) -> None:
        kind, namespace, name = address
        call = Call(client=COLLECTOR)
        try:
            self._store.delete(kind, namespace, name, uid=entry.uid, propagation=policy, call=call)
        except ApiError as error:
            # Gone already, or an admission hook objects: then it stays, as on a real server.
            self._store.runtime.trace("kube", f"{COLLECTOR}: {error.message}")

    def _drop_owners(self, address: _Address, uids: set[str]) -> None:
        entry = self._find(address)
        if entry is not None:
            kept = [ref for ref in references(entry.obj) if ref["uid"] not in uids]
            self._patch(address, {"ownerReferences": kept or None})

    def _drop_finalizer(self, address: _Address, uid: str, finalizer: str) -> None:
        entry = self._find(address)
        if entry is not None and entry.uid == uid:
            kept = [f for f in entry.obj["metadata"].get("finalizers", ()) if f != finalizer]
            self._patch(address, {"finalizers": kept or None})

    def _patch(self, address: _Address, meta: Object) -> None:
        try:
            self._store.patch(*address, {"metadata": meta}, call=Call(client=COLLECTOR))
        except ApiError as error:
            self._store.runtime.trace("kube", f"{COLLECTOR}: {error.message}")


def _order(address: _Address) -> tuple[str, str, str]:
    kind, namespace, name = address
    return kind.qualified, namespace, name


def references(obj: Object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = obj["metadata"].get("ownerReferences") or []
    return found


def owners(obj: Object) -> set[str]:
    return {ref["uid"] for ref in references(obj)}


def terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def _waits_for_dependents(obj: Object) -> bool:
    return terminating(obj) and FOREGROUND in obj["metadata"].get("finalizers", ())


def _blocks(obj: Object, uid: str) -> bool:
    return any(ref["uid"] == uid and ref.get("blockOwnerDeletion") for ref in references(obj))
