"""The watch reader: events from bytes, and one object followed over many streams."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.api import Api, ApiError, Unreachable
from loadtest.kubeconfig import Access
from loadtest.watch import (
    MAX_LINE,
    BrokenStream,
    DeadlineExceeded,
    Event,
    Expired,
    Follower,
    read_events,
)

pytestmark = pytest.mark.unit


def obj(version: int, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m", "resourceVersion": str(version)}, "status": status}


def line(type_: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": type_, "object": body}).encode() + b"\n"


GONE = line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})


def test_events_come_in_order_and_blank_lines_are_nothing() -> None:
    stream = io.BytesIO(line("ADDED", obj(1)) + b"\n" + line("BOOKMARK", obj(2)))
    assert [(e.type, e.resource_version) for e in read_events(stream)] == [
        ("ADDED", "1"),
        ("BOOKMARK", "2"),
    ]


def test_410_in_the_stream_means_expired() -> None:
    events = read_events(io.BytesIO(line("ADDED", obj(1)) + GONE))
    assert next(events).type == "ADDED"
    with pytest.raises(Expired, match="too old"):
        next(events)


@pytest.mark.parametrize(
    "data",
    [
        b"not json\n",
        b"[]\n",
        b'{"type": "ADDED"}\n',
        b'{"type": 1, "object": {}}\n',
        b'{"type": "ADDED", "object": 1}\n',
        line("ERROR", {"code": 500, "message": "etcd"}),
        line("ADDED", obj(1))[:-1],
    ],
)
def test_what_is_no_event_breaks_the_stream(data: bytes) -> None:
    with pytest.raises(BrokenStream):
        list(read_events(io.BytesIO(data)))


def test_an_event_has_a_largest_size() -> None:
    with pytest.raises(BrokenStream, match="too large"):
        list(read_events(io.BytesIO(b"x" * (MAX_LINE + 10))))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3), max_size=6))
def test_whatever_was_sent_is_read(bodies: list[dict[str, str]]) -> None:
    stream = io.BytesIO(b"".join(line("MODIFIED", body) for body in bodies))
    assert [event.object for event in read_events(stream)] == bodies


class ScriptedApi(Api):
    """Answers watches from a list of streams; an exception in the list is raised instead."""

    def __init__(self, *streams: bytes | Exception, listed: dict[str, Any] | None = None) -> None:
        super().__init__(Access("http://127.0.0.1:1"), "test")
        self.streams = list(streams)
        self.listed = listed or {"metadata": {"resourceVersion": "100"}, "items": []}
        self.versions: list[str] = []
        self.queries: list[dict[str, list[str]]] = []

    @contextmanager
    def stream(self, path: str, timeout: float) -> Iterator[Any]:
        self.queries.append(parse_qs(urlsplit(path).query))
        self.versions.append(self.queries[-1]["resourceVersion"][0])
        answer = self.streams.pop(0) if self.streams else Unreachable("nothing more")
        if isinstance(answer, Exception):
            raise answer
        yield io.BytesIO(answer)

    def request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self.listed


class Clock:
    """Time that passes only in ``sleep``."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def follow(api: Api, clock: Clock, limit: float = 10.0) -> tuple[list[Event], int]:
    """Everything until the deadline, and how often a stream was opened again."""
    restarts: list[int] = []
    follower = Follower(
        api,
        "ns",
        "beskar7machines",
        "m",
        "5",
        on_restart=lambda: restarts.append(1),
        clock=clock,
        sleep=clock.sleep,
    )
    seen: list[Event] = []
    with pytest.raises(DeadlineExceeded):
        gather(follower.events(lambda: limit), seen)
    return seen, len(restarts)


def gather(events: Iterator[Event], into: list[Event]) -> None:
    """What came is in ``into`` also when the iteration ends in an error."""
    for event in events:
        into.append(event)


def test_a_stream_that_ends_is_resumed_from_its_last_version() -> None:
    api = ScriptedApi(
        line("MODIFIED", obj(6)) + line("BOOKMARK", obj(9)), line("MODIFIED", obj(12))
    )
    seen, restarts = follow(api, Clock())
    assert [event.resource_version for event in seen] == ["6", "12"]
    assert api.versions[:3] == ["5", "9", "12"]
    assert restarts == len(api.versions)
    assert api.queries[0]["fieldSelector"] == ["metadata.name=m"]
    assert api.queries[0]["watch"] == ["1"]


@pytest.mark.parametrize("gone", [GONE, ApiError(410, "Expired", "")])
def test_after_410_the_state_is_listed_and_the_watch_goes_on_from_there(
    gone: bytes | Exception,
) -> None:
    listed = {"metadata": {"resourceVersion": "40"}, "items": [obj(30, phase="Provisioned")]}
    api = ScriptedApi(gone, line("DELETED", obj(41)), listed=listed)
    seen, _ = follow(api, Clock())
    assert [event.type for event in seen] == ["MODIFIED", "DELETED"]
    assert api.versions[:2] == ["5", "40"]


def test_after_410_an_object_that_is_gone_counts_as_deleted() -> None:
    seen, _ = follow(ScriptedApi(GONE), Clock())
    assert [event.type for event in seen] == ["DELETED"]


def test_a_server_that_is_away_is_asked_less_and_less_often() -> None:
    clock = Clock()
    follow(ScriptedApi(), clock)
    assert clock.slept[:4] == [0.05, 0.1, 0.2, 0.4]
    assert max(clock.slept) <= 2.0
    assert clock.now == pytest.approx(10.0)


def test_a_refusal_for_good_is_passed_on() -> None:
    follower = Follower(ScriptedApi(ApiError(403, "Forbidden", "no")), "ns", "p", "m", "5")
    with pytest.raises(ApiError, match="Forbidden"):
        next(follower.events(lambda: float("inf")))


def test_a_busy_server_is_asked_again() -> None:
    api = ScriptedApi(ApiError(429, "TooManyRequests", ""), line("ADDED", obj(7)))
    seen, _ = follow(api, Clock())
    assert [event.type for event in seen] == ["ADDED"]
