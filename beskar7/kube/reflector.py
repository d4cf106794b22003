"""Keeps a cache equal to the server: list, then watch, and again after every failure.

A watch that skips an event says nothing, so nobody can know; therefore the list is read anew every
few minutes whatever happens, and what differs is put right and told to the handlers.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from beskar7.api.errors import (
    ApiError,
    Expired,
    ServiceUnavailable,
    Timeout,
    TooManyRequests,
)
from beskar7.api.kinds import Kind
from beskar7.kube.backoff import Backoff, Exponential
from beskar7.kube.cache import Cache
from beskar7.kube.objects import resource_version_of, version_number
from beskar7.kube.port import Kube, ObjectList, WatchEvent
from beskar7.runtime import Runtime, Task

log = logging.getLogger(__name__)

WATCH_SECONDS = 300.0
"""A watch lasts this to twice this long, as client-go's do, so that no load sticks to one server
and a watch that has died unnoticed is found out."""

RELIST_SECONDS = 600.0
"""A list is at most so old, and at least half of that (drawn each time, so that the kinds and the
processes do not list together). The guide has no such setting; controller-runtime's SyncPeriod is
10 hours, but only hands the same cache to the handlers again, which repairs nothing."""

SHORT_WATCH = 1.0
"""Seconds. A watch that ends before this without an event counts as a failure."""

RETRY = Exponential(base=0.2, maximum=10.0, jitter=0.5)
"""client-go waits 0.8 to 30 s; ours is shorter, for few processes watch and claims wait for it."""

RESUMES = 5
"""Failures in a row after which the watch is not resumed: the list may tell more."""

LAGS = 8
"""Failures in a row after which a list is believed that is older than what was told before: half
a minute, for which a server may lag behind the others."""


class Reflector:
    """One kind, of one namespace or (None) of all, into one :class:`Cache`."""

    def __init__(
        self,
        kube: Kube,
        runtime: Runtime,
        kind: Kind,
        namespace: str | None = None,
        *,
        cache: Cache | None = None,
        watch_seconds: float = WATCH_SECONDS,
        relist_seconds: float = RELIST_SECONDS,
        retry: Exponential = RETRY,
        owner: str = "",
        told: dict[Kind, int] | None = None,
    ) -> None:
        """``owner``, the process, keeps its random numbers apart from those of its like.

        ``told``: the newest version that the server has told of each kind, which outlives this
        reflector, so that its successor does not go back in time.
        """
        self.kind = kind
        self.cache = cache or Cache(runtime, kind)
        self._kube = kube
        self._runtime = runtime
        self._namespace = namespace
        self._watch_seconds = watch_seconds
        self._relist_seconds = relist_seconds
        self._relist_at = 0.0
        self._rng = runtime.rng(f"reflector/{owner}/{kind.qualified}/{namespace or '*'}")
        self._backoff = Backoff(retry, self._rng)
        self._stopping = runtime.event()
        self._stream: Iterator[WatchEvent] | None = None
        self._resource_version = ""
        self._told = {} if told is None else told
        self._task: Task | None = None
        self.lists = 0
        self.watches = 0
        self.last_error: ApiError | None = None
        """What keeps the cache from being up to date; None while nothing does."""

    def start(self) -> None:
        if self._task is None:
            self._task = self._runtime.spawn(self._run, name=f"reflector-{self.kind.plural}")

    def wait_synced(self, timeout: float | None = None) -> bool:
        return self.cache.wait_synced(timeout)

    def stop(self, timeout: float | None = 5.0) -> bool:
        """False when it had not ended after ``timeout`` seconds."""
        self._stopping.set()
        self._close()
        return self._task is None or self._task.join(timeout)

    def _run(self) -> None:
        while not self._stopping.is_set():
            delay = self._step()
            if delay:
                self._stopping.wait(delay)

    def _step(self) -> float:
        """List if need be, watch to the end; the seconds to wait before the next step."""
        try:
            if not self._resource_version:
                self._list()
            elif self._runtime.now() >= self._relist_at:
                self._relist()
            lasted, events = self._watch()
        except ApiError as error:
            return self._failed(error)
        except Exception:
            log.exception("the reflector of %s failed", self.kind)
            self._resource_version = ""
            return self._backoff.next()
        if lasted < SHORT_WATCH and not events and not self._stopping.is_set():
            return self._backoff.next()
        self._backoff.reset()
        return 0.0

    def _list(self) -> None:
        """Fill the cache. A server that lags behind is asked again; in the end it may have been
        put back to an older state, and is believed."""
        found = self._read()
        if self._is_older(found) and self._backoff.failures < LAGS:
            raise ServiceUnavailable(f"the list of {self.kind} is older than what was told before")
        self._take(found)

    def _relist(self) -> None:
        """Repair the cache, unless the list is older than what the watch has told already."""
        found = self._read()
        if not self._is_older(found):
            self._take(found)

    def _is_older(self, found: ObjectList) -> bool:
        read = version_number(found.resource_version)
        return read is not None and read < self._told.get(self.kind, -1)

    def _read(self) -> ObjectList:
        found = self._kube.list(self.kind, self._namespace)
        self.lists += 1
        self._runtime.trace("list", f"{self.kind} {len(found.items)}")
        age = self._relist_seconds * (1 - 0.5 * self._rng.random())
        self._relist_at = self._runtime.now() + age
        return found

    def _take(self, found: ObjectList) -> None:
        self.cache.replace(found.items, found.resource_version)
        self._advance(found.resource_version)
        self._recovered()

    def _advance(self, version: str) -> None:
        self._resource_version = version
        number = version_number(version)
        if number is not None:
            # Set, not raised: see :meth:`_list`.
            self._told[self.kind] = number

    def _watch(self) -> tuple[float, int]:
        """Follow one watch to its end; how many seconds it lasted, and its events."""
        start = self._runtime.now()
        events = 0
        longest = self._watch_seconds * (1 + self._rng.random())
        self._stream = self._kube.watch(
            self.kind,
            self._namespace,
            resource_version=self._resource_version,
            timeout=max(SHORT_WATCH, min(longest, self._relist_at - start)),
        )
        try:
            self.watches += 1
            if self._stopping.is_set():
                return 0.0, 0
            for event in self._stream:
                self.cache.apply(event.type, event.object)
                if version := resource_version_of(event.object):
                    self._advance(version)
                if not events:
                    self._recovered()
                    self._backoff.reset()
                events += 1
                if self._stopping.is_set():
                    break
        finally:
            self._close()
            self._stream = None
        self._recovered()
        return self._runtime.now() - start, events

    def _failed(self, error: ApiError) -> float:
        if self._stopping.is_set():
            return 0.0
        if not _resumable(error) or self._backoff.failures >= RESUMES:
            self._resource_version = ""
        # An expired version is news of ours being slow, not of a server in trouble.
        level = logging.INFO if isinstance(error, Expired) else logging.WARNING
        if self.last_error is None or type(self.last_error) is not type(error):
            log.log(level, "cannot watch %s, will retry: %s", self.kind, error)
        self.last_error = error
        return self._backoff.next()

    def _recovered(self) -> None:
        if self.last_error is not None:
            log.info("watching %s again", self.kind)
            self.last_error = None

    def _close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            # A plain generator cannot be closed while it waits in another task; it ends with its
            # next event or its timeout, and the loop sees that it is to stop.
            with contextlib.suppress(ValueError):
                close()


def _resumable(error: ApiError) -> bool:
    """Whether the watch may go on from where it was."""
    if isinstance(error, Timeout):
        # How a server says that it has not reached our version: it was put back to an older state.
        return "resource version" not in error.message.lower()
    return error.code >= 500 or isinstance(error, TooManyRequests)
