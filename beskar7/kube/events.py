"""Kubernetes Events: recorded at once, written later, the same one written once and counted.

Every Event costs the API server a write, and they come in bursts exactly when it is busy. So the
same news about the same object is one Event whose ``count`` rises, at most one write a second.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass

from beskar7.api.errors import AlreadyExists, ApiError, NotFound
from beskar7.api.kinds import EVENT
from beskar7.api.meta import rfc3339
from beskar7.kube.objects import key_of, uid_of
from beskar7.kube.port import Kube, Object
from beskar7.kube.recorder import EventType
from beskar7.runtime import Runtime, Task

log = logging.getLogger(__name__)

CAPACITY = 1000
"""Different Events that may wait to be written; client-go's broadcaster takes 1000 too."""

KNOWN = 4096
"""Written Events that are remembered for counting, as in client-go."""

KEPT = 3600.0
"""Seconds for which they are; the server's own default, ``--event-ttl``: it has forgotten the older
ones, and an hour of news is what a quiet process should hold, not the last thousands."""

INTERVAL = 1.0
"""Least seconds between two writes of one Event."""

ATTEMPTS = 3
RETRY_SECONDS = 1.0
MAX_MESSAGE = 1024
"""Characters; what the API server accepts."""

_Key = tuple[str, str, str, str, str, str, str]


@dataclass(slots=True)
class _Pending:
    """News that is not written yet."""

    involved: Object
    count: int
    first: float
    last: float
    due: float
    attempts: int = 0


@dataclass(slots=True)
class _Written:
    namespace: str
    name: str
    count: int
    at: float


class EventRecorder:
    """One per process. ``component`` and ``identity`` say who reports."""

    def __init__(
        self,
        kube: Kube,
        runtime: Runtime,
        component: str,
        identity: str,
        *,
        capacity: int = CAPACITY,
        interval: float = INTERVAL,
    ) -> None:
        self._kube = kube
        self._runtime = runtime
        self._component = component
        self._identity = identity
        self._capacity = capacity
        self._interval = interval
        self._rng = runtime.rng(f"events/{component}/{identity}")
        self._changed = runtime.condition()
        self._pending: OrderedDict[_Key, _Pending] = OrderedDict()
        self._written: OrderedDict[_Key, _Written] = OrderedDict()
        self._closed = False
        self._stopping = False
        self._task: Task | None = None
        self.dropped = 0
        """Events lost: recorded when too many waited, or not written after all attempts."""
        self.writes = 0
        """Requests that have succeeded."""

    def start(self) -> None:
        if self._task is None:
            self._task = self._runtime.spawn(self._work, name=f"events-{self._component}")

    def event(self, obj: Object, type: EventType, reason: str, message: str) -> None:
        """Record. Neither waits nor raises; what does not fit is dropped and counted."""
        message = message[:MAX_MESSAGE]
        name = key_of(obj)
        key = (
            str(obj.get("kind") or ""),
            name.namespace,
            name.name,
            uid_of(obj),
            type,
            reason,
            message,
        )
        now = self._runtime.wall()
        with self._changed:
            pending = self._pending.get(key)
            if pending is not None:
                pending.count += 1
                pending.last = now
                return
            if self._closed or len(self._pending) >= self._capacity:
                self.dropped += 1
                return
            written = self._written.get(key)
            due = written.at + self._interval if written is not None else self._runtime.now()
            self._pending[key] = _Pending(_reference(obj), 1, now, now, due)
            self._changed.notify()

    def stop(self, timeout: float = 2.0) -> bool:
        """Write what waits, for at most ``timeout`` seconds; the rest is dropped and counted."""
        end = self._runtime.now() + timeout
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or not self._task, timeout)
            self._closed = True
            self.dropped += sum(pending.count for pending in self._pending.values())
            flushed = not self._pending
            self._pending.clear()
            self._changed.notify_all()
        if self._task is None:
            return flushed
        return self._task.join(max(0.0, end - self._runtime.now())) and flushed

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            key, pending = taken
            try:
                self._write(key, pending)
            except ApiError as error:
                self._again(key, pending, error)
            except Exception:
                log.exception("event %s of %s %s/%s not written", key[5], *key[:3])
                self._drop(pending)
            else:
                self.writes += 1

    def _take(self) -> tuple[_Key, _Pending] | None:
        """The next one that is due; None when the recorder has ended."""
        with self._changed:
            while not self._closed:
                now = self._runtime.now()
                soonest = None
                for key, pending in self._pending.items():
                    if pending.due <= now or (self._stopping and not pending.attempts):
                        del self._pending[key]
                        return key, pending
                    soonest = pending.due if soonest is None else min(soonest, pending.due)
                if self._stopping and soonest is None:
                    self._closed = True
                    self._changed.notify_all()
                    break
                self._changed.wait(None if soonest is None else soonest - now)
        return None

    def _write(self, key: _Key, pending: _Pending) -> None:
        written = self._written.get(key)
        if written is not None:
            count = written.count + pending.count
            try:
                self._kube.patch(
                    EVENT,
                    written.namespace,
                    written.name,
                    {"count": count, "lastTimestamp": rfc3339(pending.last)},
                )
            except NotFound:
                # The server forgets Events, by default after an hour.
                log.debug("event %s is gone, and is written anew", written.name)
            else:
                written.count = count
                self._remember(key, written)
                return
        self._create(key, pending)

    def _create(self, key: _Key, pending: _Pending) -> None:
        _, namespace, name, _, type_, reason, message = key
        namespace = namespace or "default"
        obj: Object = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.kind,
            "metadata": {"namespace": namespace, "name": ""},
            "involvedObject": pending.involved,
            "type": type_,
            "reason": reason,
            "message": message,
            "count": pending.count,
            "firstTimestamp": rfc3339(pending.first),
            "lastTimestamp": rfc3339(pending.last),
            "eventTime": None,
            "source": {"component": self._component, "host": self._identity},
            "reportingComponent": self._component,
            "reportingInstance": self._identity,
        }
        for last in (False, True):
            obj["metadata"]["name"] = f"{name}.{self._rng.getrandbits(64):016x}"
            try:
                self._kube.create(EVENT, obj)
                break
            except AlreadyExists:
                # Another process draws from an equal stream.
                if last:
                    raise
        written = _Written(namespace, obj["metadata"]["name"], pending.count, 0.0)
        self._remember(key, written)

    def _remember(self, key: _Key, written: _Written) -> None:
        with self._changed:
            written.at = self._runtime.now()
            self._written[key] = written
            self._written.move_to_end(key)
            while len(self._written) > KNOWN or self._oldest() < written.at - KEPT:
                self._written.popitem(last=False)
            # What was recorded during the write is to keep its distance from it, too.
            pending = self._pending.get(key)
            if pending is not None:
                pending.due = written.at + self._interval

    def _oldest(self) -> float:
        return next(iter(self._written.values())).at

    def _again(self, key: _Key, pending: _Pending, error: ApiError) -> None:
        retried = error.code >= 500 or error.code == 429
        pending.attempts += 1
        with self._changed:
            if retried and pending.attempts < ATTEMPTS and not self._closed:
                newer = self._pending.get(key)
                if newer is not None:
                    pending.count += newer.count
                    pending.last = newer.last
                pending.due = self._runtime.now() + RETRY_SECONDS * pending.attempts
                self._pending[key] = pending
                return
        log.warning("event %s of %s %s/%s not written: %s", key[5], *key[:3], error)
        self._drop(pending)

    def _drop(self, pending: _Pending) -> None:
        with self._changed:
            self.dropped += pending.count


def _reference(obj: Object) -> Object:
    metadata = obj.get("metadata") or {}
    reference = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": metadata.get("namespace"),
        "name": metadata.get("name"),
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
    }
    return {field: value for field, value in reference.items() if value}
