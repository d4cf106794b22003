"""The time that a reconcile has: when it is over, nothing more is written in its course."""

from __future__ import annotations

import contextvars
from collections.abc import Iterator
from contextlib import contextmanager

from beskar7.kube.controller import TemporaryError
from beskar7.runtime import Deadline, DeadlineExceeded

_LIMIT: contextvars.ContextVar[Deadline | None] = contextvars.ContextVar("limit", default=None)


@contextmanager
def within(limit: Deadline) -> Iterator[None]:
    """What is done inside has until ``limit``."""
    token = _LIMIT.set(limit)
    try:
        yield
    finally:
        _LIMIT.reset(token)


def check_time() -> None:
    """Raises TemporaryError when the time of the reconcile that asks is over."""
    limit = _LIMIT.get()
    if limit is None:
        return
    try:
        limit.check()
    except DeadlineExceeded as error:
        raise TemporaryError(str(error)) from None
