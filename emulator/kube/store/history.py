"""What has changed, and who is being told: entries, changes, watchers, the bounded history."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from emulator.kube.store.failures import too_old
from emulator.kube.store.selectors import Predicate

HISTORY = 10_000  # changes kept per kind
SLOW_WATCHER = 20_000  # undelivered events after which a watcher is let go


class Entry:
    """A committed object: never changed again, and encoded once."""

    __slots__ = ("obj", "raw", "version")

    def __init__(self, obj: Object, version: int) -> None:
        self.obj = obj
        self.version = version
        self.raw: bytes = orjson.dumps(obj)

    def copy(self) -> Object:
        """The object as the caller's own."""
        copied: Object = orjson.loads(self.raw)
        return copied

    @property
    def name(self) -> str:
        name: str = self.obj["metadata"]["name"]
        return name

    @property
    def namespace(self) -> str:
        namespace: str = self.obj["metadata"].get("namespace", "")
        return namespace

    @property
    def uid(self) -> str:
        uid: str = self.obj["metadata"]["uid"]
        return uid

    def at(self, version: int) -> Entry:
        """The same state under another resourceVersion."""
        meta = {**self.obj["metadata"], "resourceVersion": str(version)}
        return Entry({**self.obj, "metadata": meta}, version)


class Change:
    """One commit. ``type`` is ADDED, MODIFIED or DELETED as seen without a selector."""

    __slots__ = ("_left", "_lines", "entry", "kind", "previous", "time", "type", "version")

    def __init__(
        self, kind: Kind, type_: str, entry: Entry, previous: Entry | None, time: float
    ) -> None:
        self.kind = kind
        self.type = type_
        self.entry = entry
        self.previous = previous
        self.version = entry.version
        self.time = time  # Runtime.now() of the commit
        self._left: Entry | None = None
        self._lines: dict[str, bytes] = {}

    def seen_as(self, predicate: Predicate | None) -> str | None:
        """The event's type behind a selector; None when it does not concern the watcher."""
        if predicate is None:
            return self.type
        now = self.type != "DELETED" and predicate(self.entry.obj)
        before = self.previous is not None and predicate(self.previous.obj)
        if now:
            return "MODIFIED" if before else "ADDED"
        return "DELETED" if before else None

    def state(self, type_: str) -> Entry:
        """The object that goes with the type: one that left a selector is shown as it was."""
        if type_ != "DELETED" or self.type == "DELETED" or self.previous is None:
            return self.entry
        if self._left is None:
            self._left = self.previous.at(self.version)
        return self._left

    def line(self, type_: str) -> bytes:
        """The event as a line of a watch stream, encoded once for all watchers."""
        line = self._lines.get(type_)
        if line is None:
            line = event_line(type_, self.state(type_).raw)
            self._lines[type_] = line
        return line


class Watcher:
    """A consumer's place in the stream of changes.

    ``wake`` is called after every event, and once when the watcher is closed: an asyncio event's
    ``set`` or a runtime event's. The consumer then takes events with :meth:`take` until None.
    """

    __slots__ = ("_buffer", "_limit", "_namespace", "_predicate", "closed", "kind", "slow", "wake")

    def __init__(
        self,
        kind: Kind,
        namespace: str,
        predicate: Predicate | None,
        wake: Callable[[], object],
        limit: int,
    ) -> None:
        self.kind = kind
        self.wake = wake
        self.closed = False
        self.slow = False
        self._namespace = namespace
        self._predicate = predicate
        self._limit = limit
        self._buffer: deque[tuple[str, Change]] = deque()

    def __len__(self) -> int:
        return len(self._buffer)

    def prime(self, changes: Iterable[Change]) -> None:
        """What the watcher is given at its start does not count against its limit."""
        for change in changes:
            self._add(change)
        self._limit += len(self._buffer)

    def offer(self, change: Change) -> None:
        if len(self._buffer) >= self._limit:
            # What is buffered is still delivered; then the stream ends, and the client
            # resumes from the last version that it has seen.
            self.slow = True
            self.close()
        elif self._add(change):
            self.wake()

    def _add(self, change: Change) -> bool:
        if self._namespace and change.entry.namespace != self._namespace:
            return False
        type_ = change.seen_as(self._predicate)
        if type_ is None:
            return False
        self._buffer.append((type_, change))
        return True

    def take(self) -> tuple[str, Change] | None:
        return self._buffer.popleft() if self._buffer else None

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.wake()


class History:
    """The last changes of each kind, and the watchers that follow them."""

    def __init__(self, start: int, size: int = HISTORY) -> None:
        self._size = size
        self._start = start
        self._changes: dict[Kind, deque[Change]] = {}
        self._oldest: dict[Kind, int] = {}
        self._watchers: dict[Kind, list[Watcher]] = {}

    def append(self, change: Change) -> None:
        """Keep the change and tell the watchers of its kind."""
        ring = self._changes.get(change.kind)
        if ring is None:
            ring = self._changes[change.kind] = deque()
        if len(ring) >= self._size:
            self._oldest[change.kind] = ring.popleft().version
        ring.append(change)
        watchers = self._watchers.get(change.kind)
        if watchers:
            for watcher in tuple(watchers):
                watcher.offer(change)
                if watcher.closed:
                    self.remove(watcher)

    def since(self, kind: Kind, version: int) -> list[Change]:
        """Raises :class:`beskar7.api.errors.Expired` when changes after it are forgotten."""
        oldest = self._oldest.get(kind, self._start)
        if version < oldest:
            raise too_old(version, oldest)
        found = []
        for change in reversed(self._changes.get(kind, ())):
            if change.version <= version:
                break
            found.append(change)
        found.reverse()
        return found

    def newest_first(self, kind: Kind) -> Iterable[Change]:
        """The kept changes of a kind, backwards."""
        return reversed(self._changes.get(kind, deque()))

    def compact(self, version: int) -> None:
        """Forget all changes up to this version, as etcd's compaction does."""
        self._start = max(self._start, version)
        for kind, ring in self._changes.items():
            while ring and ring[0].version <= version:
                ring.popleft()
            self._oldest[kind] = max(self._oldest.get(kind, 0), version)

    def add(self, watcher: Watcher) -> None:
        self._watchers.setdefault(watcher.kind, []).append(watcher)

    def remove(self, watcher: Watcher) -> None:
        watchers = self._watchers.get(watcher.kind, [])
        if watcher in watchers:
            watchers.remove(watcher)

    def close(self) -> None:
        """End every watch, as a server that goes down does."""
        for watchers in self._watchers.values():
            for watcher in tuple(watchers):
                watcher.close()
            watchers.clear()

    @property
    def watching(self) -> int:
        return sum(map(len, self._watchers.values()))


def event_line(type_: str, obj: bytes) -> bytes:
    """A line of a watch stream; ``obj`` is encoded JSON."""
    return b'{"type":"%b","object":%b}\n' % (type_.encode(), obj)


def bookmark(kind: Kind, version: int, *, initial: bool = False) -> dict[str, Any]:
    """An object that only says how far the watch has come."""
    meta: dict[str, Any] = {"resourceVersion": str(version)}
    if initial:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": meta}
