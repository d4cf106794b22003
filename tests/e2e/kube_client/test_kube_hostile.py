"""KubeClient against servers that hang, drip, lie and break off: an ApiError, in bounded time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import Configuration

from beskar7.api.errors import (
    ApiError,
    Expired,
    Forbidden,
    InternalError,
    ServiceUnavailable,
    TooManyRequests,
)
from beskar7.api.kinds import CONFIG_MAP, SECRET
from beskar7.kube.client import KubeClient

pytestmark = pytest.mark.e2e

Behaviour = Callable[[socket.socket], None]
Serve = Callable[[Behaviour], KubeClient]


def answer(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@pytest.fixture
def serve() -> Iterator[Serve]:
    """``serve(behaviour)``: a client of a server that treats every connection so."""
    listeners: list[socket.socket] = []
    clients: list[KubeClient] = []

    def start(behaviour: Behaviour) -> KubeClient:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

        def handle(connection: socket.socket) -> None:
            with connection:
                try:
                    while connection.recv(65536):
                        behaviour(connection)
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{listener.getsockname()[1]}"
        client = KubeClient.from_configuration(configuration, request_timeout=0.5)
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.close()
    for listener in listeners:
        listener.close()


def hang(_: socket.socket) -> None:
    time.sleep(5)


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def drip(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.05)


def truncate(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
    connection.close()


def babble(connection: socket.socket) -> None:
    connection.sendall(b"220 this is not HTTP\r\n")
    connection.close()


@pytest.mark.parametrize("behaviour", [hang, reset, drip, truncate, babble])
def test_a_broken_answer_is_unavailable_and_takes_bounded_time(
    behaviour: Behaviour, serve: Serve
) -> None:
    kube = serve(behaviour)
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable, match=r"GET /api/v1/namespaces/default/configmaps/a at"):
        kube.get(CONFIG_MAP, "default", "a")
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("behaviour", [hang, reset, babble])
def test_a_watch_that_cannot_begin_is_unavailable(behaviour: Behaviour, serve: Serve) -> None:
    kube = serve(behaviour)
    start = time.monotonic()
    with pytest.raises(ServiceUnavailable):
        kube.watch(CONFIG_MAP, resource_version="1", timeout=60)
    assert time.monotonic() - start < 1.5


def test_a_write_is_sent_once(serve: Serve) -> None:
    seen: list[int] = []

    def behaviour(connection: socket.socket) -> None:
        seen.append(1)
        reset(connection)

    kube = serve(behaviour)
    with pytest.raises(ServiceUnavailable):
        kube.create(CONFIG_MAP, {"metadata": {"namespace": "default", "name": "a"}})
    assert seen == [1]


@pytest.mark.parametrize(
    ("reply", "error", "text"),
    [
        (answer("200 OK", b"<html>"), InternalError, "not JSON"),
        (answer("200 OK", b"[1]"), InternalError, "not an object"),
        (answer("502 Bad Gateway", b"<html>oops"), ApiError, "HTTP 502 <html>oops"),
        (answer("403 Forbidden", b""), Forbidden, "HTTP 403"),
        (answer("302 Found", b"", "Location: http://127.0.0.1:1/"), ApiError, "HTTP 302"),
        (answer("410 Gone", b'{"kind":"Status","message":"old"}'), Expired, "old"),
        (answer("503 Service Unavailable", b"[]"), ServiceUnavailable, "503"),
    ],
)
def test_an_odd_answer_is_an_api_error(
    reply: bytes, error: type[ApiError], text: str, serve: Serve
) -> None:
    kube = serve(lambda connection: connection.sendall(reply))
    with pytest.raises(error, match=text) as caught:
        kube.get(CONFIG_MAP, "default", "a")
    assert caught.value.code == int(reply.split()[1]) or isinstance(caught.value, InternalError)
    # The connection serves again.
    with pytest.raises(error):
        kube.get(CONFIG_MAP, "default", "a")


def test_retry_after_reaches_the_caller(serve: Serve) -> None:
    reply = answer("429 Too Many Requests", b"slow down", "Retry-After: 7")
    kube = serve(lambda connection: connection.sendall(reply))
    with pytest.raises(TooManyRequests) as caught:
        kube.get(CONFIG_MAP, "default", "a")
    assert caught.value.details == {"retryAfterSeconds": 7}


def chunked(*parts: bytes, end: bool = True) -> Behaviour:
    def behaviour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part))
            time.sleep(0.02)
        if end:
            connection.sendall(b"0\r\n\r\n")
        else:
            connection.close()

    return behaviour


EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"%b"}}}\n'


def watch(kube: KubeClient, timeout: float = 5) -> Any:
    return kube.watch(SECRET, resource_version="1", timeout=timeout)


def test_events_are_put_together_from_pieces_and_taken_apart_from_lumps(serve: Serve) -> None:
    lump = EVENT % b"a" + b"\n" + EVENT % b"b" + EVENT[:20]
    kube = serve(chunked(lump, (EVENT % b"c")[20:], (EVENT % "ü".encode())[:44]))
    names = [event.object["metadata"]["name"] for event in watch(kube)]
    assert names == ["a", "b", "c"]


def test_an_error_event_in_a_good_answer_is_raised_after_what_came_before(serve: Serve) -> None:
    status = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    stream = watch(serve(chunked(EVENT % b"a" + status, end=False)))
    assert next(stream).object["metadata"]["name"] == "a"
    with pytest.raises(Expired):
        next(stream)
    assert list(stream) == []


def test_a_stream_that_breaks_off_is_unavailable(serve: Serve) -> None:
    stream = watch(serve(chunked(EVENT % b"a", end=False)))
    assert next(stream).type == "ADDED"
    with pytest.raises(ServiceUnavailable):
        next(stream)


@pytest.mark.parametrize("line", [b"<html>\n", b"[]\n", b'{"type":"ADDED"}\n'])
def test_a_line_that_is_no_event_is_an_error_of_the_server(line: bytes, serve: Serve) -> None:
    with pytest.raises(InternalError, match="not a watch event"):
        next(watch(serve(chunked(line))))


def test_a_server_that_forgets_to_end_a_watch_is_left(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beskar7.kube.client.WATCH_GRACE", 0.3)

    def behaviour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(20):
            connection.sendall(b"1\r\n\n\r\n")
            time.sleep(0.2)

    start = time.monotonic()
    assert list(watch(serve(behaviour), timeout=0.5)) == []
    assert 0.5 < time.monotonic() - start < 2
