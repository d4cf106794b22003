"""Follows one object by watch: resumes where a stream ended, lists again when it must."""

from __future__ import annotations

import http.client
import json
import math
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from loadtest import api as http_api
from loadtest.api import Api, ApiError, Unreachable

MAX_LINE = 8 << 20
"""Largest watch event, bytes; an object in etcd may have 1.5 MB."""
LONGEST_STREAM = 300.0
"""Seconds after which the server is asked to end a watch; client-go asks for 300 to 600."""
FIRST_DELAY, LONGEST_DELAY = 0.05, 2.0
"""Backoff between streams that brought nothing, seconds, doubling."""


class Lines(Protocol):
    """What is read of an HTTP response."""

    def readline(self, limit: int = -1, /) -> bytes: ...


class DeadlineExceeded(Exception):
    """The deadline came before what was waited for."""


class Expired(Exception):
    """The resourceVersion is too old to resume from (410): list again."""


class BrokenStream(Exception):
    """The stream cannot be read on: cut in mid-line, not JSON, or an ERROR event."""


@dataclass(frozen=True, slots=True)
class Event:
    """``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    type: str
    object: dict[str, Any]

    @property
    def resource_version(self) -> str:
        return str((self.object.get("metadata") or {}).get("resourceVersion") or "")


def read_events(lines: Lines) -> Iterator[Event]:
    """The events of a watch stream until the server ends it. Raises Expired, BrokenStream.

    410 comes as an ERROR event in a stream that began with HTTP 200.
    """
    while line := lines.readline(MAX_LINE + 1):
        if not line.endswith(b"\n"):
            why = "an event is too large" if len(line) > MAX_LINE else "it was cut in mid-event"
            raise BrokenStream(f"the watch cannot be read on: {why}")
        if line.strip():
            yield _event(line)


def _event(line: bytes) -> Event:
    try:
        document = json.loads(line)
        type_, obj = document["type"], document["object"]
    except (ValueError, KeyError, TypeError):
        raise BrokenStream(f"not a watch event: {line[:120]!r}") from None
    if not isinstance(type_, str) or not isinstance(obj, dict):
        raise BrokenStream(f"not a watch event: {line[:120]!r}")
    if type_ == "ERROR":
        if obj.get("code") == 410 or obj.get("reason") in ("Expired", "Gone"):
            raise Expired(str(obj.get("message", "")))
        raise BrokenStream(f"the server ended the watch: {obj.get('message') or obj}")
    return Event(type_, obj)


class Follower:
    """The life of one object, event by event, over as many streams as it takes."""

    def __init__(
        self,
        api: Api,
        namespace: str,
        plural: str,
        name: str,
        resource_version: str,
        *,
        on_restart: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``on_restart`` is told of every stream that had to be opened again."""
        self._api = api
        self._namespace = namespace
        self._plural = plural
        self._name = name
        self._version = resource_version
        self._on_restart = on_restart
        self._clock = clock
        self._sleep = sleep

    def events(self, deadline: Callable[[], float]) -> Generator[Event, None, None]:
        """ADDED, MODIFIED and DELETED events; what was missed comes as one event of the new state.

        ``deadline`` is asked anew before each wait (the caller may move it); once the clock is
        there, DeadlineExceeded is raised. ApiError is passed on when the server refuses a watch
        for good (not 410, 429, 5xx).
        """
        delay = FIRST_DELAY
        while True:
            remaining = deadline() - self._clock()
            if remaining <= 0:
                raise DeadlineExceeded
            try:
                for event in self._stream(remaining):
                    delay = FIRST_DELAY
                    self._version = event.resource_version or self._version
                    if event.type != "BOOKMARK":
                        yield event
                    if self._clock() >= deadline():
                        raise DeadlineExceeded
            except Expired:
                yield from self._relist()
            except ApiError as error:
                if error.code == 410:
                    yield from self._relist()
                elif error.code != 429 and error.code < 500:
                    raise
            except (Unreachable, BrokenStream, OSError, http.client.HTTPException):
                pass
            self._on_restart()
            self._sleep(max(0.0, min(delay, deadline() - self._clock())))
            delay = min(2 * delay, LONGEST_DELAY)

    def _stream(self, remaining: float) -> Iterator[Event]:
        seconds = min(remaining, LONGEST_STREAM)
        url = http_api.path(
            self._namespace,
            self._plural,
            watch="1",
            fieldSelector=f"metadata.name={self._name}",
            resourceVersion=self._version,
            allowWatchBookmarks="true",
            timeoutSeconds=math.ceil(seconds),
        )
        with self._api.stream(url, timeout=seconds) as response:
            yield from read_events(response)

    def _relist(self) -> Iterator[Event]:
        """The object as it is now, or its deletion, and the version to go on from."""
        try:
            listed = self._api.get(
                http_api.path(
                    self._namespace, self._plural, fieldSelector=f"metadata.name={self._name}"
                )
            )
        except Unreachable:
            return
        except ApiError as error:
            if error.code != 429 and error.code < 500:
                raise
            return
        self._version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        items = listed.get("items") or []
        if items:
            yield Event("MODIFIED", items[0])
        else:
            yield Event("DELETED", {"metadata": {"name": self._name}})
