"""A store that outlives its process: what it commits goes to a journal, and comes back from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson

from beskar7.api.kinds import Kind
from emulator.kube.store.history import Change, Entry
from emulator.kube.store.journal import DELETE, FLOOR, PUT, Fsync, Journal, Operation
from emulator.kube.store.store import Store

log = logging.getLogger(__name__)

SMALLEST = 8 * 1024 * 1024
"""Bytes of a log below which it is never rewritten."""
GROWTH = 3
"""A log is rewritten when it is this many times as large as the state with which it began.

Rewriting stops the server for about 5 ms a megabyte of state.
"""


class Durable:
    """Ties a store to a journal: restores it, and from then on writes what changes.

    The store must be new, with its own controllers attached and nothing else. Versions go on
    above all that was handed out before, and no watch goes on from before: it gets a 410.
    A write that the journal cannot take raises ``OSError`` to whoever asked for it, then and
    ever after: the server must end.
    """

    def __init__(
        self, store: Store, journal: Journal, on_failure: Callable[[], object] = lambda: None
    ) -> None:
        """``on_failure`` is called once when the journal cannot be written any more."""
        self._store = store
        self._journal = journal
        self._on_failure = on_failure
        self._pending: list[Operation] = []
        self._written = 0
        self._keys: dict[Kind, bytes] = {}
        self._failed: OSError | None = None
        self.restored = len(journal.state)
        if journal.torn:
            log.warning("cut off %d bytes of a write that was never acknowledged", journal.torn)
        store.load(_entries(journal), journal.version)
        store.listeners.append(self._on_change)
        store.settled.append(self.flush)
        self._begun = journal.size
        self.rewrite()

    def flush(self) -> None:
        """Hand what is pending to the system (or to the disk, by the journal's policy)."""
        version = self._store.resource_version
        if version == self._written and self._failed is None:
            return
        if self._failed is not None:
            raise OSError(self._failed.errno, self._failed.strerror) from self._failed
        if not self._pending:
            self._pending.append(Operation(FLOOR, version))
        try:
            self._journal.append(self._pending)
            self._pending = []
            self._written = version
            if self._journal.size > max(SMALLEST, GROWTH * self._begun):
                self.rewrite()
        except OSError as error:
            log.critical("the data directory cannot be written: %s", error)
            self._failed = error
            self._on_failure()
            raise

    def rewrite(self) -> None:
        """Begin a new log with the state as it is."""
        self._journal.rewrite(self._operations())
        self._begun = self._journal.size
        self._written = self._store.resource_version

    @property
    def failed(self) -> OSError | None:
        """What kept the last write from being taken."""
        return self._failed

    def close(self) -> None:
        self._journal.close()

    def _operations(self) -> Iterator[Operation]:
        yield Operation(FLOOR, self._store.resource_version)
        for kind, entry in self._store.everything():
            yield Operation(PUT, entry.version, self._key(kind, entry), entry.raw)

    def _on_change(self, change: Change) -> None:
        entry = change.entry
        key = self._key(change.kind, entry)
        if change.type == "DELETED":
            self._pending.append(Operation(DELETE, entry.version, key))
        else:
            self._pending.append(Operation(PUT, entry.version, key, entry.raw))

    def _key(self, kind: Kind, entry: Entry) -> bytes:
        head = self._keys.get(kind)
        if head is None:
            fields = [kind.group, kind.version, kind.kind, kind.plural, kind.namespaced]
            head = self._keys[kind] = orjson.dumps(fields) + b"\n"
        return head + f"{entry.namespace}/{entry.name}".encode()


def _entries(journal: Journal) -> Iterator[tuple[Kind, Entry]]:
    kinds: dict[bytes, Kind] = {}
    for key, (version, raw) in journal.state.items():
        head, _, _ = key.partition(b"\n")
        kind = kinds.get(head)
        if kind is None:
            kind = kinds[head] = Kind(*orjson.loads(head))
        yield kind, Entry(orjson.loads(raw), version)
    journal.state.clear()  # the store has it now


class Keeping:
    """The persistence of one server, or with ``directory`` None the lack of it.

    ``attach`` restores a new store; the context's end closes the journal.
    """

    def __init__(
        self, directory: Path | None, fsync: Fsync, on_failure: Callable[[], object]
    ) -> None:
        """Raises :class:`emulator.kube.store.journal.JournalError`."""
        self._journal = Journal(directory, fsync) if directory is not None else None
        self._on_failure = on_failure
        self._durable: Durable | None = None

    def attach(self, store: Store) -> None:
        if self._journal is not None:
            self._durable = Durable(store, self._journal, self._on_failure)

    @property
    def failed(self) -> OSError | None:
        """What kept a write from being taken; then the server must end."""
        return self._durable.failed if self._durable else None

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        if self._journal is not None:
            self._journal.close()
