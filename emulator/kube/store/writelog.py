"""Every write that was attempted: the evidence from which invariants are judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson

from beskar7.api.kinds import SECRET, Kind
from beskar7.api.objects import Object
from emulator.kube.store.history import Entry

CAPACITY = 50_000  # records; about 3 KB each
_REDACTED = "REDACTED"
Logged = Entry | bytes | None
"""A committed object, or encoded JSON."""


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """One attempt to write.

    ``outcome`` is ``ok`` or the ``Status.reason`` of the refusal. ``object`` is the state after
    the write, what was sent when it was refused, or the last state when it was deleted. A write
    other than a delete that takes the last finalizer off a terminating object also removes it:
    ``object`` then has a deletionTimestamp and no finalizers.
    """

    seq: int
    time: float  # Runtime.now()
    client: str  # the User-Agent
    verb: str  # create, update, update_status, patch, patch_status, delete
    outcome: str
    kind: str
    namespace: str
    name: str
    uid: str
    resource_version: str
    object: dict[str, Any] | None
    previous: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> WriteRecord:
        return cls(**{name: data[name] for name in cls.__slots__})


class _Item(NamedTuple):
    """A record. What it shares with the store costs nothing."""

    head: dict[str, Any]
    object: Logged
    previous: Logged


class WriteLog:
    """A bounded ring. Secrets' values never enter it."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._items: deque[_Item] = deque(maxlen=capacity)
        self._seq = 0
        self.on_append: Callable[[], object] | None = None
        """Called after every record."""

    @property
    def last(self) -> int:
        """The newest sequence number, 0 before the first write."""
        return self._seq

    @property
    def dropped(self) -> int:
        return self._seq - len(self._items)

    def append(
        self,
        *,
        time: float,
        client: str,
        verb: str,
        outcome: str,
        kind: Kind,
        namespace: str,
        name: str,
        uid: str = "",
        resource_version: str = "",
        object: Logged = None,
        previous: Logged = None,
    ) -> None:
        self._seq += 1
        if kind == SECRET:
            object, previous = _redact(object), _redact(previous)
        head = {
            "seq": self._seq,
            "time": time,
            "client": client,
            "verb": verb,
            "outcome": outcome,
            "kind": kind.kind,
            "namespace": namespace,
            "name": name,
            "uid": uid,
            "resource_version": resource_version,
        }
        self._items.append(_Item(head, object, previous))
        if self.on_append is not None:
            self.on_append()

    def records(self, after: int = 0) -> list[WriteRecord]:
        """The records with a higher ``seq`` that are still kept, oldest first.

        Their objects are shared with the store, not to be changed.
        """
        return [
            WriteRecord(**item.head, object=_shown(item.object), previous=_shown(item.previous))
            for item in self._since(after)
        ]

    def encoded(self, after: int = 0, limit: int | None = None) -> bytes:
        """``{"writes": [...], "last": seq, "dropped": n}``.

        ``last`` is what to pass as the next ``after``; ``dropped`` counts the records after
        ``after`` that the ring has already lost.
        """
        items = self._since(after)
        if limit is not None:
            items = items[:limit]
        last = items[-1].head["seq"] if items else self._seq
        writes = b",".join(
            orjson.dumps(item.head)[:-1]
            + b',"object":'
            + _encoded(item.object)
            + b',"previous":'
            + _encoded(item.previous)
            + b"}"
            for item in items
        )
        lost = max(0, self.dropped - max(0, after))
        return b'{"writes":[%b],"last":%d,"dropped":%d}' % (writes, last, lost)

    def _since(self, after: int) -> list[_Item]:
        newer = min(len(self._items), self._seq - after)
        if newer <= 0:
            return []
        if newer == len(self._items):
            return list(self._items)
        found = []
        for item in reversed(self._items):
            if item.head["seq"] <= after:
                break
            found.append(item)
        found.reverse()
        return found


def _shown(logged: Logged) -> Any:
    if isinstance(logged, Entry):
        return logged.obj
    return None if logged is None else orjson.loads(logged)


def _encoded(logged: Logged) -> bytes:
    return logged.raw if isinstance(logged, Entry) else logged or b"null"


def _redact(logged: Logged) -> bytes | None:
    return None if logged is None else orjson.dumps(_redacted(_shown(logged)))


def _redacted(obj: Any) -> Any:
    """What a client sent may be of any shape: a list of patch operations hides values whole."""
    if not isinstance(obj, dict):
        return None
    if "jsonPatch" in obj:
        return {"jsonPatch": _REDACTED}
    clean: Object = dict(obj)
    for field in ("data", "stringData"):
        value = clean.get(field)
        if isinstance(value, dict):
            clean[field] = dict.fromkeys(value, _REDACTED)
        elif value is not None:
            clean[field] = _REDACTED
    meta = clean.get("metadata")
    # kubectl apply keeps a whole copy of the object, its data too, in an annotation.
    if isinstance(meta, dict) and isinstance(meta.get("annotations"), dict):
        annotations = {
            key: _REDACTED if key.endswith("/last-applied-configuration") else value
            for key, value in meta["annotations"].items()
        }
        clean["metadata"] = {**meta, "annotations": annotations}
    return clean
