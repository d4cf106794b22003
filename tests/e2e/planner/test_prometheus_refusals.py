"""What answers is not always a Prometheus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scenarios.planner.present import PresentError
from scenarios.planner.prometheus import MAX_ANSWER, Prometheus, PrometheusError, present

pytestmark = pytest.mark.e2e

Serve = Callable[[bytes], str]
EMPTY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"[]", b"{}", b'{"status":"success"}', b"null",
        b'{"status":"error","error":"bad"}',
        b'{"status":"success","data":{"result":[{"metric":{},"value":[0,"x"]}]}}',
        b'{"status":"success","data":{"result":[3]}}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_in_a_line(serve: Serve, body: bytes) -> None:
    with pytest.raises(PrometheusError, match="no answer of a Prometheus") as caught:
        Prometheus(serve(body)).query("up")
    assert "\n" not in str(caught.value)


def test_an_answer_without_end_is_cut(serve: Serve) -> None:
    with pytest.raises(PrometheusError, match="more than"):
        Prometheus(serve(b" " * (MAX_ANSWER + 2))).query("up")


def test_nobody_there_is_said_in_a_line() -> None:
    with pytest.raises(PrometheusError, match=r"http://127\.0\.0\.1:1") as caught:
        Prometheus("http://127.0.0.1:1").query("up")
    assert "\n" not in str(caught.value)


def test_a_prometheus_of_something_else(serve: Serve) -> None:
    with pytest.raises(PresentError, match="knows of no host"):
        present(Prometheus(serve(EMPTY)), 3600.0)
