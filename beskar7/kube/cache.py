"""The objects of one kind as this process knows them.

Three rules keep it right when a watch and our own writes race:

- the stream decides: what a list or a watch says is taken unless the cache holds something newer;
- what was written or read past the stream (:meth:`Cache.observe`) is taken when it is newer than
  the object that the cache holds, and for one that it does not hold only when it is newer than
  everything that the stream has delivered: that may have been its deletion;
- handlers hear every change once, in order, one at a time, and may use the cache.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from beskar7.api.kinds import Kind
from beskar7.api.objects import copy_json
from beskar7.kube.index import Index, IndexFunction
from beskar7.kube.objects import resource_version_of, uid_of, version_number
from beskar7.kube.port import Object
from beskar7.runtime import Runtime

log = logging.getLogger(__name__)

Handler = Callable[[Object | None, Object | None], None]
"""Called with (old, new): old None for an added object, new None for a deleted one."""

_Key = tuple[str, str]


class Cache:
    """Thread-safe. The objects in it are shared: whoever changes one takes :meth:`get`'s copy."""

    def __init__(self, runtime: Runtime, kind: Kind) -> None:
        self.kind = kind
        self._lock = runtime.lock()
        self._synced = runtime.event()
        self._objects: dict[_Key, Object] = {}
        self._indexes: dict[str, Index] = {"namespace": Index(_namespace_of)}
        self._handlers: tuple[Handler, ...] = ()
        # Keys whose state was written or read by us and was not confirmed by the stream yet.
        self._ahead: dict[_Key, int] = {}
        self._stream_version = -1
        self._pending: deque[Callable[[], None]] = deque()
        self._delivering = False

    def get(self, namespace: str, name: str) -> Object | None:
        """A copy of the object that belongs to the caller; None when there is none."""
        obj = self.peek(namespace, name)
        return None if obj is None else copy_json(obj)

    def peek(self, namespace: str, name: str) -> Object | None:
        """The shared object, not to be changed."""
        with self._lock:
            return self._objects.get((namespace, name))

    def list(self, namespace: str | None = None) -> Sequence[Object]:
        """The shared objects, not to be changed; None: of all namespaces."""
        if namespace is not None:
            return self.by_index("namespace", namespace)
        with self._lock:
            return tuple(self._objects.values())

    def by_index(self, name: str, key: str) -> Sequence[Object]:
        """The shared objects for which index ``name`` gives ``key``. KeyError: no such index."""
        with self._lock:
            return tuple(self._objects[found] for found in self._indexes[name].keys(key))

    def __len__(self) -> int:
        return len(self._objects)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """``function(object)`` gives the keys under which :meth:`by_index` finds the object."""
        with self._lock:
            if name in self._indexes:
                raise ValueError(f"the cache of {self.kind} has an index {name!r} already")
            index = self._indexes[name] = Index(function)
            for key, obj in self._objects.items():
                index.put(key, obj)

    def on_change(self, handler: Handler) -> None:
        """Call ``handler(old, new)`` for what is there now and for every change to come."""
        with self._lock:
            self._handlers = (*self._handlers, handler)
            for obj in self._objects.values():
                self._notify((handler,), None, obj)
        self._deliver()

    @property
    def synced(self) -> bool:
        """The first list has arrived, and the handlers have heard of it."""
        return self._synced.is_set()

    @property
    def version(self) -> int:
        """The resourceVersion up to which list and watch have told; -1 while it is not known."""
        return self._stream_version

    def wait_synced(self, timeout: float | None = None) -> bool:
        """False when ``timeout`` seconds came first."""
        return self._synced.wait(timeout)

    def observe(self, obj: Object) -> bool:
        """Show what a write or a read returned, ahead of the watch. True when it was news.

        An object that is held and yet older than the stream is one of which an event was lost.
        """
        version = version_number(resource_version_of(obj))
        key = _key_of(obj)
        with self._lock:
            held = self._objects.get(key)
            known = _version_of(held) if held is not None else None
            if not self._synced.is_set() or version is None:
                return False
            if version <= (
                self._stream_version if held is None else -1 if known is None else known
            ):
                return False
            if version > self._stream_version:
                self._ahead[key] = version
            self._put(key, copy_json(obj))
        self._deliver()
        return True

    def replace(self, items: Iterable[Object], resource_version: str) -> None:
        """Take the result of a list; what it lacks is gone."""
        version = version_number(resource_version)
        with self._lock:
            if version is not None and version < self._stream_version:
                # Of a server that was put back to an older state: our writes are undone, too.
                self._ahead.clear()
            listed = {_key_of(obj): obj for obj in items}
            ahead = {
                key: own
                for key, own in self._ahead.items()
                if version is not None and own > version
            }
            for key in [key for key in self._objects if key not in listed and key not in ahead]:
                self._remove(key, None)
            for key, obj in listed.items():
                if key not in ahead:
                    self._put(key, obj)
            self._ahead = ahead
            # Set, not raised: a server restored from a backup continues at a lower version.
            self._stream_version = -1 if version is None else version
            if not self._synced.is_set():
                self._pending.append(self._synced.set)
        self._deliver()

    def apply(self, type: str, obj: Object) -> None:
        """Take an event of the watch: ADDED, MODIFIED, DELETED or BOOKMARK."""
        version = version_number(resource_version_of(obj))
        with self._lock:
            if version is not None:
                self._stream_version = max(self._stream_version, version)
            if type == "BOOKMARK":
                return
            key = _key_of(obj)
            own = self._ahead.get(key)
            if own is not None and version is not None and version < own:
                return
            self._ahead.pop(key, None)
            if type == "DELETED":
                self._remove(key, obj)
            else:
                self._put(key, obj)
        self._deliver()

    def _put(self, key: _Key, new: Object) -> None:
        old = self._objects.get(key)
        if old is not None and resource_version_of(old) == resource_version_of(new) != "":
            return
        self._objects[key] = new
        for index in self._indexes.values():
            index.put(key, new)
        if old is not None and uid_of(old) != uid_of(new):
            # Deleted and created again while nobody looked: two objects, two changes.
            self._notify(self._handlers, old, None)
            old = None
        self._notify(self._handlers, old, new)

    def _remove(self, key: _Key, last: Object | None) -> None:
        held = self._objects.pop(key, None)
        if held is None:
            return
        for index in self._indexes.values():
            index.remove(key)
        self._notify(self._handlers, last or held, None)

    def _notify(self, handlers: Iterable[Handler], old: Object | None, new: Object | None) -> None:
        self._pending.extend(partial(handler, old, new) for handler in handlers)

    def _deliver(self) -> None:
        """Call the handlers, without the lock, unless another task is doing so: it goes on."""
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        while True:
            with self._lock:
                if not self._pending:
                    self._delivering = False
                    return
                call = self._pending.popleft()
            try:
                call()
            except Exception:
                log.exception("a handler of the cache of %s failed", self.kind)
            except BaseException:
                self._delivering = False
                raise


def _key_of(obj: Object) -> _Key:
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def _namespace_of(obj: Object) -> Iterable[str]:
    return (obj["metadata"].get("namespace") or "",)


def _version_of(obj: Object) -> int | None:
    return version_number(resource_version_of(obj))
