"""Requests that are read without aiohttp's parser mean what they mean to aiohttp's parser."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from hypothesis import example, given, settings
from hypothesis import strategies as st

from emulator.bmc.heads import LONGEST, LONGEST_BODY, Heads

pytestmark = pytest.mark.unit
NAMES = st.sampled_from(
    [
        *("Host", "host", "Connection", "Authorization", "X-Auth-Token", "Accept", "User-Agent"),
        *("Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "If-None-Match", "A b", "ä"),
    ]
)
VALUES = st.one_of(
    st.sampled_from(
        ["close", "keep-alive", "Close", "0", "2", "07", "chunked", "bmc", "a, b", "", " x ", "x\t"]
    ),
    st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=12),
)
PATHS = st.one_of(
    st.sampled_from(["/", "/redfish/v1", "/redfish/v1/Systems/0-1/", "/a//b", "/../x", "/a/./b"]),
    st.text(st.sampled_from("/abc.%?#$~ -_:"), max_size=12),
)
ENDS = st.sampled_from(
    [
        *("\r\n\r\n", "\r\n\r\n{}", "\r\n\r\n{", "\r\n", "", "\n\n"),
        "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    ]
)
METHODS = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "post"])


def by_aiohttp(data: bytes) -> list[tuple[RawRequestMessage, bytes]]:
    loop = asyncio.new_event_loop()
    try:
        handler = web.RequestHandler(web.Server(_never, loop=loop), loop=loop)
        parser = HttpRequestParser(handler, loop, 2**16)
        found = []
        for message, payload in parser.feed_data(data)[0]:
            whole = payload.is_eof()
            body = b"".join(payload.read_nowait() for _ in range(payload.total_bytes > 0))
            found.append((message, body if whole else body + b"..."))
        return found
    finally:
        loop.close()


async def _never(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError(request)


def head(
    path: str, fields: list[tuple[str, str]], end: str, version: str = "1.1", method: str = "GET"
) -> bytes:
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in fields)]
    return ("\r\n".join(lines) + end).encode("latin-1")


@settings(max_examples=300)
@given(
    PATHS,
    st.lists(st.tuples(NAMES, VALUES), max_size=4).map(lambda f: [("Host", "bmc"), *f]),
    ENDS,
    st.sampled_from(["1.1", "1.1", "1.0"]),
    METHODS,
)
@example("/redfish/v1", [("Host", "bmc"), ("Connection", "close")], "\r\n\r\n", "1.1", "GET")
@example("/redfish", [("Host", "bmc"), ("Content-Length", "2")], "\r\n\r\n{}", "1.1", "POST")
@example("/redfish", [("Host", "bmc"), ("Content-Length", "2")], "\r\n\r\n{", "1.1", "PATCH")
@example("/redfish", [("Host", "bmc")], "\r\n\r\n", "1.1", "POST")
def test_what_is_read_here_is_what_aiohttp_reads(
    path: str, fields: list[tuple[str, str]], end: str, version: str, method: str
) -> None:
    data = head(path, fields, end, version, method)
    found = Heads().read(data)
    if found is None:
        return
    ((message, body),) = by_aiohttp(data)
    assert (message.method, message.url.raw_path) == (found.method, found.path)
    assert message.url.raw_query_string == ""
    assert message.should_close == found.fields.close
    assert not message.chunked
    assert not message.upgrade
    ours = data[found.begin :]
    assert (ours if len(data) == found.end else ours + b"...") == body
    for name, value in message.headers.items():
        assert found.fields.get(name) == found.fields.get(name.upper()) == value
        assert len(message.headers.getall(name)) == 1
    assert found.fields.get("X-Absent") is None


def test_what_clients_send_is_plain() -> None:
    fields = [("Host", "127.0.0.1:80"), ("Authorization", "Basic YTpi"), ("Accept", "*/*")]
    for path in ("/redfish/v1/", "/redfish/v1/Systems/6d0f7d4e-6c6a/VirtualMedia/Cd"):
        found = Heads().read(head(path, fields, "\r\n\r\n"))
        assert found is not None
        assert (found.method, found.path, found.fields.close) == ("GET", path, False)
        assert found.fields.get("authorization") == "Basic YTpi"
        for method in ("POST", "PATCH"):
            sized = [*fields, ("Content-Type", "application/json"), ("Content-Length", "7")]
            data = head(path, sized, '\r\n\r\n{"a":1}', method=method)
            found = Heads().read(data)
            assert found is not None
            assert (found.method, found.path) == (method, path)
            assert data[found.begin : found.end] == b'{"a":1}'


def test_a_body_that_is_not_all_there_is_told() -> None:
    data = head("/a", [("Host", "h"), ("Content-Length", "7")], '\r\n\r\n{"a"', method="POST")
    found = Heads().read(data)
    assert found is not None
    assert found.end - len(data) == 3


@pytest.mark.parametrize(
    "data",
    [
        head("/a?b", [("Host", "h")], "\r\n\r\n"),
        head("/a%20b", [("Host", "h")], "\r\n\r\n"),
        head("/a", [("Host", "h"), ("Content-Length", "3")], "\r\n\r\nabc"),
        head("/a", [("Host", "h"), ("Host", "i")], "\r\n\r\n"),
        head("/a", [("Host", "h")], "\r\n"),
        head("/a", [], "\r\n\r\n"),
        head("/a", [("Host", "h")], "\r\n\r\n").replace(b"GET", b"PUT"),
        head("/" + "a" * LONGEST, [("Host", "h")], "\r\n\r\n"),
        *(
            head("/a", [("Host", "h"), (name, value)], "\r\n\r\nabc", method="POST")
            for name, value in (
                ("Content-Length", "2"),
                ("Content-Length", "+3"),
                ("Content-Length", "03"),
                ("Content-Length", str(LONGEST_BODY + 1)),
                ("Content-Encoding", "gzip"),
                ("Transfer-Encoding", "chunked"),
                ("Expect", "100-continue"),
            )
        ),
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(data: bytes) -> None:
    assert Heads().read(data) is None


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["a", "a/", "a.", "$~"])
def test_no_path_takes_long_to_refuse(unit: str) -> None:
    path = "/" + unit * ((LONGEST - 60) // len(unit))
    assert Heads().read(head(path + "?", [("Host", "h")], "\r\n\r\n")) is None
    fields = [("Host", "h"), ("A", (unit + " ") * 200 + "\t")]
    assert Heads().read(head("/", fields, "\r\n\r\n")) is None


def test_the_memory_of_heads_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.bmc.heads.KEPT", 3)
    heads = Heads()
    for index in range(10):
        data = head("/", [("Host", str(index))], "\r\n\r\n")
        first, again = heads.read(data), heads.read(data)
        assert first is not None
        assert again is not None
        assert first.fields is again.fields
        assert len(heads._known) <= 3
