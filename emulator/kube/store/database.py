"""The state under the store: objects, the one version counter, and the atomic commit."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from beskar7.api.errors import NotFound
from beskar7.api.kinds import CRD, NAMESPACE, Kind
from beskar7.api.objects import Object
from beskar7.runtime import Runtime
from emulator.kube.kinds.registry import Registry, Resource
from emulator.kube.store import failures
from emulator.kube.store.history import HISTORY, SLOW_WATCHER, Change, Entry, History, Watcher
from emulator.kube.store.pipeline import Call
from emulator.kube.store.selectors import Predicate
from emulator.kube.store.writelog import CAPACITY, WriteLog

Key = tuple[str, str]


class Database:
    """Objects by kind, namespace and name, with a history to watch and a log of all writes.

    A commit, its record in the write log and its delivery to the watchers happen in one step
    that never yields, so a list and a watch from its version see every change exactly once.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        history: int = HISTORY,
        log_capacity: int = CAPACITY,
        slow_watcher: int = SLOW_WATCHER,
    ) -> None:
        self.runtime = runtime
        self.registry = Registry()
        self.log = WriteLog(log_capacity)
        self.listeners: list[Callable[[Change], object]] = []
        """Called after each commit, in order, outside of it; they may write."""
        self.settled: list[Callable[[], object]] = []
        """Called when a call and all its consequences are committed, before it is answered."""
        # Microseconds of wall time: a restart cannot fall behind what was handed out before it.
        self._version = int(runtime.wall() * 1_000_000)
        self.history = History(self._version, history)
        self._objects: dict[Kind, dict[Key, Entry]] = {}
        self._order: dict[Kind, list[Key]] = {}
        # Both are made by a list and dropped by the kind's next commit.
        self._listed: dict[Kind, list[Entry]] = {}
        """Each kind's entries in their order."""
        self._encoded: dict[Kind, dict[str, bytes]] = {}
        """What :meth:`encoded` answers, by namespace."""
        self._slow_watcher = slow_watcher
        self._pending: deque[Change] = deque()
        self._draining = False

    @property
    def resource_version(self) -> int:
        """The version of the newest commit of any kind; a list carries it."""
        return self._version

    def get(self, kind: Kind, namespace: str | None, name: str) -> Entry:
        self.resource(kind)
        entry = self._find(kind, namespace, name)
        if entry is None:
            raise failures.not_found(kind, name)
        return entry

    def exists(self, kind: Kind, namespace: str | None, name: str) -> bool:
        return self._find(kind, namespace, name) is not None

    def list(
        self, kind: Kind, namespace: str | None = None, predicate: Predicate | None = None
    ) -> list[Entry]:
        """Ordered by namespace and name; the list's version is :attr:`resource_version`."""
        self.resource(kind)
        keys = self._order.get(kind, [])
        found = self._listed.get(kind)
        if found is None:
            objects = self._objects.get(kind, {})
            found = self._listed[kind] = [objects[key] for key in keys]
        low, high = 0, len(keys)
        if namespace:
            low = bisect.bisect_left(keys, (namespace, ""))
            high = bisect.bisect_left(keys, (namespace + "\0", ""))
        entries = found[low:high]  # the caller's own
        return entries if predicate is None else [e for e in entries if predicate(e.obj)]

    def encoded(self, kind: Kind, namespace: str | None = None) -> bytes:
        """The objects of :meth:`list` as JSON, with commas between them."""
        joined = self._encoded.setdefault(kind, {})
        found = joined.get(namespace or "")
        if found is None:
            found = b",".join([entry.raw for entry in self.list(kind, namespace)])
            joined[namespace or ""] = found
        return found

    def watch(
        self,
        kind: Kind,
        namespace: str | None = None,
        *,
        version: int | None,
        predicate: Predicate | None = None,
        wake: Callable[[], object],
    ) -> Watcher:
        """Follow the kind from after ``version``; None (or 0) begins with all that exists now.

        Raises ``Expired`` when the history no longer reaches back that far, ``Timeout`` when the
        version has not come yet. :meth:`unwatch` ends it.
        """
        self.resource(kind)
        if version is not None and version > self._version:
            raise failures.too_new(version, self._version)
        watcher = Watcher(kind, namespace or "", predicate, wake, self._slow_watcher)
        if version:
            watcher.prime(self.history.since(kind, version))
        else:
            now = self.runtime.now()
            # In the order of their versions, so that whoever is cut off can resume from the last.
            entries = sorted(self.list(kind, namespace), key=lambda entry: entry.version)
            watcher.prime(Change(kind, "ADDED", entry, None, now) for entry in entries)
        self.history.add(watcher)
        return watcher

    def unwatch(self, watcher: Watcher) -> None:
        self.history.remove(watcher)

    def forget_history(self) -> None:
        """As a server does that starts anew: no watch can go on from a version of before.

        The version rises to the wall clock's microseconds, and in any case.
        """
        self._version = max(self._version + 1, int(self.runtime.wall() * 1_000_000))
        self.history.compact(self._version)
        self._drain()

    def everything(self) -> Iterator[tuple[Kind, Entry]]:
        """All objects, definitions before what they define."""
        kinds = sorted(self._objects, key=lambda kind: kind != CRD)
        return ((kind, entry) for kind in kinds for entry in self._objects[kind].values())

    def load(self, found: Iterable[tuple[Kind, Entry]], version: int) -> None:
        """Take over what an earlier process left, as if it had just been added.

        ``version`` is the highest that it handed out. Listeners are told when all is there:
        definitions first, for they make kinds known, and namespaces last, when the controller of
        namespaces can see what is in them.
        """
        for kind, entry in found:
            self._objects.setdefault(kind, {})[(entry.namespace, entry.name)] = entry
        self._order = {kind: sorted(objects) for kind, objects in self._objects.items()}
        self._listed.clear()
        self._encoded.clear()
        self._version = max(self._version, version)
        now = self.runtime.now()
        added = [Change(kind, "ADDED", entry, None, now) for kind, entry in self.everything()]
        self._pending.extend(change for change in added if change.kind != NAMESPACE)
        self._pending.extend(change for change in added if change.kind == NAMESPACE)
        self.forget_history()

    def resource(self, kind: Kind, *, status: bool = False) -> Resource:
        """Raises :class:`NotFound` for a kind, or a status subresource, that is not served."""
        found = self.registry.get(kind)
        if found is None or (status and not found.status):
            raise NotFound("the server could not find the requested resource")
        return found

    def _find(self, kind: Kind, namespace: str | None, name: str) -> Entry | None:
        key = ((namespace or "") if kind.namespaced else "", name)
        return self._objects.get(kind, {}).get(key)

    def _commit(
        self,
        verb: str,
        kind: Kind,
        obj: Object,
        old: Entry | None,
        call: Call,
        *,
        gone: bool = False,
    ) -> Entry:
        """The one place where state changes: commit, log, notify. Nothing in here yields."""
        if call.dry_run:
            # Nothing was written: an update keeps its version, and what was not made has none.
            return Entry(obj, old.version if old else 0)
        version = self._version + 1
        meta = {**obj["metadata"], "resourceVersion": str(version)}
        entry = Entry({**obj, "metadata": meta}, version)
        self._version = version
        key = (entry.namespace, entry.name)
        objects = self._objects.setdefault(kind, {})
        order = self._order.setdefault(kind, [])
        self._listed.pop(kind, None)
        self._encoded.pop(kind, None)
        if gone:
            del objects[key]
            del order[bisect.bisect_left(order, key)]
        else:
            if key not in objects:
                bisect.insort(order, key)
            objects[key] = entry
        self._record(verb, kind, entry, old, call)
        type_ = "DELETED" if gone else "MODIFIED" if old else "ADDED"
        change = Change(kind, type_, entry, old, self.runtime.now())
        self.history.append(change)
        if self.listeners:
            self._pending.append(change)
        return entry

    def _record(self, verb: str, kind: Kind, entry: Entry, old: Entry | None, call: Call) -> None:
        """A write that was taken, even when it changed nothing."""
        if call.dry_run:
            return
        self.log.append(
            time=self.runtime.now(),
            client=call.client,
            verb=verb,
            outcome="ok",
            kind=kind,
            namespace=entry.namespace,
            name=entry.name,
            uid=entry.uid,
            resource_version=str(entry.version),
            object=entry,
            previous=old,
        )

    def _drain(self) -> None:
        """Tell the listeners; what they write is queued behind, not nested."""
        if self._draining:
            return
        self._draining = True
        try:
            while self._pending:
                change = self._pending.popleft()
                for listener in self.listeners:
                    listener(change)
        finally:
            self._draining = False
        for settled in self.settled:
            settled()
