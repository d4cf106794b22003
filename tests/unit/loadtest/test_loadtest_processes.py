"""The load test's HTTP client on a real socket, and what may import Locust."""

from __future__ import annotations

import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.api import Api, ApiError, Unreachable, path
from loadtest.kubeconfig import Access
from loadtest.watch import read_events

pytestmark = pytest.mark.unit


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path; `/watch` sends one event and then waits until the client has read it."""

    protocol_version = "HTTP/1.1"
    seen: threading.Event
    sent: list[tuple[str, str, Any]]

    def do_GET(self) -> None:
        if self.path.startswith("/watch"):
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for version in ("1", "2"):
                event = {"type": "ADDED", "object": {"metadata": {"resourceVersion": version}}}
                data = json.dumps(event).encode() + b"\n"
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()
                assert self.seen.wait(10)
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/page":
            self.answer(200, b"<html>")
        elif self.path == "/drop":
            self.close_connection = True
        else:
            status = {"kind": "Status", "reason": "NotFound", "message": "no such thing"}
            self.answer(404, json.dumps(status).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append((self.path, self.headers["Authorization"], json.loads(body)))
        self.answer(201, body)
        # An idle connection that the server closes under the client.
        self.close_connection = True

    def answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: test output is for pytest."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Handler", (Handler,), {"seen": threading.Event(), "sent": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_address[1]}", handler
        finally:
            running.shutdown()
            thread.join()


def test_a_watch_event_is_seen_while_the_stream_is_still_open(
    server: tuple[str, type[Handler]],
) -> None:
    url, handler = server
    with Api(Access(url), "test").stream("/watch", timeout=10) as response:
        events = read_events(response)
        assert next(events).resource_version == "1"
        handler.seen.set()
        assert [event.resource_version for event in events] == ["2"]


def test_requests_carry_the_token_and_survive_a_connection_closed_by_the_server(
    server: tuple[str, type[Handler]],
) -> None:
    url, handler = server
    api = Api(Access(f"{url}/prefix", token="t0ken"), "test")
    assert api.create("/things", {"a": 1}) == {"a": 1}
    assert handler.sent == [("/prefix/things", "Bearer t0ken", {"a": 1})]
    with pytest.raises(ApiError) as caught:
        api.get("/things/none")
    assert (caught.value.code, caught.value.reason) == (404, "NotFound")
    api.close()


@pytest.mark.parametrize("page", ["/page", "/drop"])
def test_an_answer_that_is_none_is_unreachable(
    page: str, server: tuple[str, type[Handler]]
) -> None:
    api = Api(Access(server[0]), "test", timeout=5)
    with pytest.raises(Unreachable, match=page):
        api.get(page)
    api.close()


def test_nobody_listening_is_unreachable() -> None:
    api = Api(Access("http://127.0.0.1:9"), "test", timeout=1)
    with pytest.raises(Unreachable), api.stream("/watch", timeout=1):
        pass
    with pytest.raises(Unreachable):
        api.get("/")


def test_names_are_quoted_in_paths() -> None:
    assert path("ns", "beskar7machines", "a b?c").endswith("/ns/beskar7machines/a%20b%3Fc")


def test_only_the_locust_side_imports_locust() -> None:
    """Importing Locust monkey-patches the process, so everything else must do without."""
    locusts = {"background", "guideshape", "locustfile", "page", "session", "workers"}
    files = (Path(__file__).parents[3] / "loadtest").glob("[!_]*.py")
    pure = [f"loadtest.{name}" for name in sorted({file.stem for file in files} - locusts)]
    assert len(pure) >= 8
    code = (
        f"import sys, {', '.join(pure)}\n"
        "bad = {'locust', 'gevent', 'beskar7', 'emulator', 'scenarios'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
