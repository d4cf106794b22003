"""The right of one operation to write to one BMC, which its host's owner can take back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

    def revoke(self) -> bool:
        """No write begins after this; False when one is still under way."""
        with self._lock:
            self._revoked = True
            return not self._writing
