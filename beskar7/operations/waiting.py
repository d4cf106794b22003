"""Waiting for a cluster to come to a state: by watch, and for a bounded time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

from beskar7.api.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    Invalid,
    MethodNotAllowed,
    Unauthorized,
)
from beskar7.api.kinds import Kind
from beskar7.api.objects import Object
from beskar7.kube.backoff import Backoff, Exponential
from beskar7.operations.cluster import Cluster

T = TypeVar("T")

LOOK_AGAIN = 1.0
"""Seconds after which is looked again though nothing changed: metrics cannot be watched."""
REST = 0.2
"""Seconds from a change to the look at it, so that a burst of changes is one look."""
API_BACKOFF = Exponential(0.2, 3.0)
"""Seconds between tries of an API server that fails."""
PERMANENT = (BadRequest, Unauthorized, Forbidden, Invalid, MethodNotAllowed)
"""What another try does not change."""

Look = Callable[[list[Object]], str]
"""Gets the objects of the kind that is watched; "" once all is as it should be, else what is not
yet. May raise ApiError."""


class NotReached(Exception):
    """What was waited for did not come, or cannot; ``args[0]`` says what is missing."""


def wait_until(
    cluster: Cluster, kind: Kind, namespace: str | None, look: Look, timeout: float
) -> None:
    """Until ``look`` finds nothing missing; looks after each change of a ``kind``.

    An API server that fails is asked again. ``timeout`` in seconds. Raises NotReached.
    """
    end = cluster.runtime.now() + timeout
    backoff = _backoff(cluster)
    while True:
        version = ""
        try:
            listed = cluster.kube.list(kind, namespace)
            version = listed.resource_version
            missing = look(listed.items)
            backoff.reset()
        except PERMANENT as error:
            raise NotReached(said(error)) from None
        except ApiError as error:
            missing = said(error)
        if not missing:
            return
        left = end - cluster.runtime.now()
        if left <= 0:
            raise NotReached(missing)
        if version:
            _await_change(cluster, kind, namespace, version, min(left, LOOK_AGAIN))
        else:
            cluster.runtime.sleep(min(left, backoff.next()))


def patiently(cluster: Cluster, call: Callable[[], T], timeout: float) -> T:
    """``call``, again while the API server fails, for at most ``timeout`` seconds.

    Raises NotReached. A call whose answer is lost is made again: it has to stand that.
    """
    end = cluster.runtime.now() + timeout
    backoff = _backoff(cluster)
    while True:
        try:
            return call()
        except PERMANENT as error:
            raise NotReached(said(error)) from None
        except ApiError as error:
            left = end - cluster.runtime.now()
            if left <= 0:
                raise NotReached(said(error)) from None
            cluster.runtime.sleep(min(left, backoff.next()))


def said(error: ApiError) -> str:
    """An error of the API server in one line."""
    return f"the API server says {error.reason}: {' '.join(error.message.split())[:500]}"


def _await_change(
    cluster: Cluster, kind: Kind, namespace: str | None, version: str, timeout: float
) -> None:
    try:
        events = cluster.kube.watch(kind, namespace, resource_version=version, timeout=timeout)
        with closing(events) as following:  # type: ignore[type-var] # generators can be closed
            changed = any(event.type != "BOOKMARK" for event in following)
    except ApiError:
        changed = True  # the next list tells what is wrong
    if changed:
        cluster.runtime.sleep(REST)


def _backoff(cluster: Cluster) -> Backoff:
    return Backoff(API_BACKOFF, cluster.runtime.rng("operations-backoff"))
