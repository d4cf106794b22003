"""Connections whose plain requests are answered without aiohttp: nobody can tell the difference."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

if TYPE_CHECKING:
    from conftest import FleetProcess, Start

pytestmark = pytest.mark.e2e
LOGIN = "Authorization: Basic YWRtaW46Y29ycmVjdCBob3JzZSBiYXR0ZXJ5\r\n"
PLAIN, NOT_PLAIN = "GET {} HTTP/1.1\r\n", "GET {}?x=1 HTTP/1.1\r\n"


def connect(fleet: FleetProcess) -> socket.socket:
    url = urlsplit(fleet.url())
    return socket.create_connection((url.hostname or "", url.port or 0), timeout=5)


def receive(client: socket.socket) -> tuple[str, dict[str, str], bytes]:
    """One answer: status line, headers, body."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(1)
        assert piece, got
        got += piece
    first, *lines = got[:-4].decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    body = b""
    while left := int(headers.get("Content-Length", 0)) - len(body):
        piece = client.recv(left)
        assert piece, body
        body += piece
    return first, headers, body


def ask(fleet: FleetProcess, first: str, path: str, extra: str = LOGIN) -> object:
    with connect(fleet) as client:
        client.sendall(f"{first.format(path)}Host: bmc\r\n{extra}\r\n".encode())
        status, headers, body = receive(client)
        headers.pop("Date")
        return status, headers, body


def test_both_ways_of_a_request_get_the_same_answer(fleet: FleetProcess) -> None:
    system = fleet.system_path()
    tag = fleet.get(system).headers["ETag"]
    chassis = fleet.get("/redfish/v1/Chassis").json()["Members"][0]["@odata.id"]
    other = fleet.get(chassis).headers["ETag"]
    for path, extra in (
        (system, LOGIN),
        (system, LOGIN + "Connection: close\r\n"),
        (system, LOGIN + f"If-None-Match: {tag}\r\n"),
        (chassis, LOGIN + f"If-None-Match: {other}\r\n"),
        (system, ""),
        (f"{system}/Nothing", LOGIN),
        ("/redfish", ""),
        ("/redfish/v1/$metadata", ""),
        ("/redfish/v1/Systems", LOGIN + "OData-Version: 3.0\r\n"),
    ):
        assert ask(fleet, PLAIN, path, extra) == ask(fleet, NOT_PLAIN, path, extra), (path, extra)


def test_both_ways_of_a_write_get_the_same_answer(fleet: FleetProcess) -> None:
    system = fleet.system_path()
    drive = fleet.get(f"{system}/VirtualMedia").json()["Members"][0]["@odata.id"]
    tag = fleet.get(system).headers["ETag"]
    boot = '{"Boot": {"BootSourceOverrideTarget": "Hdd", "BootSourceOverrideEnabled": "Once"}}'
    login = '{"UserName": "admin", "Password": "wrong"}'
    for method, path, body, extra in (
        ("PATCH", system, boot, LOGIN),
        ("PATCH", system, boot, LOGIN + "Connection: close\r\n"),
        ("PATCH", system, boot, LOGIN + f"If-Match: {tag}0\r\n"),
        ("PATCH", system, boot.replace("Hdd", "Tape"), LOGIN),
        ("PATCH", system, '{"AssetTag": "\\u00e4", "UUID": ""}', LOGIN),
        ("PATCH", system, boot, ""),
        ("PATCH", system, "{", LOGIN),
        ("POST", f"{drive}/Actions/VirtualMedia.InsertMedia", '{"Image": "http://x/a.iso"}', LOGIN),
        ("POST", f"{drive}/Actions/VirtualMedia.EjectMedia", "{}", LOGIN),
        ("POST", f"{drive}/Actions/VirtualMedia.EjectMedia", "", LOGIN),
        ("POST", f"{system}/Actions/ComputerSystem.Reset", "{}", LOGIN),
        ("POST", "/redfish/v1/SessionService/Sessions", login, ""),
        ("POST", "/redfish", "", LOGIN),
    ):
        sized = f"Content-Length: {len(body)}\r\n{extra}\r\n{body}"
        answers = [send(fleet, method, path + query, sized) for query in ("", "?x=1")]
        assert answers[0] == answers[1], (method, path, body, extra)


def send(fleet: FleetProcess, method: str, path: str, rest: str) -> object:
    with connect(fleet) as client:
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: bmc\r\n{rest}".encode())
        status, headers, body = receive(client)
        headers.pop("Date")
        return status, headers, body


def test_a_body_that_comes_after_its_head_is_waited_for(fleet: FleetProcess) -> None:
    body = '{"AssetTag": "in pieces"}'
    head = f"PATCH {fleet.system_path()} HTTP/1.1\r\nHost: bmc\r\n{LOGIN}"
    with connect(fleet) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (f"{head}Content-Length: {len(body)}\r\n\r\n", body[:9], body[9:]):
            client.sendall(piece.encode())
            client.settimeout(0.05)
            if piece != body[9:]:
                with pytest.raises(TimeoutError):
                    client.recv(1)
        client.settimeout(5)
        assert receive(client)[0] == "HTTP/1.1 204 No Content"
        client.sendall(f"GET {fleet.system_path()} HTTP/1.1\r\nHost: bmc\r\n{LOGIN}\r\n".encode())
        assert b'"AssetTag":"in pieces"' in receive(client)[2]


def test_a_write_whose_client_left_is_done_all_the_same(start: Start) -> None:
    slow = start(scale={"boot": 0.002, "latency": 1})
    system = slow.system_path()
    body = '{"AssetTag": "left"}'
    head = f"PATCH {system} HTTP/1.1\r\nHost: bmc\r\n{LOGIN}Content-Length: {len(body)}\r\n\r\n"
    with connect(slow) as client:
        client.sendall((head + body).encode())
    while not (records := slow.control.log().records):
        assert slow.process.poll() is None
    assert [(r.method, r.status, r.performed) for r in records] == [("PATCH", 204, True)]
    assert records[0].end > records[0].start + 0.01
    assert slow.get(system).json()["AssetTag"] == "left"
    assert "Traceback" not in slow.stderr.read_text()


def test_requests_that_were_sent_ahead_are_answered_in_order(fleet: FleetProcess) -> None:
    plain = f"GET /redfish HTTP/1.1\r\nHost: bmc\r\n{LOGIN}\r\n"
    system = f"GET {fleet.system_path()} HTTP/1.1\r\nHost: bmc\r\n{LOGIN}\r\n"
    patch = plain.replace("GET", "DELETE")
    with connect(fleet) as client:
        client.sendall((plain + system + patch + plain).encode())
        answers = [receive(client) for _ in range(4)]
    assert [status.split()[1] for status, _, _ in answers] == ["200", "200", "405", "200"]
    assert b"ComputerSystem" in answers[1][2]


def test_a_head_that_comes_in_pieces_is_waited_for(fleet: FleetProcess) -> None:
    with connect(fleet) as client:
        for piece in ("GET /redfish HT", "TP/1.1\r\nHost: bmc\r", "\n\r\n"):
            client.sendall(piece.encode())
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert receive(client)[0] == "HTTP/1.1 200 OK"


def test_a_connection_is_kept_across_both_ways_and_faults_are_drawn_once(
    fleet: FleetProcess,
) -> None:
    last = fleet.control.log().records[-1:]
    fleet.control.add_fault({"id": "bad", "kind": "error", "status": 503})
    with requests.Session() as session:
        assert session.get(fleet.url() + "/redfish", timeout=5).status_code == 503
        fleet.control.clear_faults()
        assert session.get(fleet.url() + "/redfish", timeout=5).status_code == 200
        assert session.delete(fleet.url() + "/redfish", timeout=5).status_code in (401, 405)
    records = fleet.control.log(last[0].seq if last else 0).records
    assert [(r.method, r.status, r.fault) for r in records][:2] == [
        ("GET", 503, "bad"),
        ("GET", 200, ""),
    ]


def test_a_read_whose_client_left_is_not_rendered(fleet: FleetProcess) -> None:
    fleet.control.add_fault({"id": "slow", "kind": "latency", "latency": {"mean": 20}})
    before = fleet.control.log().records[-1].seq
    with connect(fleet) as client:
        client.sendall(f"GET /redfish HTTP/1.1\r\nHost: bmc\r\n{LOGIN}\r\n".encode())
        while not fleet.control.metrics()["in_flight"]:
            client.settimeout(1)
    while not (records := fleet.control.log(before).records):
        assert fleet.process.poll() is None
    assert [(r.status, r.end - r.start < 15) for r in records] == [(0, True)]
    assert fleet.control.metrics()["in_flight"] == 0
