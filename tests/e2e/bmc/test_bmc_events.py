"""Events reach a subscriber over real sockets, though nobody asks the BMC for anything."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from conftest import FleetProcess

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"
SOON = 30.0


@pytest.fixture
def heard() -> Iterator[tuple[str, Queue[dict[str, Any]]]]:
    """A subscriber's URL, and what it hears; it refuses the first event, to be asked again."""
    found: Queue[dict[str, Any]] = Queue()
    refused = []

    class Subscriber(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if refused:
                found.put({**json.loads(body), "secret": self.headers.get("X-Secret")})
            self.send_response(204 if refused else 503)
            self.end_headers()
            refused.append(True)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Subscriber)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/events", found
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_subscriber_hears_of_a_boot(
    fleet: FleetProcess, heard: tuple[str, Queue[dict[str, Any]]]
) -> None:
    url, found = heard
    session = requests.Session()
    session.auth = ("admin", PASSWORD)
    base = fleet.url()
    body = {
        "Destination": url,
        "Protocol": "Redfish",
        "Context": "mine",
        "HttpHeaders": [{"X-Secret": "s"}],
    }
    made = session.post(f"{base}/redfish/v1/EventService/Subscriptions", json=body, timeout=5)
    assert made.status_code == 201
    reset = f"{base}{fleet.system_path()}/Actions/ComputerSystem.Reset"
    assert session.post(reset, json={"ResetType": "On"}, timeout=5).status_code == 204
    wanted = {"PowerOn", "BootStarted", "BootFinished"}
    ids: set[str] = set()
    while not wanted <= ids:  # a refused event comes again after others
        event = found.get(timeout=SOON)
        assert (event["Context"], event["secret"]) == ("mine", "s")
        ids.add(event["Events"][0]["MessageId"].rpartition(".")[2])
    assert ids == wanted
    assert session.delete(base + made.headers["Location"], timeout=5).status_code == 204
