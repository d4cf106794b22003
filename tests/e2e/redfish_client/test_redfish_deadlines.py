"""Servers that drip, flood or break off, on real sockets, with TLS and without."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from beskar7.redfish.bounded import MAX_ANSWER
from beskar7.redfish.port import BmcBusy, BmcError, BmcTarget, BmcUnreachable, CallContext
from beskar7.redfish.sushy_bmc import SushyBmcs
from beskar7.runtime import Deadline, LiveRuntime
from emulator.certificates import Certificates, issue

pytestmark = pytest.mark.e2e

PATIENCE = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

Answer = Callable[[socket.socket, threading.Event], None]


def drip_body(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    while not over.wait(0.05):
        connection.sendall(b" ")


def drip_head(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD)
    while not over.wait(0.05):
        connection.sendall(b"X")


def drip_chunks(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while not over.wait(0.05):
        connection.sendall(b"1\r\n \r\n")


def silence(connection: socket.socket, over: threading.Event) -> None:
    over.wait(20)


def flood(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"\r\n")
    for _ in range(2 * MAX_ANSWER // 65536):
        connection.sendall(b" " * 65536)


def break_off(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")


def refuse(text: str) -> Answer:
    def answer(connection: socket.socket, over: threading.Event) -> None:
        body = b'{"error": {"code": "Base.1.0.GeneralError", "message": "busy"}}'
        head = f"HTTP/1.1 503 Busy\r\nRetry-After: {text}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    return answer


@contextlib.contextmanager
def serving(answer: Answer, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """The URL of a server that treats every connection so."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while not over.is_set():
                    connection, _ = listener.accept()
                    threading.Thread(target=treat, args=(connection,), daemon=True).start()

        def treat(connection: socket.socket) -> None:
            with contextlib.suppress(OSError):
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(65536)
                answer(connection, over)
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        scheme = "http" if context is None else "https"
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            # Wakes the thread that accepts, which closing the listener alone does not.
            with contextlib.suppress(OSError):
                socket.create_connection(listener.getsockname(), 1).close()
            thread.join(5)


def connector(patience: float = PATIENCE) -> SushyBmcs:
    return SushyBmcs(
        LiveRuntime(), "test", request_timeout=lambda: patience, connect_timeout=lambda: patience
    )


def call(
    url: str, operation_seconds: float = 30.0, bmcs: SushyBmcs | None = None
) -> tuple[BmcError, float]:
    """What reading the system of such a BMC raises, and how long that took."""
    runtime = LiveRuntime()
    bmcs = bmcs or connector()
    context = CallContext(
        "op",
        Deadline(runtime, operation_seconds),
        contextlib.nullcontext,
        lambda operation, outcome, seconds: None,
    )
    with contextlib.closing(bmcs.connect(BmcTarget(url, "u", "p", verify=False), context)) as bmc:
        began = time.monotonic()
        with pytest.raises(BmcError) as caught:
            bmc.system()
        return caught.value, time.monotonic() - began


@pytest.fixture
def tls(tmp_path) -> ssl.SSLContext:
    files = Certificates(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    issue(
        files,
        authority="test authority",
        subject="bmc",
        names=["127.0.0.1"],
        wall=time.time(),
        lifetime=timedelta(days=1),
    )
    return files.server_context()


@pytest.mark.parametrize("answer", [drip_body, drip_head, drip_chunks, silence])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_no_answer_outlives_its_time(answer: Answer, secure: bool, request):
    context = request.getfixturevalue("tls") if secure else None
    with serving(answer, context) as url:
        error, seconds = call(url)
    assert isinstance(error, BmcUnreachable)
    assert "no answer in time" in str(error)
    assert PATIENCE * 0.9 <= seconds < PATIENCE + 1.5


def test_what_is_left_of_the_operation_bounds_its_request():
    with serving(drip_body) as url:
        error, seconds = call(url, operation_seconds=0.2)
    assert isinstance(error, BmcUnreachable)
    assert seconds < PATIENCE


def test_an_answer_without_end_is_cut_off():
    with serving(flood) as url:
        error, _ = call(url)
    assert isinstance(error, BmcUnreachable)
    assert "too large" in str(error)


def test_a_broken_answer_is_no_answer():
    with serving(break_off) as url:
        error, _ = call(url)
    assert isinstance(error, BmcUnreachable)


def test_a_bmc_that_asks_for_peace_says_for_how_long():
    with serving(refuse("17")) as url:
        error, _ = call(url)
    assert isinstance(error, BmcBusy)
    assert error.retry_after == 17.0


@pytest.mark.parametrize("answer", [drip_body, silence])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_what_is_cut_ends_at_once_and_nothing_begins_any_more(
    answer: Answer, secure: bool, request
):
    bmcs = connector(patience=60.0)
    asked, left = threading.Event(), threading.Event()

    def held(connection: socket.socket, over: threading.Event) -> None:
        asked.set()
        watch = threading.Thread(target=until_closed, args=(connection,), daemon=True)
        watch.start()
        with contextlib.suppress(OSError):
            answer(connection, over)
        watch.join(5)

    def until_closed(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass
        left.set()

    def cut() -> None:
        asked.wait(30)
        bmcs.cut()

    cutter = threading.Thread(target=cut, daemon=True)
    cutter.start()
    with serving(held, request.getfixturevalue("tls") if secure else None) as url:
        error, seconds = call(url, bmcs=bmcs)
        assert isinstance(error, BmcUnreachable)
        assert seconds < 30.0
        assert left.wait(30), "the BMC sees that its client is gone"
        asked.clear()
        again, _ = call(url, bmcs=bmcs)
        assert isinstance(again, BmcUnreachable)
        assert not asked.is_set(), "the BMC heard of it"
    cutter.join(5)
