"""A point in time by which something has to be over."""

from __future__ import annotations

from beskar7.runtime.protocol import Runtime


class DeadlineExceeded(Exception):
    """Time ran out; ``args[0]`` says for what."""


class Deadline:
    """``seconds`` from now; None never comes."""

    def __init__(self, runtime: Runtime, seconds: float | None, what: str = "operation") -> None:
        self._runtime = runtime
        self._at = None if seconds is None else runtime.now() + seconds
        self._what = what

    @property
    def expired(self) -> bool:
        return self._at is not None and self._runtime.now() >= self._at

    def remaining(self) -> float | None:
        """Seconds left, never below zero; None without a limit."""
        return None if self._at is None else max(0.0, self._at - self._runtime.now())

    def check(self) -> None:
        """Raises :class:`DeadlineExceeded` once the time is over."""
        if self.expired:
            raise DeadlineExceeded(self._what)
