"""The right of one operation to write to one BMC, which its host's owner can take back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from beskar7.api.meta import ObjectKey
from beskar7.runtime import Runtime


class Revoked(Exception):
    """The host was given back while the operation ran."""


class Grant:
    """``fence`` raises when this term of leadership is over."""

    def __init__(self, runtime: Runtime, fence: Callable[[], None]) -> None:
        self._lock = runtime.lock()
        self._fence = fence
        self._writing = False
        self._revoked = False

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around each write. Raises Revoked, or what the fence raises, before anything is sent."""
        with self._lock:
            if self._revoked:
                raise Revoked("the host was given back")
            self._fence()
            self._writing = True
        try:
            yield
        finally:
            with self._lock:
                self._writing = False

    @property
    def spent(self) -> bool:
        """Whether nothing can come of it any more: taken back, and no write is under way."""
        with self._lock:
            return self._revoked and not self._writing

    def revoke(self) -> bool:
        """No write begins after this; False when one is still under way."""
        with self._lock:
            self._revoked = True
            return not self._writing


class Grants:
    """Those of all hosts whose operations may still write."""

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._grants: dict[ObjectKey, list[Grant]] = {}

    def add(self, host: ObjectKey, grant: Grant) -> None:
        with self._lock:
            held = [former for former in self._grants.get(host, ()) if not former.spent]
            self._grants[host] = [*held, grant]

    def drop(self, host: ObjectKey, grant: Grant) -> None:
        """The operation is over."""
        with self._lock:
            held = [former for former in self._grants.pop(host, ()) if former is not grant]
            if held:
                self._grants[host] = held

    def revoke(self, host: ObjectKey) -> bool:
        """No write to this host begins after this; False while one is under way."""
        with self._lock:
            held = [grant for grant in self._grants.pop(host, ()) if not grant.revoke()]
            if held:
                self._grants[host] = held
            return not held
